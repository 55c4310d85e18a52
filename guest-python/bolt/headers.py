"""Headers of replies: checked, and kept by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["MutableHeaders", "header_list"]

# RFC 9110 token characters besides letters and digits.
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def header_list(headers: dict[str, str] | None) -> list[tuple[str, str]]:
    """The headers as pairs, checked.

    Raises TypeError when a name or value is not a str, and ValueError when it would break the
    reply apart: a name that is not a token, a value with a line break, a NUL or a character
    outside latin-1.
    """
    if not headers:
        return []
    pairs = []
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"the header {name!r} must be text, and so must its value {value!r}")
        if not name or not _TOKEN.issuperset(name):
            raise ValueError(f"{name!r} cannot be the name of a header")
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"the value of the header {name!r} holds a line break or a NUL")
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError(
                f"the value of the header {name!r} holds characters outside latin-1"
            ) from None
        # Exact str objects: marshal takes no subclasses.
        pairs.append((str.__str__(name), str.__str__(value)))
    return pairs


class MutableHeaders(dict[str, str]):
    """Headers of a reply; names are kept in lower case, so each is there once."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        for name, value in (headers or {}).items():
            self[name] = value

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name.lower() if isinstance(name, str) else name, value)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, or the default."""
        return super().get(name.lower(), default)

    def setdefault(self, name: str, default: str = "") -> str:
        """The value of a name, which is set first where it is not there."""
        return super().setdefault(name.lower(), default)

    def update(self, *others: Any, **more: str) -> None:
        """Set many."""
        for name, value in dict(*others, **more).items():
            self[name] = value
