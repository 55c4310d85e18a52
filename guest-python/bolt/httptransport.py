"""httpx over the host: `httpx.AsyncClient(transport=bolt.http.HTTPXTransport())`.

httpx keeps its own redirects, cookies, authentication and decoding; only the exchange itself goes
through the host. Imported when `HTTPXTransport` is first asked for, so httpx need not be there.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .httperrors import (
    AccessDenied,
    ConnectError,
    InvalidURL,
    ProtocolError,
    RequestError,
    TimeoutException,
)
from .httpexchange import Exchange, to_wire
from .httpheaders import Headers
from .httprequest import Request

__all__ = ["HTTPXTransport"]

try:
    # Not by a plain import: the types of a package that may be missing are not to be relied on.
    httpx: Any = importlib.import_module("httpx")
except ImportError as missing:
    raise ImportError(
        f"HTTPXTransport needs httpx, and it cannot be imported ({missing}): "
        "install it beside the app, or use bolt.http by itself"
    ) from missing

# The host makes them: they belong to the connection, which is its own.
_CONNECTION = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
_ERRORS: tuple[tuple[type[RequestError], Any], ...] = (
    (AccessDenied, httpx.ConnectError),
    (ConnectError, httpx.ConnectError),
    (InvalidURL, httpx.UnsupportedProtocol),
    (TimeoutException, httpx.ReadTimeout),
    (ProtocolError, httpx.RemoteProtocolError),
)


class HTTPXTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):  # type: ignore[misc]
    """A transport for `httpx.AsyncClient` and, in `def` handlers, for `httpx.Client`.

    httpx's read timeout (or, without one, its connect timeout) is that of the exchange. Errors come
    as httpx's own: a server the app may not reach is a `ConnectError`.
    """

    def handle_request(self, request: Any) -> Any:
        asked, parts = _translate(request)
        try:
            exchange = Exchange(asked.head(), asked.body, parts is not None)
            try:
                if parts is not None:
                    exchange.block_send(parts)
                head = exchange.block_head()
            except BaseException:
                exchange.close()
                raise
        except RequestError as exc:
            raise _mapped(exc, request) from exc
        return _answer(head, _Body(exchange, request))

    async def handle_async_request(self, request: Any) -> Any:
        asked, parts = _translate(request)
        try:
            exchange = Exchange(asked.head(), asked.body, parts is not None)
            try:
                if parts is not None:
                    exchange.send(parts)
                head = await exchange.head()
            except BaseException:
                exchange.close()
                raise
        except RequestError as exc:
            raise _mapped(exc, request) from exc
        return _answer(head, _AsyncBody(exchange, request))


class _Body(httpx.SyncByteStream):  # type: ignore[misc]
    """The body of an answer for `httpx.Client`."""

    def __init__(self, exchange: Exchange, request: Any) -> None:
        self._exchange = exchange
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            while (part := self._exchange.block_part()) is not None:
                yield part
        except RequestError as exc:
            raise _mapped(exc, self._request) from exc

    def close(self) -> None:
        self._exchange.close()


class _AsyncBody(httpx.AsyncByteStream):  # type: ignore[misc]
    """The body of an answer for `httpx.AsyncClient`."""

    def __init__(self, exchange: Exchange, request: Any) -> None:
        self._exchange = exchange
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while (part := await self._exchange.part()) is not None:
                yield part
        except RequestError as exc:
            raise _mapped(exc, self._request) from exc

    async def aclose(self) -> None:
        self._exchange.close()


def _translate(request: Any) -> tuple[Request, Any]:
    """Our request for one of httpx, and the parts of its body unless it is there as a whole."""
    try:
        body, parts = request.content, None
    except httpx.RequestNotRead:
        body, parts = b"", request.stream
    url = str(request.url.copy_with(fragment=None))
    headers = Headers(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw
    )
    for name in _CONNECTION:
        headers.pop(name, None)
    if headers.get("host") == request.url.netloc.decode("ascii"):
        # The host says it by itself; another one was put there by the program.
        del headers["host"]
    if parts is None:
        headers.pop("content-length", None)
    timeouts = request.extensions.get("timeout", {})
    timeout = timeouts.get("read") or timeouts.get("connect")
    return Request(request.method, url, headers, to_wire(body), None, timeout), parts


def _answer(head: dict[str, Any], body: Any) -> Any:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head["headers"]]
    return httpx.Response(head["status"], headers=headers, stream=body)


def _mapped(exc: RequestError, request: Any) -> Exception:
    for ours, theirs in _ERRORS:
        if isinstance(exc, ours):
            found: Exception = theirs(str(exc), request=request)
            return found
    other: Exception = httpx.TransportError(str(exc), request=request)
    return other
