"""`Request`: the whole request, which the host sends only for routes that ask for it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from ._datastructures.cookies import parse_cookies
from ._datastructures.headers import Headers
from ._datastructures.urls import URL, QueryParams
from ._streams import progress
from ._streams.inflow import block_parts, read_parts

if TYPE_CHECKING:
    from ._sessions.session import Session

__all__ = ["HTTPConnection", "Request"]


class Address(NamedTuple):
    """The peer of the connection: an IP address and a port."""

    host: str
    port: int


class State:
    """Arbitrary attributes, which middleware and dependencies set for the code after them."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the state has no {name!r}; nothing set it for this request")


class HTTPConnection:
    """What a Request and a WebSocket have in common; a dependency that takes it serves both.

    path_params: the path parameters as text, by name.
    client: the Address of the client; None where the host does not know it.
    state: attributes that middleware, dependencies and the lifespan set for this request.
    user: what an authentication dependency set; the same as `state.user`.
    app: the application.
    """

    _kind = "http"
    # The session that a SessionMiddleware has given it.
    _session: Session | None = None

    def __init__(self, wire: tuple[Any, ...], app: Any = None) -> None:
        (
            self.method,
            self._scheme,
            self._raw_path,
            self._query,
            self._raw_headers,
            client,
            self.path_params,
            self._body,
            self._prefix,
        ) = wire
        self.client = None if client is None else Address(*client)
        self.app = app
        self.state: Any = State()
        self._headers: Headers | None = None

    @property
    def headers(self) -> Headers:
        """The headers."""
        if self._headers is None:
            self._headers = Headers(self._raw_headers)
        return self._headers

    @property
    def url(self) -> URL:
        """The URL that the client asked for, with the host name from the `Host` header.

        Its path begins with the prefix under which the host serves the app; `path` does not.
        """
        host = self.headers.get("host", "")
        return URL(self._scheme, host, self._prefix + self.path, self._query)

    @property
    def root_path(self) -> str:
        """What stands before the application's paths in URLs, such as "/shop"; "" at the root.

        The prefix under which the host serves the app, and the path at which this application is
        mounted in another one.
        """
        prefix: str = self._prefix
        return prefix + str(getattr(self.app, "root_path", ""))

    @property
    def base_url(self) -> URL:
        """The URL of the app's root, which ends with a slash."""
        return URL(self._scheme, self.headers.get("host", ""), self._prefix + "/", "")

    def url_for(self, name: str, /, **path_params: Any) -> URL:
        """The URL of the route with this name, with the host name from the `Host` header.

        Its scheme is that of the route: "ws" or "wss" for a websocket route. Raises as
        `BoltAPI.url_path_for` does.
        """
        is_socket = self.app.find_route(name, path_params).is_socket
        path = self.root_path + self.app.url_path_for(name, **path_params)
        scheme = "ws" if is_socket else "http"
        if self._scheme in ("https", "wss"):
            scheme += "s"
        return URL(scheme, self.headers.get("host", ""), path, "")

    @property
    def scope(self) -> dict[str, Any]:
        """A new ASGI scope of the request. Nothing reads changes to it."""
        return {
            "type": self._kind,
            "scheme": self._scheme,
            "path": self._prefix + self.path,
            "raw_path": (self._prefix + self._raw_path).encode("latin-1", "replace"),
            "query_string": self._query.encode("latin-1", "replace"),
            "headers": [
                (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
                for name, value in self.headers.raw
            ],
            "client": self.client,
            "path_params": self.path_params,
            "app": self.app,
            "root_path": self.root_path,
        }

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        return unquote(self._raw_path)

    @property
    def query_params(self) -> QueryParams:
        """The parameters of the query string, percent-decoded."""
        return QueryParams(parse_qsl(self._query, keep_blank_values=True))

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies."""
        return parse_cookies(self.headers.getlist("cookie"))

    @property
    def session(self) -> Session:
        """The session of the client: a dict, whose changes `bolt.sessions` keeps."""
        if self._session is None:
            told = "because no SessionMiddleware is around this handler: write "
            what = "`api.add_middleware(SessionMiddleware, secret_key=...)`, from bolt.sessions"
            if self._kind != "http":
                told = "because middleware is not around WebSockets: read that of the client with "
                what = "`await SessionMiddleware(...).load(websocket)`, from bolt.sessions"
            raise AttributeError(f"there is no session, {told}{what}")
        return self._session.use()

    @property
    def user(self) -> Any:
        """The authenticated user, once an authentication dependency has set it."""
        return self.state.user

    @user.setter
    def user(self, user: Any) -> None:
        self.state.user = user


class Request(HTTPConnection):
    """One request; see also `HTTPConnection`.

    method: upper case.
    """

    # The whole body has been asked for, so `_body` has it, and `stream` yields it.
    _is_kept = False
    # `stream` has yielded the whole body, which is not kept.
    _is_consumed = False
    _is_gone = False

    @property
    def scope(self) -> dict[str, Any]:
        """A new ASGI scope of the request. Nothing reads changes to it."""
        return {**super().scope, "method": self.method}

    @property
    def content(self) -> bytes:
        """The body, in a `def` handler.

        In an `async def` handler, `await request.body()` lets other requests run while a large body
        arrives; this does not. Raises as `body` does.
        """
        if not self._is_kept:
            self._check_unread()
            if self._body is None:
                self._body = b"".join(block_parts())
            self._is_kept = True
        return self._body  # type: ignore[no-any-return]

    async def body(self) -> bytes:
        """The body. A second call returns it again.

        Raises RuntimeError after `stream`, and HTTPException if the client does not send it all.
        """
        if not self._is_kept:
            self._check_unread()
            if self._body is None:
                self._body = b"".join([part async for part in read_parts()])
            self._is_kept = True
        return self._body  # type: ignore[no-any-return]

    async def stream(self) -> AsyncGenerator[bytes]:
        """The body in parts, as they arrive, and an empty part at the end.

        Raises RuntimeError the second time, unless `body` has been called before: then it yields
        the whole body. Raises HTTPException if the client does not send it all.
        """
        if self._is_kept:
            yield self._body
        else:
            self._check_unread()
            if self._body is None:
                async for part in read_parts():
                    yield part
                self._is_consumed = True
            else:
                self._is_consumed = True
                if self._body:
                    yield self._body
        yield b""

    def _check_unread(self) -> None:
        if self._is_consumed:
            raise RuntimeError("Stream consumed")

    async def json(self) -> Any:
        """The body parsed as JSON. Raises ValueError when it is not JSON, or as `body` does."""
        return json.loads(await self.body())

    async def is_disconnected(self) -> bool:
        """Whether the client of a response that is being streamed has left.

        A stream rarely has to ask: an iterable whose client has left is closed, and a handler that
        has not responded yet is cancelled.
        """
        if not self._is_gone:
            self._is_gone = progress.is_gone(progress.current())
        return self._is_gone

    def __repr__(self) -> str:
        return f"<Request {self.method} {self._raw_path}>"
