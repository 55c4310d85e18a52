"""Translates annotations to type expressions; it defines which types a handler may use."""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin
from uuid import UUID

from .._adapters.found import library_of
from .._adapters.registry import adapter_for
from .._datastructures.uploads import UploadFile
from .._errors import Unsupported
from .constraints import all_checks, constrained
from .types import (
    ANY,
    NONE,
    STR,
    Type,
)

__all__ = ["is_database_model", "model_kind", "show", "type_of"]

_LEAVES: dict[Any, Type] = {
    str: STR,
    int: Type("int"),
    float: Type("float"),
    bool: Type("bool"),
    bytes: Type("bytes"),
    None: NONE,
    type(None): NONE,
    Any: ANY,
    object: ANY,
    datetime: Type("datetime"),
    date: Type("date"),
    UUID: Type("uuid"),
    Decimal: Type("decimal"),
    UploadFile: Type("upload"),
}

_SEQUENCES: dict[Any, str] = {
    list: "list",
    collections.abc.Sequence: "list",
    collections.abc.MutableSequence: "list",
    set: "set",
    collections.abc.Set: "set",
    collections.abc.MutableSet: "set",
    frozenset: "frozenset",
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_UNHASHABLE = frozenset({"list", "set", "dict"})
_KEYS = frozenset(
    {
        *("str", "int", "float", "bool", "any", "literal", "enum"),
        *("date", "datetime", "uuid", "decimal"),
    }
)

# `type X = ...` exists from 3.12 on.
_ALIAS: Any = getattr(typing, "TypeAliasType", None)
_WRAPPERS = (Annotated, Required, NotRequired, getattr(typing, "ReadOnly", Annotated))


def model_kind(cls: Any) -> str | None:
    """The kind of a record class, as in `Model`; None for any other class."""
    if not isinstance(cls, type):
        return None
    if library_of(cls):
        return None
    if getattr(cls, "__struct_fields__", None) is not None:
        return "struct"
    if typing.is_typeddict(cls):
        return "typeddict"
    if dataclasses.is_dataclass(cls):
        return "dataclass"
    if issubclass(cls, tuple) and hasattr(cls, "_field_defaults"):
        return "namedtuple"
    return "attrs" if "__attrs_attrs__" in cls.__dict__ else None


def is_database_model(cls: Any) -> bool:
    """Whether it is a class of SQLAlchemy or Django that has a table."""
    if not isinstance(cls, type):
        return False
    return hasattr(cls, "__mapper__") or hasattr(getattr(cls, "_meta", None), "concrete_fields")


def show(annotation: Any) -> str:
    """An annotation as its author would write it: `int`, `list[app.User]`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if annotation.__module__ == "builtins":
            return annotation.__qualname__
        return f"{annotation.__module__}.{annotation.__qualname__}"
    return repr(annotation)


def type_of(annotation: Any) -> Type:
    """The type expression of a resolved annotation.

    Raises Unsupported, with a clause that names the annotation, when it has no wire form.
    """
    adapter = adapter_for(annotation)
    if adapter is not None:
        return Type("adapted", (ANY,), adapter)
    return _type_of(annotation, ())


def _type_of(annotation: Any, aliases: tuple[Any, ...]) -> Type:
    try:
        leaf = _LEAVES.get(annotation)
    except TypeError:  # an unhashable annotation, such as Annotated[int, []]
        leaf = None
    if leaf is not None:
        return leaf

    if isinstance(annotation, typing.NewType):
        return _type_of(annotation.__supertype__, aliases)
    origin = get_origin(annotation)
    if _ALIAS is not None and (isinstance(annotation, _ALIAS) or isinstance(origin, _ALIAS)):
        if annotation in aliases:
            raise Unsupported(f"the type alias {show(annotation)} refers to itself")
        value = annotation.__value__ if origin is None else origin.__value__[get_args(annotation)]
        return _type_of(value, (*aliases, annotation))
    if origin in _WRAPPERS:
        inner, *metadata = get_args(annotation)
        return constrained(_type_of(inner, aliases), all_checks(metadata))
    if origin is None:
        return _bare(annotation)

    args = get_args(annotation)
    if not args and annotation != tuple[()]:  # such as typing.List without an item type
        return _bare(origin)
    if origin is Union or origin is types.UnionType:
        return _union([_type_of(arg, aliases) for arg in args])
    if origin is Literal:
        return _literal(annotation, args)
    if origin is tuple:
        return _tuple(args, aliases)
    if origin in _SEQUENCES:
        return _sequence(annotation, _SEQUENCES[origin], _type_of(args[0], aliases))
    if origin in _MAPPINGS:
        return _mapping(annotation, _type_of(args[0], aliases), _type_of(args[1], aliases))
    if model_kind(origin) == "struct":
        return Type("ref", data=origin.__struct_of__(args))
    raise Unsupported(f"the annotation {show(annotation)} is not supported")


def _bare(annotation: Any) -> Type:
    """A class without type arguments."""
    if isinstance(annotation, type):
        if annotation in _SEQUENCES:
            return Type(_SEQUENCES[annotation], (ANY,))
        if annotation is tuple:
            return Type("vartuple", (ANY,))
        if annotation in _MAPPINGS:
            return Type("dict", (ANY, ANY))
        if issubclass(annotation, Enum):
            return _enum(annotation)
        if model_kind(annotation) is not None:
            return Type("ref", data=annotation)
        if is_database_model(annotation):
            raise Unsupported(
                f"{show(annotation)} is a model of a database, which no request has: describe what "
                "a client sends by a Struct, and make the model from it"
            )
    raise Unsupported(f"the annotation {show(annotation)} is not supported")


def _union(arms: list[Type]) -> Type:
    """Flatten nested unions (from aliases and NewTypes), because the host numbers the arms."""
    flat: list[Type] = []
    for arm in arms:
        for part in arm.args if arm.kind == "union" else (arm,):
            # The host takes the first arm that matches, so it would never choose a duplicate.
            if part not in flat:
                flat.append(part)
    return flat[0] if len(flat) == 1 else Type("union", tuple(flat))


def _literal(annotation: Any, values: tuple[Any, ...]) -> Type:
    for value in values:
        if value is not None and type(value) not in (str, int, bool):
            raise Unsupported(
                f"the annotation {show(annotation)} holds {value!r}; "
                "a Literal may hold str, int, bool and None values"
            )
    return Type("literal", data=values)


def _enum(cls: type[Enum]) -> Type:
    if not len(cls):
        raise Unsupported(f"the enum {show(cls)} has no members")
    for member in cls:
        if type(member.value) not in (str, int):
            raise Unsupported(
                f"the enum {show(cls)} has the value {member.value!r}; "
                "enum values must be str or int"
            )
    return Type("enum", data=cls)


def _tuple(args: tuple[Any, ...], aliases: tuple[Any, ...]) -> Type:
    if len(args) == 2 and args[1] is Ellipsis:
        return Type("vartuple", (_type_of(args[0], aliases),))
    return Type("tuple", tuple(_type_of(arg, aliases) for arg in args))


def _sequence(annotation: Any, kind: str, item: Type) -> Type:
    if kind != "list" and not _hashable(item):
        raise Unsupported(f"the annotation {show(annotation)} asks for unhashable items")
    return Type(kind, (item,))


def _hashable(item: Type) -> bool:
    if item.kind == "ref":
        # A TypedDict is a plain dict at run time.
        return model_kind(item.data) != "typeddict" and item.data.__hash__ is not None
    return item.kind not in _UNHASHABLE and all(_hashable(arg) for arg in item.args)


def _mapping(annotation: Any, key: Type, value: Type) -> Type:
    arms = key.args if key.kind == "union" else (key,)
    if any(arm.kind not in _KEYS for arm in arms):
        raise Unsupported(f"the annotation {show(annotation)} asks for keys that JSON cannot hold")
    return Type("dict", (key, value))
