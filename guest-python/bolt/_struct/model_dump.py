"""`model_dump`, `model_dump_json`, `model_copy` and `model_fields_set`, as pydantic names them."""

from __future__ import annotations

import copy
import json
from typing import Any, Self

from .._schema.models import model_of
from .._serialization.response_model import Shape, record_filter

__all__ = ["ModelDumpMixin"]


class ModelDumpMixin:
    """A mixin of Struct, without fields."""

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
        """The fields as a dict. Values are in their JSON form in every mode.

        exclude_unset: a Struct does not record which fields were given, so a field that equals its
            default counts as unset.
        """
        shape = Shape(include, exclude, exclude_none, exclude_unset, exclude_defaults, by_alias)
        made: dict[str, Any] = record_filter(type(self), shape)(self)
        return made

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """The fields as JSON text."""
        separators = (",", ":") if indent is None else None
        data = self.model_dump(**options)
        return json.dumps(data, indent=indent, separators=separators, ensure_ascii=False)

    def model_copy(self, *, update: dict[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed. The new values are not validated."""
        made = copy.deepcopy(self) if deep else copy.copy(self)
        for name, value in (update or {}).items():
            if name not in self._names():
                raise AttributeError(f"{type(self).__qualname__} has no field {name!r}")
            setattr(made, name, value)
        return made

    @property
    def model_fields_set(self) -> set[str]:
        """The fields that differ from their default: a Struct does not record which were given."""
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
