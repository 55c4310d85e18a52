"""The `rename` option of a Struct: naming schemes for fields in JSON, such as camelCase."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

__all__ = ["Rename", "renamer"]

Rename = Literal["camel", "pascal", "kebab", "lower", "upper"] | Callable[[str], str]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _kebab(name: str) -> str:
    return name.replace("_", "-")


_KNOWN: dict[str, Callable[[str], str]] = {
    "camel": _camel,
    "pascal": _pascal,
    "kebab": _kebab,
    "lower": str.lower,
    "upper": str.upper,
}


def renamer(rename: Rename) -> Callable[[str], str]:
    """The function from a field's name to its JSON name. Raises ValueError for another scheme."""
    if callable(rename):
        return rename
    known = _KNOWN.get(rename)
    if known is None:
        raise ValueError(f"rename is one of {', '.join(_KNOWN)} or a function, not {rename!r}")
    return known
