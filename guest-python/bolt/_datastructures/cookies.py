"""Writes the `Set-Cookie` header and reads the `Cookie` header."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.cookies import CookieError, SimpleCookie, _unquote

from .headers import is_header_text

__all__ = ["cookie_header", "parse_cookies"]


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
    """The value of a `Set-Cookie` header. Raises ValueError for an attribute that is not valid."""
    cookie: SimpleCookie = SimpleCookie()
    try:
        cookie[key] = value
        text = cookie[key].OutputString()
    except CookieError as error:
        raise ValueError(
            f"{key!r} cannot be the name of a cookie, or {value!r} its value"
        ) from error
    moment = None if expires is None else _http_date(expires)
    for name, part in (("path", path), ("domain", domain), ("expires", moment)):
        if part:
            # A semicolon would begin another attribute.
            if ";" in part or not is_header_text(part):
                raise ValueError(f"{part!r} cannot be the attribute {name!r} of a cookie ({key!r})")
            text += f"; {name.capitalize()}={part}"
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


def _http_date(expires: datetime | str | int) -> str:
    if isinstance(expires, str):
        return expires
    if isinstance(expires, int):
        try:
            expires = datetime.now(UTC) + timedelta(seconds=expires)
        except OverflowError:
            raise ValueError(f"a cookie cannot expire {expires} seconds from now") from None
    return format_datetime(expires.astimezone(UTC), usegmt=True)


def parse_cookies(headers: Iterable[str]) -> dict[str, str]:
    """The cookies of `Cookie` headers. It accepts what browsers send, beyond RFC 6265."""
    cookies: dict[str, str] = {}
    for header in headers:
        for part in header.split(";"):
            name, equals, value = part.partition("=")
            if not equals:
                name, value = "", name
            name, value = name.strip(), value.strip()
            if name or value:
                cookies[name] = _unquote(value)
    return cookies
