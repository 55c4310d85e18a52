"""The `Set-Cookie` header."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.cookies import CookieError, SimpleCookie

__all__ = ["cookie_header"]


def cookie_header(
    key: str,
    value: str,
    *,
    max_age: int | None,
    expires: datetime | str | int | None,
    path: str | None,
    domain: str | None,
    secure: bool,
    httponly: bool,
    samesite: str | None,
    partitioned: bool,
) -> str:
    """The value of the header. Raises ValueError for what no cookie can hold."""
    cookie: SimpleCookie = SimpleCookie()
    try:
        cookie[key] = value
    except CookieError as error:
        raise ValueError(f"{key!r} cannot be the name of a cookie") from error
    text = cookie[key].OutputString()
    for name, part in (("path", path), ("domain", domain)):
        if part is not None:
            if any(character in part for character in ";\r\n\0"):
                raise ValueError(f"{part!r} cannot be the {name} of a cookie")
            text += f"; {name.capitalize()}={part}"
    if expires is not None:
        text += f"; Expires={_moment(expires)}"
    if max_age is not None:
        text += f"; Max-Age={int(max_age)}"
    if httponly:
        text += "; HttpOnly"
    if samesite is not None:
        if samesite.lower() not in ("lax", "strict", "none"):
            raise ValueError(f"samesite is lax, strict or none, not {samesite!r}")
        text += f"; SameSite={samesite.lower()}"
    if secure:
        text += "; Secure"
    if partitioned:
        text += "; Partitioned"
    return text


def _moment(expires: datetime | str | int) -> str:
    if isinstance(expires, str):
        return expires
    if isinstance(expires, int):
        expires = datetime.now(timezone.utc) + timedelta(seconds=expires)  # noqa: UP017
    return format_datetime(expires.astimezone(timezone.utc), usegmt=True)  # noqa: UP017
