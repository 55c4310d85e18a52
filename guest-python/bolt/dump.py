"""`model_dump` and its like: records to data and back to records, by the names pydantic has."""

from __future__ import annotations

import copy
import json
from typing import Any, Self

from .models import model_of
from .results import Shape, record_filter

__all__ = ["Dumping"]


class Dumping:
    """What a Struct can be turned into. It is mixed into Struct, and has no fields."""

    __slots__ = ()

    def model_dump(
        self,
        *,
        mode: str = "python",
        include: Any = None,
        exclude: Any = None,
        by_alias: bool = False,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """The fields as a dict. Values are as JSON has them, whatever the mode.

        exclude_unset: a Struct does not know which of its fields were given, so what equals its
            default counts as not given.
        """
        shape = Shape(include, exclude, exclude_none, exclude_unset, exclude_defaults, by_alias)
        made: dict[str, Any] = record_filter(type(self), shape)(self)
        return made

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """The same as JSON."""
        separators = (",", ":") if indent is None else None
        data = self.model_dump(**options)
        return json.dumps(data, indent=indent, separators=separators, ensure_ascii=False)

    def model_copy(self, *, update: dict[str, Any] | None = None, deep: bool = False) -> Self:
        """Another instance, with some fields changed. They are not checked."""
        made = copy.deepcopy(self) if deep else copy.copy(self)
        for name, value in (update or {}).items():
            if name not in self._names():
                raise AttributeError(f"{type(self).__qualname__} has no field {name!r}")
            setattr(made, name, value)
        return made

    @property
    def model_fields_set(self) -> set[str]:
        """The fields that do not have their default: a Struct does not know which were given."""
        return {
            item.name
            for item in model_of(type(self)).fields
            if item.required
            or getattr(self, item.name)
            != (item.default if item.factory is None else item.factory())
        }

    def _names(self) -> tuple[str, ...]:
        names: tuple[str, ...] = getattr(type(self), "__struct_fields__", None) or ()
        return names
