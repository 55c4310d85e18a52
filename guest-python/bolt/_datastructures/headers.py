"""Headers of requests, and headers of responses, which are checked before they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["Headers", "MutableHeaders", "header_list", "is_header_text", "is_token"]

# RFC 9110 token characters besides letters and digits.
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def is_token(text: str) -> bool:
    """Whether it is a token of RFC 9110, such as the name of a header."""
    return bool(text) and _TOKEN.issuperset(text)


def is_header_text(value: str) -> bool:
    """Whether it can be sent as the value of a header: latin-1, and of control characters a tab."""
    if value.isascii() and value.isprintable():
        return True
    return all(
        (" " <= character <= "\xff" and character != "\x7f") or character == "\t"
        for character in value
    )


def header_list(headers: dict[str, str] | None) -> list[tuple[str, str]]:
    """The headers as pairs that are safe to send.

    Raises TypeError when a name or value is not a str, and ValueError when it would corrupt the
    response: a name that is not a token, a value with a line break, another control character or a
    character outside latin-1.
    """
    if not headers:
        return []
    pairs = []
    more = getattr(headers, "more", ())
    for name, value in (*headers.items(), *more) if more else headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"the header {name!r} must be text, and so must its value {value!r}")
        if not is_token(name):
            raise ValueError(f"{name!r} cannot be the name of a header")
        if not is_header_text(value):
            raise ValueError(
                f"the value of the header {name!r} holds a line break, another control character "
                f"or a character outside latin-1: {value!r}"
            )
        # Exact str objects: marshal rejects subclasses.
        pairs.append((str.__str__(name), str.__str__(value)))
    return pairs


class MutableHeaders(dict[str, str]):
    """Headers of a response. Names are stored in lower case.

    more: the second and later values of repeated names.
    """

    more: tuple[tuple[str, str], ...] = ()

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        if not headers:
            return
        for name, value in headers.items():
            self[name] = value
        if isinstance(headers, MutableHeaders):
            self.more = headers.more

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name.lower() if isinstance(name, str) else name, value)
        if self.more:
            self._drop(name)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name.lower())
        if self.more:
            self._drop(name)

    def _drop(self, name: str) -> None:
        self.more = tuple(pair for pair in self.more if pair[0] != name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """The first value of a name, or the default."""
        return super().get(name.lower(), default)

    def setdefault(self, name: str, default: str = "") -> str:
        """The first value of a name. A missing name is set to the default."""
        return super().setdefault(name.lower(), default)

    def append(self, name: str, value: str) -> None:
        """Add a value to a name and keep the values that it has."""
        if name in self:
            self.more = (*self.more, (name.lower(), value))
        else:
            self[name] = value

    def getlist(self, name: str) -> list[str]:
        """All values of a name."""
        first = [self[name]] if name in self else []
        return first + [value for key, value in self.more if key == name.lower()]

    def mutablecopy(self) -> MutableHeaders:
        """A copy."""
        return MutableHeaders(self)

    def update(self, *others: Any, **more: str) -> None:
        """Set several headers."""
        for name, value in dict(*others, **more).items():
            self[name] = value


class Headers(Mapping[str, str]):
    """Headers of a request. Names match in any case; a repeated name gives its first value."""

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
        """All pairs; a repeated name occurs repeatedly."""
        return list(self.raw)

    def mutablecopy(self) -> MutableHeaders:
        """A mutable copy, of the class that the headers of a response have."""
        made = MutableHeaders()
        for name, value in self.raw:
            made.append(name, value)
        return made

    def __repr__(self) -> str:
        return f"Headers({self.raw!r})"
