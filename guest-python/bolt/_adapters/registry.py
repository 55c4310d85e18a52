"""The adapter of an annotation, made once, and the plain forms of instances without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .adapter import Adapter
from .found import library_in, library_of, shape_of
from .of_msgspec import MsgspecAdapter, dump_msgspec
from .of_pydantic import PydanticAdapter, dump_pydantic

__all__ = ["adapter_for", "dump_of"]

_ADAPTERS: dict[str, Callable[[Any, str], Adapter]] = {
    "pydantic": PydanticAdapter,
    "msgspec": MsgspecAdapter,
}
# Annotations live as long as the program, so entries are never removed. Their text is a part of the
# key: unions are equal in any order of their arms, and which arm is tried first may matter.
_MADE: dict[tuple[Any, str], Adapter] = {}


def adapter_for(annotation: Any) -> Adapter | None:
    """The adapter of an annotation that a package has to check; None if the host can.

    Raises Unsupported for one that holds both what only the package knows and what it does not.
    """
    library = library_in(annotation)
    if not library:
        return None
    key = (annotation, repr(annotation))
    try:
        found = _MADE.get(key)
    except TypeError:  # metadata that is not hashable
        found = key = None  # type: ignore[assignment]
    if found is None:
        found = _ADAPTERS[library](annotation, shape_of(annotation))
        if key is not None:
            _MADE[key] = found
    found.settle()
    return found


def dump_of(cls: type) -> Callable[[Any], Any] | None:
    """The function to the plain form of instances of a model; None for other classes."""
    if hasattr(cls, "__pydantic_serializer__"):
        return dump_pydantic
    return dump_msgspec if library_of(cls) == "msgspec" else None
