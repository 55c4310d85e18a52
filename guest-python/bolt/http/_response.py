"""`Response`: the response of another server, read as a whole or part by part."""

from __future__ import annotations

import codecs
import io
import json as jsonlib
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any

from ._errors import (
    HTTPError,
    RequestError,
    ResponseNotRead,
    StreamClosed,
    StreamConsumed,
)
from ._exchange import Exchange
from ._headers import Headers, HeaderTypes
from ._request import Request

__all__ = ["HTTPStatusError", "Response"]

_CLASSES = {1: "Informational response", 3: "Redirect response", 4: "Client error"}


class Response:
    """A response.

    status_code: the HTTP status.
    headers: case-insensitive; `get_list` returns the values of a repeated name.
    request: the request, with `method`, `url` and `headers`.
    history: the redirects that the client followed, without their bodies.

    The clients create it; a test may create one from a status, headers and content.
    """

    def __init__(
        self,
        status_code: int,
        *,
        headers: HeaderTypes | None = None,
        content: bytes = b"",
        request: Request | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self.status_code = status_code
        self.headers = Headers(headers)
        self.request = request
        self.history: list[Response] = []
        self._exchange = exchange
        self._content: bytes | None = content if exchange is None else None
        self._begun = False

    @property
    def url(self) -> str:
        """The URL of the response: the last one when the client followed redirects."""
        return "" if self.request is None else self.request.url

    @property
    def reason_phrase(self) -> str:
        """The standard phrase of the status, empty for a status without one."""
        try:
            return HTTPStatus(self.status_code).phrase
        except ValueError:
            return ""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code <= 299

    @property
    def is_redirect(self) -> bool:
        return 300 <= self.status_code <= 399

    @property
    def has_redirect_location(self) -> bool:
        """Whether it is a redirect with a `Location` header."""
        return self.status_code in (301, 302, 303, 307, 308) and "location" in self.headers

    @property
    def is_client_error(self) -> bool:
        return 400 <= self.status_code <= 499

    @property
    def is_server_error(self) -> bool:
        return 500 <= self.status_code <= 599

    @property
    def is_error(self) -> bool:
        return 400 <= self.status_code <= 599

    def raise_for_status(self) -> Response:
        """Return the response itself when it is a success (2xx), else raise HTTPStatusError."""
        if self.is_success:
            return self
        kind = _CLASSES.get(self.status_code // 100, "Server error")
        status = f"{self.status_code} {self.reason_phrase}".rstrip()
        message = f"{kind} '{status}' for url '{self.url}'"
        if self.has_redirect_location:
            message += f", redirect location: '{self.headers['location']}'"
        raise HTTPStatusError(message, request=self.request, response=self)

    # The body as a whole.

    @property
    def content(self) -> bytes:
        """The body. Raises ResponseNotRead when the response is streamed and not read yet."""
        if self._content is None:
            raise ResponseNotRead("the body is not read yet: call read() or await aread() first")
        return self._content

    @property
    def encoding(self) -> str:
        """The charset of the content type when Python has a codec for it, else utf-8."""
        for part in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                charset = value.strip().strip("\"'")
                try:
                    # `lookup` alone also finds codecs that do not produce text.
                    b"a".decode(charset, "replace")
                    codecs.getincrementaldecoder(charset)
                    return codecs.lookup(charset).name
                except (LookupError, ValueError):
                    break
        return "utf-8"

    @property
    def text(self) -> str:
        """The body as text; invalid bytes become U+FFFD."""
        return self.content.decode(self.encoding, "replace")

    def json(self) -> Any:
        """The body parsed as JSON. Raises ValueError when it is not JSON."""
        return jsonlib.loads(self.content)

    # The body part by part.

    def _start(self) -> Exchange | None:
        """The exchange to read from, or None when the whole body is in memory."""
        if self._content is not None:
            return None
        if self._begun:
            raise StreamConsumed("the body was iterated already: a stream can be read only once")
        if self._exchange is None or self._exchange.closed:
            raise StreamClosed("the response was closed before its body was read")
        self._begun = True
        return self._exchange

    def _moved(self) -> Response:
        """The same response, for another owner; this one is closed without its body.

        Raises as `_start` does.
        """
        moved = Response(self.status_code, headers=self.headers, request=self.request)
        moved.history, moved._content = self.history, self._content
        if self._content is None:
            moved._exchange = self._start()
            self._exchange = None
        return moved

    def hand_over(self, request: int) -> bool:
        """Have the host send the body as that of its response to `request`.

        False if the host cannot, so the body has to be read. Raises as `_start` does.
        """
        if self._content is not None:
            return False
        exchange = self._start()
        assert exchange is not None
        self._begun = exchange.hand_over(request)
        return self._begun

    def _failed(self, exc: RequestError) -> None:
        exc.request = self.request

    def _lines(self) -> _Lines:
        return _Lines(self.encoding)

    def close(self) -> None:
        """Stop the exchange. A body that was read remains available."""
        if self._exchange is not None:
            self._exchange.close()

    async def aclose(self) -> None:
        """As `close`."""
        self.close()

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body in parts as they arrive. Raises a RequestError when it breaks off."""
        exchange = self._start()
        if exchange is None:
            if self._content:
                yield self._content
            return
        try:
            while (part := await exchange.part()) is not None:
                yield part
        except RequestError as exc:
            self._failed(exc)
            raise
        finally:
            exchange.close()

    async def aiter_text(self) -> AsyncIterator[str]:
        """As `aiter_bytes`, decoded."""
        decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        async for part in self.aiter_bytes():
            if text := decoder.decode(part):
                yield text
        if text := decoder.decode(b"", True):
            yield text

    async def aiter_lines(self) -> AsyncIterator[str]:
        r"""The body in lines without their ends, which are \n, \r\n or \r."""
        lines = self._lines()
        async for part in self.aiter_bytes():
            for line in lines.feed(part):
                yield line
        for line in lines.end():
            yield line

    async def aread(self) -> bytes:
        """The whole body."""
        if self._content is None:
            self._content = b"".join([part async for part in self.aiter_bytes()])
        return self._content

    def iter_bytes(self) -> Iterator[bytes]:
        """The body in parts as they arrive. Raises a RequestError when it breaks off."""
        exchange = self._start()
        if exchange is None:
            if self._content:
                yield self._content
            return
        try:
            while (part := exchange.block_part()) is not None:
                yield part
        except RequestError as exc:
            self._failed(exc)
            raise
        finally:
            exchange.close()

    def iter_text(self) -> Iterator[str]:
        """As `iter_bytes`, decoded."""
        decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        for part in self.iter_bytes():
            if text := decoder.decode(part):
                yield text
        if text := decoder.decode(b"", True):
            yield text

    def iter_lines(self) -> Iterator[str]:
        r"""The body in lines without their ends, which are \n, \r\n or \r."""
        lines = self._lines()
        for part in self.iter_bytes():
            yield from lines.feed(part)
        yield from lines.end()

    def read(self) -> bytes:
        """The whole body."""
        if self._content is None:
            self._content = b"".join(self.iter_bytes())
        return self._content

    def __repr__(self) -> str:
        return f"<Response [{self.status_code} {self.reason_phrase}]>"


class HTTPStatusError(HTTPError):
    """`raise_for_status` found a status that is not a success.

    response: the response, with its status, headers and body.
    request_url: the URL of the response.
    """

    def __init__(self, message: str, *, request: Request | None, response: Response) -> None:
        super().__init__(message, request=request)
        self.response = response
        self.request_url = response.url


class _Lines:
    """Splits the parts of a body into lines of text."""

    def __init__(self, encoding: str) -> None:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        # It also holds a "\r" back until the next part shows whether a "\n" follows.
        self._decoder = io.IncrementalNewlineDecoder(decoder, translate=True)
        self._begun: list[str] = []

    def feed(self, part: bytes, final: bool = False) -> list[str]:
        lines = self._decoder.decode(part, final).split("\n")
        # A long line arrives in many parts, which are joined once, at its end.
        self._begun.append(lines[0])
        if len(lines) == 1:
            return []
        lines[0] = "".join(self._begun)
        self._begun = [lines.pop()]
        return lines

    def end(self) -> list[str]:
        lines = self.feed(b"", True)
        rest = "".join(self._begun)
        return [*lines, rest] if rest else lines
