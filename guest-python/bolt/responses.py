"""Response classes, for handlers that set the status, the headers or the content type."""

from __future__ import annotations

import json
import os
from mimetypes import guess_type
from typing import Any, Literal
from urllib.parse import quote

from ._datastructures.headers import is_token
from ._datastructures.urls import URL
from ._responses.response import Response
from ._responses.streaming import StreamingResponse
from ._serialization.serialize_checked import to_plain
from .sse import EventSourceResponse

__all__ = [
    "HTML",
    "JSON",
    "EventSourceResponse",
    "File",
    "FileResponse",
    "HTMLResponse",
    "JSONResponse",
    "PlainText",
    "PlainTextResponse",
    "Redirect",
    "RedirectResponse",
    "Response",
    "StreamingResponse",
]


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
