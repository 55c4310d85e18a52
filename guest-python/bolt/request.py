"""`Request`: everything of a request, for handlers that ask for it. Others do not pay for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from http.cookies import _unquote
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

from .headers import MutableHeaders

__all__ = ["URL", "Address", "Headers", "QueryParams", "Request", "State", "parse_cookies"]


class Address(NamedTuple):
    """The other end of the connection: an IP address and a port."""

    host: str
    port: int


class Headers(Mapping[str, str]):
    """Headers; names in any case. A name that is there twice gives its first value."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.raw = [(name.lower(), value) for name, value in pairs]

    def __getitem__(self, name: str) -> str:
        wanted = name.lower()
        for key, value in self.raw:
            if key == wanted:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key for key, _ in self.raw))

    def __len__(self) -> int:
        return len({key for key, _ in self.raw})

    def getlist(self, name: str) -> list[str]:
        """All values of a name."""
        wanted = name.lower()
        return [value for key, value in self.raw if key == wanted]

    def items(self) -> Any:
        """All pairs, repeated names too."""
        return list(self.raw)

    def mutablecopy(self) -> MutableHeaders:
        """The same as headers that can be changed, such as those of a response."""
        made = MutableHeaders()
        for name, value in self.raw:
            made.append(name, value)
        return made

    def __repr__(self) -> str:
        return f"Headers({self.raw!r})"


class QueryParams(Mapping[str, str]):
    """The query; a name that is there twice gives its last value."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = list(pairs)
        self._last = dict(self._pairs)

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def getlist(self, name: str) -> list[str]:
        """All values of a name."""
        return [value for key, value in self._pairs if key == name]

    def multi_items(self) -> list[tuple[str, str]]:
        """All pairs in order."""
        return list(self._pairs)

    def __repr__(self) -> str:
        return f"QueryParams({self._pairs!r})"


class URL:
    """An address taken apart. `str(url)` puts it together."""

    def __init__(self, scheme: str, netloc: str, path: str, query: str) -> None:
        self.scheme = scheme
        self.netloc = netloc
        self.path = path
        self.query = query

    @property
    def hostname(self) -> str:
        """The host without its port."""
        host = self.netloc.rpartition("@")[2]
        if host.startswith("["):
            return host[1:].partition("]")[0]
        return host.partition(":")[0]

    @property
    def port(self) -> int | None:
        """The port, where the address names one."""
        port = self.netloc.rpartition(":")[2]
        return int(port) if port.isdigit() and port != self.netloc else None

    def include_query_params(self, **params: Any) -> URL:
        """The same address with these in its query, in place of any of the same names."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        query = {**dict(pairs), **{name: str(value) for name, value in params.items()}}
        return URL(self.scheme, self.netloc, self.path, urlencode(query))

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.netloc}{self.path}{query}"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"URL({str(self)!r})"


class State:
    """A place for anything: attributes that middleware and dependencies set for those behind."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the state has no {name!r}; nothing set it for this request")


class Request:
    """One request.

    method: upper case.
    path_params: the parts of the path, as text, by name.
    client: Address of the sender, None where the host does not tell.
    state: what others left for this request.
    user: what an auth dependency found; the same as `state.user`.
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
        """The address that was asked for, with the host that the client named."""
        host = self.headers.get("host", "")
        return URL(self._scheme, host, self.path, self._query)

    @property
    def base_url(self) -> URL:
        """The address of the server."""
        return URL(self._scheme, self.headers.get("host", ""), "/", "")

    def url_for(self, name: str, /, **path_params: Any) -> URL:
        """The address of a route by its name, with the host that the client named.

        Raises as `BoltAPI.url_path_for` does.
        """
        path = self.app.root_path + self.app.url_path_for(name, **path_params)
        return URL(self._scheme, self.headers.get("host", ""), path, "")

    @property
    def scope(self) -> dict[str, Any]:
        """The request as ASGI describes it. Changes of it are not seen elsewhere."""
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
            "root_path": "",
        }

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self._raw_path)

    @property
    def query_params(self) -> QueryParams:
        """The query, decoded."""
        return QueryParams(parse_qsl(self._query, keep_blank_values=True))

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies."""
        return parse_cookies(self.headers.getlist("cookie"))

    @property
    def content(self) -> bytes:
        """The body. It has been read before the handler starts."""
        body: bytes = self._body
        return body

    async def body(self) -> bytes:
        """The body, for those who write `await request.body()`."""
        return self.content

    async def json(self) -> Any:
        """The body, read as JSON. Raises ValueError where it is not."""
        return json.loads(self.content)

    @property
    def user(self) -> Any:
        """Who sent it, once an auth dependency has set it."""
        return self.state.user

    @user.setter
    def user(self, user: Any) -> None:
        self.state.user = user

    def __repr__(self) -> str:
        return f"<Request {self.method} {self._raw_path}>"


def parse_cookies(headers: Iterable[str]) -> dict[str, str]:
    """The cookies of `Cookie` headers, the way browsers write them rather than the RFC."""
    cookies: dict[str, str] = {}
    for header in headers:
        for part in header.split(";"):
            name, equals, value = part.partition("=")
            if not equals:
                name, value = "", name
            name, value = name.strip(), value.strip()
            if name or value:
                cookies[name] = _unquote(value)
    return cookies
