"""`jsonable_encoder`: converts any value to JSON types, for code that stores or sends it itself."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from types import GeneratorType
from typing import Any

from ._adapters.registry import adapter_for, dump_of
from ._schema.annotations import model_kind
from ._serialization.response_model import Shape, record_filter
from ._serialization.serialize import record_names
from ._serialization.serialize_checked import MAX_DEPTH, to_plain

__all__ = ["jsonable_encoder"]


def jsonable_encoder(
    obj: Any,
    include: Collection[Any] | None = None,
    exclude: Collection[Any] | None = None,
    by_alias: bool = True,
    exclude_unset: bool = False,
    exclude_defaults: bool = False,
    exclude_none: bool = False,
    custom_encoder: Mapping[Any, Callable[[Any], Any]] | None = None,
    sqlalchemy_safe: bool = True,
) -> Any:
    """The value as None, bool, int, float, str, list and dict only, as in a response.

    include, exclude: the fields of a record, or the keys of a dict, to include or to omit; for a
        list, those of its items.
    by_alias: use the aliases of the fields of Structs.
    exclude_none, exclude_unset, exclude_defaults: as for a route.
    custom_encoder: functions by class; not applied to the fields of a Struct.
    sqlalchemy_safe: omit keys that begin with "_sa".

    Objects of other classes become a dict of their attributes. Raises TypeError for an object
    without attributes, and ValueError for values that are nested too deep.
    """
    shape = Shape(None, None, exclude_none, exclude_unset, exclude_defaults, by_alias)
    return _Encoder(shape, custom_encoder or {}, sqlalchemy_safe).of(obj, include, exclude, 0)


class _Encoder:
    """The conversion of one value."""

    def __init__(
        self, shape: Shape, custom: Mapping[Any, Callable[[Any], Any]], sqlalchemy_safe: bool
    ) -> None:
        self.shape = shape
        self.custom = custom
        self.sqlalchemy_safe = sqlalchemy_safe

    def of(self, value: Any, include: Any, exclude: Any, depth: int) -> Any:
        for cls in self.custom and type(value).__mro__:
            if cls in self.custom:
                return self.custom[cls](value)
        if depth > MAX_DEPTH:
            raise ValueError(
                f"a value is nested deeper than {MAX_DEPTH} levels, or contains itself"
            )
        kind = model_kind(type(value))
        if kind == "struct":
            return self.struct(value, include, exclude)
        if kind in ("dataclass", "attrs"):
            fields = {name: getattr(value, name) for name in record_names(type(value))}
            return self.mapping(fields, include, exclude, depth)
        if isinstance(value, Mapping):
            return self.mapping(value, include, exclude, depth)
        if isinstance(value, (list, tuple, set, frozenset, deque, GeneratorType)):
            return [self.of(item, include, exclude, depth + 1) for item in value]
        dump = dump_of(type(value))
        if dump is not None:
            return self.adapted(value, dump, include, exclude, depth)
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if isinstance(value, timedelta):
            return value.total_seconds()
        try:
            return to_plain(value)
        except TypeError:
            if not hasattr(value, "__dict__") or isinstance(value, type) or callable(value):
                raise
            return self.mapping(vars(value), include, exclude, depth)

    def struct(self, value: Any, include: Any, exclude: Any) -> Any:
        shape = replace(self.shape, include=include, exclude=exclude)
        # The filter passes some values on unchanged, such as those of fields typed `Any`.
        return to_plain(record_filter(type(value), shape)(value))

    def adapted(
        self, value: Any, dump: Callable[[Any], Any], include: Any, exclude: Any, depth: int
    ) -> Any:
        """A model of pydantic, whose own serialiser takes the options, or one of msgspec."""
        adapter = adapter_for(type(value))
        if adapter is None or adapter.library != "pydantic" or adapter.shape == "scalar":
            made = dump(value)
            return self.mapping(made, include, exclude, depth) if isinstance(made, dict) else made
        shape = replace(self.shape, include=include, exclude=exclude)
        return adapter.dumpers(shape)[1](value)

    def mapping(self, value: Mapping[Any, Any], include: Any, exclude: Any, depth: int) -> Any:
        out = {}
        for key, item in value.items():
            if include is not None and key not in include:
                continue
            if exclude is not None and key in exclude:
                continue
            if item is None and self.shape.exclude_none:
                continue
            if self.sqlalchemy_safe and isinstance(key, str) and key.startswith("_sa"):
                continue
            made = self.of(key, None, None, depth + 1)
            out[made] = self.of(item, None, None, depth + 1)
        return out
