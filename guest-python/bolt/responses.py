"""Response classes, for handlers that set the status, the headers or the content type."""

from __future__ import annotations

import json
import os
from datetime import datetime
from mimetypes import guess_type
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from ._datastructures.cookies import cookie_header
from ._datastructures.headers import MutableHeaders, header_list, is_token
from ._datastructures.urls import URL
from ._serialization.serialize_checked import to_plain

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
]


class Response:
    """A response with a finished body.

    content: the body, bytes or str (sent as UTF-8); None for an empty one. For a subclass that
        overrides `render(self, content) -> bytes`, whatever that accepts.
    status_code: the HTTP status, 100 to 599.
    headers: response headers, name to value. A content-type among them overrides media_type.
    media_type: the content type; a charset is added to text/* without one. The default is
        application/octet-stream for bytes and text/plain for str.
    background: a BackgroundTask or BackgroundTasks, to run after the response is sent.

    Raises TypeError for other content, ValueError for an invalid status or header.
    """

    media_type: ClassVar[str | None] = None
    charset: ClassVar[str] = "utf-8"
    # Whether a subclass overrides `render`: determined once for a class, not for each response.
    renders: ClassVar[bool] = False
    content: bytes | str = b""
    # The body was rendered or assigned, so `content` holds it, also in JSON and FileResponse.
    written = False
    # The route created it from `response_class`, so the `response` parameter applies to it.
    by_class = False
    # Work of dependencies that runs after it is sent: an `Exits`.
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
        """Convert the content to the body. Subclasses may override it."""
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
        # Checked here so that the traceback contains the line that creates the response, and again
        # before it is sent, because `headers` may change until then.
        header_list(headers)
        if background is not None and not callable(background):
            raise TypeError(f"{background!r} is not a BackgroundTask: it cannot be called")
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
        """Set a cookie.

        expires: a datetime, or seconds from now. Raises ValueError for an invalid cookie.
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
        """Delete a cookie that was set with the same path and domain."""
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
        """The body as it is sent. It is assignable."""
        return self._sent()

    @body.setter
    def body(self, body: bytes) -> None:
        if self.content_type is None and isinstance(self.content, str):
            # A str body keeps its content type.
            self.content_type = "text/plain"
        self.content = self._checked(body)
        self.written = True

    def _sent(self) -> bytes:
        return self.content.encode() if isinstance(self.content, str) else bytes(self.content)

    def header_pairs(self) -> list[tuple[str, str]]:
        """The headers to send, with a `set-cookie` for each cookie."""
        pairs = header_list(self.headers)
        pairs.extend(("set-cookie", cookie) for cookie in self.cookies)
        return pairs

    def reply_type(self) -> tuple[str, list[tuple[str, str]]]:
        """The content type to send, and the other headers."""
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
        # The content type becomes a header as well, so the same check applies.
        header_list({"content-type": chosen})
        return chosen, pairs

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status_code={self.status_code!r})"


class PlainText(Response):
    """A text/plain response in UTF-8."""

    media_type = "text/plain; charset=utf-8"


class HTML(Response):
    """A text/html response in UTF-8."""

    media_type = "text/html; charset=utf-8"


class Redirect(Response):
    """Redirects the client to another URL.

    url: absolute or relative; characters that are invalid in a URL are percent-encoded.
    status_code: 307 keeps the method, 303 changes it to GET, 301 and 308 are permanent.
    """

    def __init__(
        self,
        url: str | URL,
        status_code: int = 307,
        headers: dict[str, str] | None = None,
        background: Any = None,
    ) -> None:
        super().__init__(b"", status_code, headers, None, background)
        self.headers["location"] = quote(str(url), safe=":/%#?=@[]!$&'()*+,;")


class JSON(Response):
    """A JSON response with its own status or headers.

    data: any value that a handler may return.
    status_code: None means the status of the route.
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
        """The JSON text for middleware that reads the body; normally the host encodes the data."""
        plain = to_plain(content)
        text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()

    def _sent(self) -> bytes:
        return super()._sent() if self.written else self.render(self.data)


class JSONResponse(JSON):
    """`JSON` with FastAPI's signature: the data is `content`, and the default status is 200."""

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
    """A file, which the host reads and sends; its content never enters the sandbox.

    path: in a folder that the host grants with `--files`. A missing file becomes a 404.
    media_type: guessed from the name by default.
    filename: the name under which a browser saves the file.
    stat_result, method: ignored; FastAPI has these parameters.
    content_disposition_type: with "inline" a browser displays the file.

    The host adds ETag and Last-Modified, and handles conditional and range requests.
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
            if not is_token(content_disposition_type):
                raise ValueError(
                    f"{content_disposition_type!r} is no type of a content disposition"
                )
            self.headers.setdefault(
                "content-disposition", f"{content_disposition_type}; {_name(filename)}"
            )


def _name(filename: str) -> str:
    """The parameter of Content-Disposition, by RFC 6266."""
    quoted = quote(filename)
    return f'filename="{filename}"' if quoted == filename else f"filename*=utf-8''{quoted}"


# `guess_type` loads its tables on the first call, which has to happen before the snapshot.
guess_type("a.txt")


# The names that FastAPI uses.
File = FileResponse
HTMLResponse = HTML
PlainTextResponse = PlainText
RedirectResponse = Redirect
