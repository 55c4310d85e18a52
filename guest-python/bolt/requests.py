"""`Request`: the whole request. The host sends it only for routes that ask for it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from ._datastructures.cookies import parse_cookies
from ._datastructures.headers import Headers
from ._datastructures.urls import URL, QueryParams

__all__ = ["Request"]


class Address(NamedTuple):
    """The peer of the connection: an IP address and a port."""

    host: str
    port: int


class State:
    """Arbitrary attributes, which middleware and dependencies set for the code after them."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the state has no {name!r}; nothing set it for this request")


class Request:
    """One request.

    method: upper case.
    path_params: the path parameters as text, by name.
    client: the Address of the client; None where the host does not know it.
    state: attributes that middleware, dependencies and the lifespan set for this request.
    user: what an authentication dependency set; the same as `state.user`.
    app: the application.
    """

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
        """The requested URL, with the host name from the `Host` header."""
        host = self.headers.get("host", "")
        return URL(self._scheme, host, self.path, self._query)

    @property
    def base_url(self) -> URL:
        """The root URL of the server."""
        return URL(self._scheme, self.headers.get("host", ""), "/", "")

    def url_for(self, name: str, /, **path_params: Any) -> URL:
        """The URL of the route with this name, with the host name from the `Host` header.

        Raises as `BoltAPI.url_path_for` does.
        """
        path = self.app.root_path + self.app.url_path_for(name, **path_params)
        return URL(self._scheme, self.headers.get("host", ""), path, "")

    @property
    def scope(self) -> dict[str, Any]:
        """A new ASGI scope of the request. Nothing reads changes to it."""
        return {
            "type": "http",
            "method": self.method,
            "scheme": self._scheme,
            "path": self.path,
            "raw_path": self._raw_path.encode("latin-1", "replace"),
            "query_string": self._query.encode("latin-1", "replace"),
            "headers": [
                (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
                for name, value in self.headers.raw
            ],
            "client": self.client,
            "path_params": self.path_params,
            "app": self.app,
            "root_path": getattr(self.app, "root_path", ""),
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
    def content(self) -> bytes:
        """The body. The host reads all of it before the handler starts."""
        body: bytes = self._body
        return body

    async def body(self) -> bytes:
        """The body, for code that is written for Starlette: `await request.body()`."""
        return self.content

    async def json(self) -> Any:
        """The body parsed as JSON. Raises ValueError when it is not JSON."""
        return json.loads(self.content)

    @property
    def user(self) -> Any:
        """The authenticated user, once an authentication dependency has set it."""
        return self.state.user

    @user.setter
    def user(self, user: Any) -> None:
        self.state.user = user

    def __repr__(self) -> str:
        return f"<Request {self.method} {self._raw_path}>"
