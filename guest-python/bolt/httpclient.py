"""The clients: what several requests have in common, and the way of a request through redirects."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self, Unpack

from .httperrors import RequestError, TooManyRedirects
from .httpexchange import Exchange
from .httpheaders import Headers, HeaderTypes
from .httprequest import Options, Params, Request, build, redirected
from .httpresponse import Response

__all__ = ["AsyncClient", "Client"]

_TIMEOUT = 30.0
_MAX_REDIRECTS = 20


class _Base:
    """What both clients are made of.

    base_url: put in front of every URL that has no scheme.
    headers, params: sent with every request; `params` come first in the query.
    timeout: seconds, or None for no limit; 30 unless told. Not for the whole request: the head of
        the answer must come in that time, and each further part of a body.
    follow_redirects: follow up to 20 redirects of a request, unless the request says otherwise.

    A client holds no connections, so nothing is lost when it is not closed.
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
    """Sends requests from `async def` handlers; other requests of the instance go on meanwhile.

    All methods take the options that `Options` lists, and raise the exceptions of `bolt.http`.
    Usable with `async with` or without.
    """

    async def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and read the whole answer.

        Raises a RequestError when there is none. Any status is an answer: see `raise_for_status`.
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
        """Send a request and give the answer as soon as its head is there.

        Its body is read with `aiter_bytes`, `aiter_text`, `aiter_lines` or `aread`. What is not
        read when the block is left is never fetched.
        """
        response = await self._send(*self._build(method, url, options))
        try:
            yield response
        finally:
            response.close()

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

    It holds the interpreter until the answer is there: in an `async def` handler all other requests
    of the instance would wait too, so use `AsyncClient` there. Usable with `with` or without.
    """

    def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send a request and read the whole answer.

        Raises a RequestError when there is none. Any status is an answer: see `raise_for_status`.
        """
        response = self._send(*self._build(method, url, options))
        try:
            response.read()
        finally:
            response.close()
        return response

    @contextmanager
    def stream(self, method: str, url: str, **options: Unpack[Options]) -> Iterator[Response]:
        """Send a request and give the answer as soon as its head is there.

        Its body is read with `iter_bytes`, `iter_text`, `iter_lines` or `read`. What is not read
        when the block is left is never fetched.
        """
        response = self._send(*self._build(method, url, options))
        try:
            yield response
        finally:
            response.close()

    def _send(self, request: Request, follow: bool) -> Response:
        history: list[Response] = []
        while True:
            if isinstance(request.parts, AsyncIterable):
                raise TypeError("a Client sends no async iterable: use an AsyncClient")
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
    """The next request when the answer is a redirect."""
    if not response.has_redirect_location or response.request is None:
        return None
    if len(response.history) >= _MAX_REDIRECTS:
        raise TooManyRedirects(f"the server redirected more than {_MAX_REDIRECTS} times")
    return redirected(response.request, response.status_code, response.headers["location"])


def _set_aside(response: Response, history: list[Response]) -> None:
    """Close a redirect that is followed: nobody reads its body."""
    response.close()
    response._content = b""
    history.append(response)


def _name(exc: BaseException, request: Request) -> None:
    if isinstance(exc, RequestError):
        exc.request = request
