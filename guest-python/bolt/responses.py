"""What a handler returns when it wants to choose status, headers or content type itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from .cookies import cookie_header
from .strict import to_plain

__all__ = [
    "HTML",
    "JSON",
    "MutableHeaders",
    "PlainText",
    "Redirect",
    "Response",
    "as_response",
    "header_list",
]

# RFC 9110 token characters besides letters and digits.
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def header_list(headers: dict[str, str] | None) -> list[tuple[str, str]]:
    """The headers as pairs, checked.

    Raises TypeError when a name or value is not a str, and ValueError when it would break the
    reply apart: a name that is not a token, a value with a line break, a NUL or a character
    outside latin-1.
    """
    if not headers:
        return []
    pairs = []
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"the header {name!r} must be text, and so must its value {value!r}")
        if not name or not _TOKEN.issuperset(name):
            raise ValueError(f"{name!r} cannot be the name of a header")
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"the value of the header {name!r} holds a line break or a NUL")
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError(
                f"the value of the header {name!r} holds characters outside latin-1"
            ) from None
        # Exact str objects: marshal takes no subclasses.
        pairs.append((str.__str__(name), str.__str__(value)))
    return pairs


class MutableHeaders(dict[str, str]):
    """Headers of a reply; names are kept in lower case, so each is there once."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        for name, value in (headers or {}).items():
            self[name] = value

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name.lower() if isinstance(name, str) else name, value)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, or the default."""
        return super().get(name.lower(), default)

    def setdefault(self, name: str, default: str = "") -> str:
        """The value of a name, which is set first where it is not there."""
        return super().setdefault(name.lower(), default)

    def update(self, *others: Any, **more: str) -> None:
        """Set many."""
        for name, value in dict(*others, **more).items():
            self[name] = value


class Response:
    """A reply whose body is already made.

    content: the body, bytes or text (sent as UTF-8).
    status_code: the HTTP status, 100 to 599.
    headers: reply headers, name to value. A content-type among them wins over media_type.
    media_type: the content type; for text/* a charset is added when it has none. Left out, it is
        application/octet-stream for bytes and text/plain for text.

    Raises TypeError for other content, ValueError for a status or a header that cannot be sent.
    """

    media_type: ClassVar[str | None] = None
    # What is left to be done after it was sent: an `Exits`.
    after: Any = None

    def __init__(
        self,
        content: bytes | str = b"",
        status_code: int | None = 200,
        headers: dict[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        if not isinstance(content, (bytes, str)):
            raise TypeError(
                f"the content of a {type(self).__name__} is bytes or str, "
                f"not {type(content).__qualname__}"
            )
        self.content = content
        self._begin(status_code, headers)
        self.content_type = media_type or self.media_type

    def _begin(self, status_code: int | None, headers: dict[str, str] | None) -> None:
        if status_code is not None and not 100 <= status_code <= 599:
            raise ValueError(f"an HTTP status lies between 100 and 599, not {status_code}")
        # Checked here so that the traceback leads to the line that made the response, and once
        # more when it is sent, because `headers` may be changed until then.
        header_list(headers)
        self.status_code = status_code
        self.headers = MutableHeaders(headers)
        self.cookies: list[str] = []

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: int | None = None,
        expires: datetime | str | int | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Have the client keep a cookie.

        expires: a moment, or seconds from now. Raises ValueError for what no cookie can hold.
        """
        self.cookies.append(
            cookie_header(
                key,
                value,
                max_age=max_age,
                expires=expires,
                path=path,
                domain=domain,
                secure=secure,
                httponly=httponly,
                samesite=samesite,
                partitioned=partitioned,
            )
        )

    def delete_cookie(
        self,
        key: str,
        path: str = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
    ) -> None:
        """Have the client forget a cookie that was set with the same path and domain."""
        self.set_cookie(
            key,
            max_age=0,
            expires=0,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
        )

    @property
    def body(self) -> bytes:
        """The body as it is sent."""
        return self.content.encode() if isinstance(self.content, str) else bytes(self.content)

    def header_pairs(self) -> list[tuple[str, str]]:
        """The headers to send, a `set-cookie` for each cookie."""
        pairs = header_list(self.headers)
        pairs.extend(("set-cookie", cookie) for cookie in self.cookies)
        return pairs

    def reply_type(self) -> tuple[str, list[tuple[str, str]]]:
        """The content type to send, and the headers without it."""
        pairs = self.header_pairs()
        found = None
        for pair in pairs:
            if pair[0].lower() == "content-type":
                found = pair
        if found is not None:
            return found[1], [pair for pair in pairs if pair[0].lower() != "content-type"]
        chosen = self.content_type
        if chosen is None:
            chosen = "text/plain" if isinstance(self.content, str) else "application/octet-stream"
        if chosen.startswith("text/") and "charset=" not in chosen.lower():
            chosen += "; charset=utf-8"
        # Nothing that would not do as a header value may reach the wire this way either.
        header_list({"content-type": chosen})
        return chosen, pairs

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status_code={self.status_code!r})"


class PlainText(Response):
    """Text, sent as text/plain in UTF-8."""

    media_type = "text/plain; charset=utf-8"


class HTML(Response):
    """Markup, sent as text/html in UTF-8."""

    media_type = "text/html; charset=utf-8"


class Redirect(Response):
    """Sends the client to another address.

    url: absolute or relative; characters a URL cannot hold are percent-encoded.
    status_code: 307 keeps the method, 303 turns it into GET, 301 and 308 are permanent.
    """

    def __init__(
        self, url: str, status_code: int = 307, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(b"", status_code, headers)
        self.headers["location"] = quote(url, safe=":/%#?=@[]!$&'()*+,;")


class JSON(Response):
    """Data to be written as JSON, with a status or headers of its own.

    data: any value a handler may return.
    status_code: None takes the status of the route.
    """

    def __init__(
        self,
        data: Any,
        status_code: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.data = data
        self.content = b""
        self._begin(status_code, headers)
        self.content_type = None

    @property
    def body(self) -> bytes:
        """The JSON, as middleware sees it; otherwise the host writes it."""
        plain = to_plain(self.data)
        text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()


def as_response(result: Any, status: int) -> Response:
    """What a handler returned, as a Response; `status` is that of the route."""
    response = result if isinstance(result, Response) else JSON(result)
    if response.status_code is None:
        response.status_code = status
    return response
