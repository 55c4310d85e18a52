"""Headers of an outgoing request or its response: case-insensitive, with repeated names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping

__all__ = ["OF_CONNECTION", "HeaderTypes", "Headers"]

# The host sets these headers of a request, because it owns the connection.
OF_CONNECTION = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")


class Headers(MutableMapping[str, str]):
    """A dict of headers; the values of a repeated name are joined with ", ".

    headers: a mapping, or pairs when a name is repeated. Names are stored in lower case.

    Raises TypeError when a name or a value is not a str.
    """

    def __init__(self, headers: HeaderTypes | None = None) -> None:
        self._pairs: list[tuple[str, str]] = []
        if headers is None:
            return
        if isinstance(headers, Headers):
            self._pairs = headers._pairs.copy()
            return
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            self._pairs.append((_name(name, value), value))

    def __getitem__(self, name: str) -> str:
        values = self.get_list(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __setitem__(self, name: str, value: str) -> None:
        """Replace all values of that name."""
        name = _name(name, value)
        self._pairs = [pair for pair in self._pairs if pair[0] != name]
        self._pairs.append((name, value))

    def __delitem__(self, name: str) -> None:
        name = name.lower()
        kept = [pair for pair in self._pairs if pair[0] != name]
        if len(kept) == len(self._pairs):
            raise KeyError(name)
        self._pairs = kept

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(pair[0] == name.lower() for pair in self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(dict(self._pairs))

    def get_list(self, name: str) -> list[str]:
        """All values of a name, in order."""
        name = name.lower()
        return [value for key, value in self._pairs if key == name]

    def multi_items(self) -> list[tuple[str, str]]:
        """All pairs, in order; a repeated name occurs repeatedly."""
        return self._pairs.copy()

    def merged(self, over: HeaderTypes | None) -> Headers:
        """A copy in which the values of `over` replace those of the same name."""
        upper = Headers(over)
        result = Headers()
        result._pairs = [pair for pair in self._pairs if pair[0] not in upper] + upper._pairs
        return result

    def __repr__(self) -> str:
        return f"Headers({self._pairs!r})"


HeaderTypes = Headers | Mapping[str, str] | Iterable[tuple[str, str]]


def _name(name: str, value: str) -> str:
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"the header {name!r} must be text, and so must its value {value!r}")
    return name.lower()
