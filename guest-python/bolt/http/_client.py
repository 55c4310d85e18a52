"""`AsyncClient` and `Client`: they hold defaults for several requests and follow redirects."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self, Unpack

from ._build import build, redirected
from ._errors import RequestError, TooManyRedirects
from ._exchange import Exchange
from ._headers import Headers, HeaderTypes
from ._proxy import ProxyResponse
from ._request import Options, Params, Request
from ._response import Response

__all__ = ["AsyncClient", "Client"]

_TIMEOUT = 30.0
_MAX_REDIRECTS = 20


class _Base:
    """What both clients share.

    base_url: prefixed to every URL that has no scheme.
    headers, params: sent with every request; `params` come first in the query.
    timeout: seconds, or None for no limit; 30 by default. It limits the wait for the head of the
        response, and for each further part of a body, not the whole request.
    follow_redirects: the default for requests; follow up to 20 redirects.

    The host holds the connections, so a client that is not closed leaks nothing.
    """

    def __init__(
        self,
        *,
        base_url: str = "",
        headers: HeaderTypes | None = None,
        params: Params | None = None,
        timeout: float | None = _TIMEOUT,
        follow_redirects: bool = False,
    ) -> None:
        self.base_url = base_url
        self.headers = Headers(headers)
        self.params = params
        self.timeout = timeout
        self.follow_redirects = follow_redirects
        self.is_closed = False

    def _build(self, method: str, url: str, options: Options) -> tuple[Request, bool]:
        """The request to send, and whether to follow redirects."""
        if self.is_closed:
            raise RuntimeError("this client is closed: make another one")
        unknown = options.keys() - Options.__optional_keys__
        if unknown:
            raise TypeError(f"a request has no option {min(unknown)!r}")
        given = options.copy()
        params = [self.params, given.get("params")]
        given["headers"] = self.headers.merged(given.get("headers"))
        if "timeout" not in given:
            given["timeout"] = self.timeout
        follow = given.get("follow_redirects", self.follow_redirects)
        return build(method, self.base_url, url, params, given), follow


class AsyncClient(_Base):
    """Sends requests from `async def` handlers; the instance serves other requests meanwhile.

    All methods take the options that `Options` lists, and raise the exceptions of `bolt.http`.
    Usable with `async with` or without.
    """

    async def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and read the whole response.

        Raises a RequestError when there is none. An error status raises nothing: see
        `raise_for_status`.
        """
        response = await self._send(*self._build(method, url, options))
        try:
            await response.aread()
        finally:
            response.close()
        return response

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, **options: Unpack[Options]
    ) -> AsyncIterator[Response]:
        """Send a request and provide the response as soon as its head arrives.

        Read its body with `aiter_bytes`, `aiter_text`, `aiter_lines` or `aread`. Leaving the
        block closes the response, and the rest of the body is never fetched.
        """
        response = await self._send(*self._build(method, url, options))
        try:
            yield response
        finally:
            response.close()

    async def proxy(self, method: str, url: str, **options: Unpack[Options]) -> ProxyResponse:
        """Send a request, and make the response of its head: the host sends the body on.

        A handler returns it, with other headers if it likes. Raises as `request` does.
        """
        return ProxyResponse(await self._send(*self._build(method, url, options)))

    async def _send(self, request: Request, follow: bool) -> Response:
        history: list[Response] = []
        while True:
            exchange = Exchange(request.head(), request.body, request.parts is not None)
            try:
                if request.parts is not None:
                    exchange.send(request.parts)
                head = await exchange.head()
                response = _response(head, request, exchange, history)
                following = _following(response) if follow else None
            except BaseException as exc:
                exchange.close()
                _name(exc, request)
                raise
            if following is None:
                return response
            _set_aside(response, history)
            request = following

    async def get(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with GET."""
        return await self.request("GET", url, **options)

    async def options(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with OPTIONS."""
        return await self.request("OPTIONS", url, **options)

    async def head(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with HEAD."""
        return await self.request("HEAD", url, **options)

    async def post(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with POST."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with PUT."""
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with PATCH."""
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with DELETE."""
        return await self.request("DELETE", url, **options)

    async def aclose(self) -> None:
        """Refuse further requests."""
        self.is_closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class Client(_Base):
    """Sends requests from `def` handlers.

    It blocks the interpreter until the response arrives. In an `async def` handler it would block
    all other requests of the instance, so use `AsyncClient` there. Usable with `with` or without.
    """

    def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and read the whole response.

        Raises a RequestError when there is none. An error status raises nothing: see
        `raise_for_status`.
        """
        response = self._send(*self._build(method, url, options))
        try:
            response.read()
        finally:
            response.close()
        return response

    @contextmanager
    def stream(self, method: str, url: str, **options: Unpack[Options]) -> Iterator[Response]:
        """Send a request and provide the response as soon as its head arrives.

        Read its body with `iter_bytes`, `iter_text`, `iter_lines` or `read`. Leaving the block
        closes the response, and the rest of the body is never fetched.
        """
        response = self._send(*self._build(method, url, options))
        try:
            yield response
        finally:
            response.close()

    def proxy(self, method: str, url: str, **options: Unpack[Options]) -> ProxyResponse:
        """As that of an `AsyncClient`, but it blocks the interpreter until the head arrives."""
        return ProxyResponse(self._send(*self._build(method, url, options)))

    def _send(self, request: Request, follow: bool) -> Response:
        history: list[Response] = []
        while True:
            if isinstance(request.parts, AsyncIterable):
                raise TypeError("a Client cannot send an async iterable: use an AsyncClient")
            exchange = Exchange(request.head(), request.body, request.parts is not None)
            try:
                if request.parts is not None:
                    exchange.block_send(request.parts)
                head = exchange.block_head()
                response = _response(head, request, exchange, history)
                following = _following(response) if follow else None
            except BaseException as exc:
                exchange.close()
                _name(exc, request)
                raise
            if following is None:
                return response
            _set_aside(response, history)
            request = following

    def get(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with GET."""
        return self.request("GET", url, **options)

    def options(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with OPTIONS."""
        return self.request("OPTIONS", url, **options)

    def head(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with HEAD."""
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with POST."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with PUT."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with PATCH."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Unpack[Options]) -> Response:
        """As `request` with DELETE."""
        return self.request("DELETE", url, **options)

    def close(self) -> None:
        """Refuse further requests."""
        self.is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _response(
    head: dict[str, object], request: Request, exchange: Exchange, history: list[Response]
) -> Response:
    status, headers = head["status"], head["headers"]
    assert isinstance(status, int) and isinstance(headers, list)
    response = Response(status, headers=headers, request=request, exchange=exchange)
    response.history = history.copy()
    return response


def _following(response: Response) -> Request | None:
    """The next request when the response is a redirect."""
    if not response.has_redirect_location or response.request is None:
        return None
    if len(response.history) >= _MAX_REDIRECTS:
        raise TooManyRedirects(f"the server redirected more than {_MAX_REDIRECTS} times")
    return redirected(response.request, response.status_code, response.headers["location"])


def _set_aside(response: Response, history: list[Response]) -> None:
    """Close a redirect that the client follows, without reading its body."""
    response.close()
    response._content = b""
    history.append(response)


def _name(exc: BaseException, request: Request) -> None:
    if isinstance(exc, RequestError):
        exc.request = request
