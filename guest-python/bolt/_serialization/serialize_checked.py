"""Converts results to plain values; it detects cycles, and its exceptions name the place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from .._adapters.registry import dump_of
from .._errors import EndlessResult, ResultError, Unsupported
from .._schema.annotations import model_kind
from .._schema.models import model_of
from .._schema.types import Type
from .places import Place, show_place, step_of
from .unsendable import advice

__all__ = ["MAX_DEPTH", "to_plain"]

MAX_DEPTH = 200
"""How deep a value may be nested. There is a Python call per level, and stacks are limited."""

_RECORDS = ("struct", "dataclass", "attrs")
_EXACT = frozenset({str, int, float, bool, type(None)})


def to_plain(value: object, root: str = "result") -> Any:
    """The value made of None, bool, int, float, str, list and dict only.

    Converted: Struct and dataclass instances and mappings to dict, enums to their values,
    datetime, date and time to ISO 8601, UUID and Decimal to str, lists, tuples and sets to list,
    UTF-8 bytes to str, instances of subclasses to the plain type.

    root: what errors call the value.

    Raises ResultError, a TypeError that names the place (`result.users[0].avatar`), for anything
    else, and EndlessResult, a ValueError, for values that contain themselves or are nested deeper
    than MAX_DEPTH.
    """
    return _Walk().convert(value, root, 0)


class _Walk:
    """One conversion. `open` has the ids of the enclosing containers, to detect cycles."""

    def __init__(self) -> None:
        self.open: set[int] = set()

    def convert(self, value: Any, place: Place, depth: int, kind: Type | None = None) -> Any:
        """`kind`: the type that the enclosing field declares."""
        if isinstance(value, Enum):  # before str and int, of which its members may be instances
            value = value.value
        simple = self.scalar(value, place)
        if simple is not _NOT_SCALAR:
            return simple
        if id(value) in self.open:
            raise EndlessResult(
                f"cannot turn the result into JSON: {show_place(place)} contains itself"
            )
        if depth >= MAX_DEPTH:
            raise EndlessResult(
                f"cannot turn the result into JSON: it is nested deeper than {MAX_DEPTH} levels"
            )
        self.open.add(id(value))
        try:
            return self.container(value, place, depth + 1, kind)
        finally:
            self.open.discard(id(value))

    def scalar(self, value: Any, place: Place) -> Any:
        if type(value) in _EXACT:
            return value
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, (datetime, date, time)):
            text = value.isoformat()
            return text[:-6] + "Z" if text.endswith("+00:00") else text
        if isinstance(value, (UUID, Decimal)):
            return str(value)
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise ResultError(
                    f"cannot turn bytes into JSON: {show_place(place)} is not UTF-8 text"
                ) from None
        return _NOT_SCALAR

    def container(self, value: Any, place: Place, depth: int, declared: Type | None) -> Any:
        kind = None if isinstance(value, type) else model_kind(type(value))
        if kind in ("struct", "dataclass", "attrs"):
            return self.record(value, _keys(_sent_as(value, declared)), place, depth)
        item_type = _items_of(declared)
        if isinstance(value, Mapping):
            return {
                self.key(key, place): self.convert(item, (place, step_of(key)), depth, item_type)
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple, set, frozenset)):
            return [
                self.convert(item, (place, (index,)), depth, item_type)
                for index, item in enumerate(value)
            ]
        dump = dump_of(type(value))
        if dump is not None:
            return dump(value)
        raise ResultError(
            f"cannot turn {type(value).__qualname__} into JSON: {advice(value, show_place(place))}"
        )

    def record(
        self,
        value: Any,
        names: list[tuple[str, str, Type | None]],
        place: Place,
        depth: int,
    ) -> dict[str, Any]:
        tag = getattr(value, "__struct_tag__", None)
        out = {} if tag is None else {tag[0]: tag[1]}
        for name, key, kind in names:
            inside = (place, f".{name}")
            try:
                item = getattr(value, name)
            except AttributeError:
                # A slot that the class's own __init__ never set.
                raise ResultError(
                    f"cannot turn {type(value).__qualname__} into JSON: "
                    f"{show_place(inside)} is not set"
                ) from None
            out[key] = self.convert(item, inside, depth, kind)
        return out

    def key(self, key: Any, place: Place) -> Any:
        made = self.scalar(key.value if isinstance(key, Enum) else key, place)
        if type(made) not in _EXACT:
            raise ResultError(
                f"cannot turn {type(key).__qualname__} into JSON: "
                f"it is a key of {show_place(place)}, and keys must be text or numbers"
            )
        return made


def _arms(declared: Type | None) -> tuple[Type, ...]:
    """The types that a declaration allows."""
    if declared is None:
        return ()
    return declared.args if declared.kind == "union" else (declared,)


def _sent_as(value: Any, declared: Type | None) -> Any:
    """The class whose fields are sent: for an instance of a subclass, the declared class."""
    for arm in _arms(declared):
        if arm.kind != "ref" or model_kind(arm.data) not in _RECORDS:
            continue
        if isinstance(value, arm.data):
            return arm.data
    return type(value)


def _items_of(declared: Type | None) -> Type | None:
    """The item type of a declared container."""
    for arm in _arms(declared):
        if arm.args and arm.kind in ("list", "set", "frozenset", "vartuple"):
            return arm.args[0]
        if arm.kind == "dict":
            return arm.args[1]
    return None


def _keys(cls: Any) -> list[tuple[str, str, Type | None]]:
    """The attributes of a record, their keys in the response, and their types."""
    try:
        fields = model_of(cls).sent
    except (Unsupported, NameError, TypeError):
        fields = ()
    types = {item.name: item.type for item in fields}
    if model_kind(cls) == "dataclass":
        return [(item.name, item.name, types.get(item.name)) for item in dataclasses.fields(cls)]
    if model_kind(cls) == "attrs":
        return [(item.name, item.name, types.get(item.name)) for item in cls.__attrs_attrs__]
    if not fields:
        return [(name, name, None) for name in cls.__struct_fields__]
    return [(item.name, item.out or item.name, item.type) for item in fields]


_NOT_SCALAR: Any = object()
