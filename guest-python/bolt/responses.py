"""What a handler returns when it wants to choose status, headers or content type itself."""

from __future__ import annotations

import json
import os
from datetime import datetime
from mimetypes import guess_type
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from .cookies import cookie_header
from .headers import MutableHeaders, header_list
from .strict import to_plain

__all__ = [
    "HTML",
    "JSON",
    "File",
    "FileResponse",
    "HTMLResponse",
    "JSONResponse",
    "PlainText",
    "PlainTextResponse",
    "Redirect",
    "RedirectResponse",
    "Response",
    "as_response",
]


class Response:
    """A reply whose body is already made.

    content: the body, bytes or text (sent as UTF-8); None for an empty one. A subclass that has a
        `render(self, content) -> bytes` of its own takes what that takes.
    status_code: the HTTP status, 100 to 599.
    headers: reply headers, name to value. A content-type among them wins over media_type.
    media_type: the content type; for text/* a charset is added when it has none. Left out, it is
        application/octet-stream for bytes and text/plain for text.
    background: a BackgroundTask or BackgroundTasks for after the response.

    Raises TypeError for other content, ValueError for a status or a header that cannot be sent.
    """

    media_type: ClassVar[str | None] = None
    charset: ClassVar[str] = "utf-8"
    # Whether `render` is a subclass's own: found out once for a class, not for each response.
    renders: ClassVar[bool] = False
    content: bytes | str = b""
    # The body was rendered or set: it is `content`, whatever else there is.
    written = False
    # Its route made it, of `response_class`: the `response` parameter adds to it.
    by_class = False
    # What dependencies left to be done after it was sent: an `Exits`.
    after: Any = None
    background: Any = None

    def __init__(
        self,
        content: Any = None,
        status_code: int | None = 200,
        headers: dict[str, str] | None = None,
        media_type: str | None = None,
        background: Any = None,
    ) -> None:
        self._begin(status_code, headers, background)
        self.content_type = media_type or self.media_type
        if self.renders:
            self.body = self.render(content)
        else:
            self.content = self._checked(b"" if content is None else content)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.renders = getattr(cls.render, "__module__", None) != __name__

    def render(self, content: Any) -> bytes:
        """The body for a content; for subclasses to replace."""
        checked = self._checked(b"" if content is None else content)
        return checked.encode() if isinstance(checked, str) else checked

    def _checked(self, content: Any) -> bytes | str:
        if not isinstance(content, (bytes, str)):
            raise TypeError(
                f"the content of a {type(self).__name__} is bytes or str, "
                f"not {type(content).__qualname__}"
            )
        return content

    def _begin(
        self, status_code: int | None, headers: dict[str, str] | None, background: Any
    ) -> None:
        if status_code is not None and not 100 <= status_code <= 599:
            raise ValueError(f"an HTTP status lies between 100 and 599, not {status_code}")
        # Checked here so that the traceback leads to the line that made the response, and once
        # more when it is sent, because `headers` may be changed until then.
        header_list(headers)
        if background is not None and not callable(background):
            raise TypeError(f"{background!r} is no BackgroundTask: it cannot be called")
        self.status_code = status_code
        self.background = background
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
        """The body as it is sent. It may be set to other bytes."""
        return self._sent()

    @body.setter
    def body(self, body: bytes) -> None:
        if self.content_type is None and isinstance(self.content, str):
            # What was text stays text.
            self.content_type = "text/plain"
        self.content = self._checked(body)
        self.written = True

    def _sent(self) -> bytes:
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
        chosen = self.content_type or self.media_type
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
        self,
        url: str,
        status_code: int = 307,
        headers: dict[str, str] | None = None,
        background: Any = None,
    ) -> None:
        super().__init__(b"", status_code, headers, None, background)
        self.headers["location"] = quote(url, safe=":/%#?=@[]!$&'()*+,;")


class JSON(Response):
    """Data to be written as JSON, with a status or headers of its own.

    data: any value a handler may return.
    status_code: None takes the status of the route.
    """

    media_type = "application/json"

    def __init__(
        self,
        data: Any,
        status_code: int | None = None,
        headers: dict[str, str] | None = None,
        media_type: str | None = None,
        background: Any = None,
    ) -> None:
        self.data = data
        self._begin(status_code, headers, background)
        self.content_type = None
        if media_type is None and self.media_type != JSON.media_type:
            media_type = self.media_type
        if media_type is not None:
            self.headers.setdefault("content-type", media_type)
        if self.renders:
            self.body = self.render(data)

    def render(self, content: Any) -> bytes:
        """The JSON, as middleware sees it; otherwise the host writes it."""
        plain = to_plain(content)
        text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()

    def _sent(self) -> bytes:
        return super()._sent() if self.written else self.render(self.data)


class JSONResponse(JSON):
    """`JSON` as FastAPI has it: the data is `content`, and the status 200 unless it is given."""

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        headers: dict[str, str] | None = None,
        media_type: str | None = None,
        background: Any = None,
    ) -> None:
        super().__init__(content, status_code, headers, media_type, background)


class FileResponse(Response):
    """A file, which the host reads and sends: none of it enters the sandbox.

    path: in a folder that the host granted with `--files`. Where no file is there, the answer is a
        404.
    media_type: left out, it follows from the name.
    filename: what a browser is to call what it saves.
    stat_result, method: taken for the sake of other frameworks, and not used.
    content_disposition_type: "inline" has a browser show the file instead.

    The host adds ETag and Last-Modified, and answers conditional requests and those for a range.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        status_code: int = 200,
        headers: dict[str, str] | None = None,
        media_type: str | None = None,
        background: Any = None,
        filename: str | None = None,
        stat_result: Any = None,
        method: str | None = None,
        content_disposition_type: Literal["attachment", "inline"] = "attachment",
    ) -> None:
        self.path = os.fspath(path)
        if not isinstance(self.path, str):
            raise TypeError(f"the path of a FileResponse is text, not {self.path!r}")
        guessed = media_type or guess_type(filename or self.path)[0] or "text/plain"
        super().__init__(b"", status_code, headers, guessed, background)
        if filename is not None:
            self.headers.setdefault(
                "content-disposition", f"{content_disposition_type}; {_name(filename)}"
            )


def _name(filename: str) -> str:
    """As RFC 6266 writes it."""
    quoted = quote(filename)
    return f'filename="{filename}"' if quoted == filename else f"filename*=utf-8''{quoted}"


# The tables of types are read at the first guess, which should be in the snapshot.
guess_type("a.txt")


def as_response(result: Any, status: int) -> Response:
    """What a handler returned, as a Response; `status` is that of the route."""
    response = result if isinstance(result, Response) else JSON(result)
    if response.status_code is None:
        response.status_code = status
    return response


# Names of other frameworks.
File = FileResponse
HTMLResponse = HTML
PlainTextResponse = PlainText
RedirectResponse = Redirect
