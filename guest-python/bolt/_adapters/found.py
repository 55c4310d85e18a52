"""Tells which annotations hold models or types of pydantic or msgspec.

Neither package is imported here: an annotation can hold its classes only if the app has done so.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import sys
import types
import typing
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

from .._errors import Unsupported

__all__ = ["bare", "library_in", "library_of", "shape_of"]

_ALIAS: Any = getattr(typing, "TypeAliasType", None)
_WRAPPERS = (Annotated, Required, NotRequired)
_UNIONS = (Union, types.UnionType)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_SEQUENCES = (
    *(list, set, frozenset, tuple, collections.abc.Sequence, collections.abc.MutableSequence),
    *(collections.abc.Set, collections.abc.MutableSet),
)


def library_of(cls: Any) -> str:
    """The package whose model or type a class is: "pydantic", "msgspec" or ""."""
    if not isinstance(cls, type):
        return ""
    if hasattr(cls, "__struct_config__"):
        return "msgspec"
    if "pydantic" in sys.modules and (
        hasattr(cls, "__pydantic_validator__") or hasattr(cls, "__get_pydantic_core_schema__")
    ):
        return "pydantic"
    return ""


def bare(annotation: Any) -> Any:
    """What an `Annotated` holds."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    return annotation


def _library_of_metadata(item: Any) -> str:
    """As `library_of`, for what stands in an `Annotated`."""
    package = type(item).__module__.partition(".")[0]
    if package in ("pydantic", "pydantic_core"):
        return "pydantic"
    if package == "msgspec":
        return "msgspec"
    return "pydantic" if hasattr(type(item), "__get_pydantic_core_schema__") else ""


def library_in(annotation: Any) -> str:
    """The package that an annotation needs to be checked; "" if the host checks it.

    The fields of Structs and dataclasses have annotations of their own. Raises Unsupported for an
    annotation that needs both packages.
    """
    if "pydantic" not in sys.modules and "msgspec" not in sys.modules:
        return ""
    found = set(_libraries(annotation, [])) - {""}
    if len(found) > 1:
        raise Unsupported(f"the annotation {annotation!r} holds types of pydantic and of msgspec")
    return found.pop() if found else ""


def _libraries(annotation: Any, aliases: list[Any]) -> collections.abc.Iterator[str]:
    origin = get_origin(annotation)
    if isinstance(annotation, typing.NewType):
        yield from _libraries(annotation.__supertype__, aliases)
    elif _ALIAS is not None and (isinstance(annotation, _ALIAS) or isinstance(origin, _ALIAS)):
        if all(annotation is not one for one in aliases):
            inner = annotation.__value__ if origin is None else origin.__value__
            yield from _libraries(inner, [*aliases, annotation])
            for arg in get_args(annotation):
                yield from _libraries(arg, aliases)
    elif origin is None:
        yield library_of(annotation)
    elif origin is Annotated:
        inner, *metadata = get_args(annotation)
        yield from _libraries(inner, aliases)
        yield from (_library_of_metadata(item) for item in metadata)
    elif origin is Literal:
        return
    elif library_of(origin):
        yield library_of(origin)
    elif getattr(origin, "__struct_fields__", None) is None:
        for arg in get_args(annotation):
            yield from _libraries(arg, aliases)


def shape_of(annotation: Any) -> str:
    """What a part of a request must be to hold it.

    "model": it has fields, each of which can be a value of a query. "scalar": one text can be it.
    "sequence": several can. "other": only a body can.
    """
    while True:
        origin = get_origin(annotation)
        if isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif _ALIAS is not None and isinstance(annotation, _ALIAS):
            annotation = annotation.__value__
        elif origin in _WRAPPERS:
            annotation = get_args(annotation)[0]
        else:
            break
    if origin in _UNIONS:
        shapes = {shape_of(arm) for arm in get_args(annotation) if arm is not type(None)}
        return shapes.pop() if shapes in ({"scalar"}, {"sequence"}) else "other"
    if origin in _MAPPINGS or annotation in _MAPPINGS:
        return "other"
    if origin in _SEQUENCES:
        inner = {shape_of(arg) for arg in get_args(annotation) if arg is not Ellipsis}
        return "sequence" if inner <= {"scalar"} else "other"
    cls = origin or annotation
    if not isinstance(cls, type):
        return "scalar"
    if hasattr(cls, "__pydantic_root_model__"):
        return "other" if cls.__pydantic_root_model__ else "model"
    if library_of(cls) == "msgspec" or dataclasses.is_dataclass(cls):
        return "model"
    return "other" if typing.is_typeddict(cls) else "scalar"
