"""`Column`: a column of a table and the field of the model that has it, and values of both."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from .._schema.models import Field
from .._schema.types import SCALARS, Type
from .._serialization.result_leaves import LEAVES
from .._serialization.serialize import plain

__all__ = ["KEYS", "Column", "column_of"]

KEYS = frozenset({"int", "str", "uuid"})
"""The kinds of columns that one segment of a path can name."""

_CLASSES: dict[str, Any] = {
    **{"str": str, "int": int, "float": float, "bool": bool, "bytes": bytes, "any": Any},
    **{"datetime": datetime, "date": date, "uuid": UUID, "decimal": Decimal},
}
# A value of any type has no order, and a text of a query is not known to be equal to it.
_COMPARED = SCALARS - {"any", "none"}


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column, which is called as the field of the model.

    key: its name in responses.
    kind: that of the values other than None; "" if they are not of one scalar kind.
    type: of these values, without constraints.
    is_json: they are lists, mappings or records, which a column has as JSON.
    """

    name: str
    key: str
    kind: str
    type: Type
    is_json: bool

    @property
    def is_compared(self) -> bool:
        """Whether a query may filter and order by it."""
        return self.kind in _COMPARED

    @property
    def annotation(self) -> Any:
        """Of a parameter that takes a value other than None. The column has a kind."""
        if self.kind == "literal":
            return Literal[self.type.data]
        return self.type.data if self.kind == "enum" else _CLASSES[self.kind]

    def bound(self, value: Any) -> Any:
        """The value of a field as an argument of a statement."""
        return plain(value) if self.is_json and value is not None else value

    def read(self, value: Any) -> Any:
        """The value of a field for what the database has. Raises ResultError without one.

        None, and what is none of a Literal or an enum, stays as it is: it is in the table.
        """
        if value is None or self.kind in ("literal", "any"):
            return value
        if self.kind == "enum":
            return _member(self.type.data, value)
        if self.kind:
            return LEAVES[self.kind](value, f"the column {self.name!r}")
        return json.loads(value) if self.is_json and isinstance(value, str) else value

    def shown(self, value: Any) -> Any:
        """The same in JSON."""
        return plain(self.read(value))


def _member(cls: Callable[[Any], Any], value: Any) -> Any:
    try:
        return cls(value)
    except ValueError:
        return value


def column_of(item: Field) -> Column:
    """The column of a field."""
    arms = item.type.args if item.type.kind == "union" else (item.type,)
    given = [arm for arm in arms if arm.kind != "none"]
    kind, data = "", None
    if len(given) == 1 and given[0].kind in SCALARS:
        kind, data = given[0].kind, given[0].data
        if kind == "literal":
            data = tuple(value for value in data if value is not None)
    is_json = any(arm.kind not in SCALARS for arm in given)
    return Column(item.name, item.out or item.name, kind, Type(kind, data=data), is_json)
