"""The adapter of an annotation, made once, and the plain forms of instances without one.

The modules of the adapters are imported when they are needed: most apps need neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .adapter import Adapter
from .found import library_in, library_of, shape_of

__all__ = ["adapter_for", "dump_of"]

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
        found = _adapter_class(library)(annotation, shape_of(annotation))
        if key is not None:
            _MADE[key] = found
    found.settle()
    return found


def _adapter_class(library: str) -> Callable[[Any, str], Adapter]:
    if library == "pydantic":
        from .of_pydantic import PydanticAdapter

        return PydanticAdapter
    from .of_msgspec import MsgspecAdapter

    return MsgspecAdapter


def dump_of(cls: type) -> Callable[[Any], Any] | None:
    """The function to the plain form of instances of a model; None for other classes."""
    if hasattr(cls, "__pydantic_serializer__") or (
        library_of(cls) == "pydantic" and cls.__module__.startswith("pydantic.")
    ):
        from .of_pydantic import dump_pydantic

        return dump_pydantic
    if library_of(cls) == "msgspec":
        from .of_msgspec import dump_msgspec

        return dump_msgspec
    return None
