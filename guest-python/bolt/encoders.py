"""`jsonable_encoder`: any value as what JSON can hold, for code that stores or sends it itself."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from types import GeneratorType
from typing import Any

from .plain import record_names
from .results import Shape, record_filter
from .schema import model_kind
from .strict import MAX_DEPTH, to_plain

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
    """The value made of None, bool, int, float, str, list and dict only, as in a reply.

    include, exclude: fields of the record, or keys of the dict, to take or to leave out; of a list,
        those of its items.
    by_alias: Structs under the names they are sent by.
    exclude_none, exclude_unset, exclude_defaults: as in `RouteOptions`.
    custom_encoder: functions by class, for what is not inside of a Struct.
    sqlalchemy_safe: leave out keys that begin with "_sa".

    Objects of other classes become a dict of their attributes. Raises TypeError for what has none,
    and ValueError for values that are nested too deep.
    """
    shape = Shape(None, None, exclude_none, exclude_unset, exclude_defaults, by_alias)
    return _Encoder(shape, custom_encoder or {}, sqlalchemy_safe).of(obj, include, exclude, 0)


class _Encoder:
    """One value being converted."""

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
        # What the filter left as it is, is made plain here.
        return to_plain(record_filter(type(value), shape)(value))

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
