"""A transport for httpx: `httpx.AsyncClient(transport=bolt.http.HTTPXTransport())`.

In the sandbox it is that of every client of httpx, so no app has to name it. httpx handles
redirects, cookies, authentication and decoding; only the exchange itself goes through the host.
`bolt.http` imports this module on first use, so that the SDK works without httpx.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ._errors import (
    AccessDenied,
    ConnectError,
    InvalidURL,
    ProtocolError,
    RequestError,
    TimeoutException,
)
from ._exchange import Exchange
from ._headers import OF_CONNECTION, Headers
from ._request import Request, to_wire

__all__ = ["HTTPXTransport"]

try:
    # Not an import statement: mypy must not depend on whether httpx is installed.
    httpx: Any = importlib.import_module("httpx")
except ImportError as missing:
    raise ImportError(
        f"HTTPXTransport needs httpx, and it cannot be imported ({missing}): "
        "install it into the folder of the app, or use bolt.http directly"
    ) from missing

_ERRORS: tuple[tuple[type[RequestError], Any], ...] = (
    (AccessDenied, httpx.ConnectError),
    (ConnectError, httpx.ConnectError),
    (InvalidURL, httpx.UnsupportedProtocol),
    (TimeoutException, httpx.ReadTimeout),
    (ProtocolError, httpx.RemoteProtocolError),
)


class HTTPXTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):  # type: ignore[misc]
    """A transport for `httpx.AsyncClient` and, in `def` handlers, for `httpx.Client`.

    httpx's read timeout (or, without one, its connect timeout) becomes that of the exchange. It
    raises httpx's exceptions: `ConnectError` for a server that the app is not allowed to reach.
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
    """The body of a response for `httpx.Client`."""

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
    """The body of a response for `httpx.AsyncClient`."""

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
    """The SDK's request for one of httpx, and the parts of its body unless httpx has read it."""
    try:
        body, parts = request.content, None
    except httpx.RequestNotRead:
        body, parts = b"", request.stream
    url = str(request.url.copy_with(fragment=None))
    headers = Headers(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw
    )
    for name in OF_CONNECTION:
        headers.pop(name, None)
    if headers.get("host") == request.url.netloc.decode("ascii"):
        # httpx set it, and the host sets it as well. Any other value comes from the program.
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
