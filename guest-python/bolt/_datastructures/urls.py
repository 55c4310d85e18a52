"""URLs and query strings of a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

__all__ = ["URL", "QueryParams"]


class URL:
    """A URL in its components. `str(url)` is the URL as text."""

    def __init__(self, scheme: str, netloc: str, path: str, query: str) -> None:
        self.scheme = scheme
        self.netloc = netloc
        self.path = path
        self.query = query

    @property
    def hostname(self) -> str:
        """The host name without the port."""
        host = self.netloc.rpartition("@")[2]
        if host.startswith("["):
            return host[1:].partition("]")[0]
        return host.partition(":")[0]

    @property
    def port(self) -> int | None:
        """The port, or None when the URL has none."""
        port = self.netloc.rpartition(":")[2]
        return int(port) if port.isdigit() and port != self.netloc else None

    def include_query_params(self, **params: Any) -> URL:
        """A URL with these query parameters, which replace those of the same name."""
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


class QueryParams(Mapping[str, str]):
    """Query parameters. The value of a repeated name is its last one."""

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
        """All values of a name, in order."""
        return [value for key, value in self._pairs if key == name]

    def multi_items(self) -> list[tuple[str, str]]:
        """All pairs, in order; a repeated name occurs repeatedly."""
        return list(self._pairs)

    def __repr__(self) -> str:
        return f"QueryParams({self._pairs!r})"
