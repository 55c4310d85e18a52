"""`Table`: a table as a model describes it, and the way from its rows to items and to JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._errors import Unsupported
from .._schema.annotations import model_kind
from .._schema.models import model_of
from .._serialization.response_model import Shape, record_filter
from .._serialization.serialize import plain
from .._serialization.serialize_checked import to_plain
from .._struct.run_validators import validate_record
from ..exceptions import RequestValidationError
from ..sql import Database
from .bodies import create_body, update_body
from .columns import KEYS, Column, column_of
from .statements import Statements

__all__ = ["Table"]


class Table:
    """A table of a database, with the columns that a model has fields for.

    columns: by name, in the order of the model.
    key: the column that identifies a row.
    is_plain: each column has a scalar kind, and the model has nothing besides.
    is_checked: the model checks a whole item.
    """

    def __init__(self, model: type, name: str, database: str, key: str) -> None:
        if model_kind(model) not in ("struct", "dataclass"):
            raise Unsupported(f"a table is described by a Struct or a dataclass, not by {model!r}")
        if not isinstance(name, str) or not name or "\0" in name:
            raise Unsupported(f"the name of a table is a text, not {name!r}")
        cls: Any = model
        self.cls = cls
        self.model = model_of(model)
        self.name = name
        self.db = Database(database)
        self.columns: dict[str, Column] = {item.name: column_of(item) for item in self.model.fields}
        if key not in self.columns:
            raise Unsupported(f"{model.__name__} has no field {key!r} to be the key of {name!r}")
        self.key = self.columns[key]
        if self.key.kind not in KEYS:
            raise Unsupported(f"the key {key!r} of {name!r} is none of int, str and UUID")
        self._is_computed = any(item.computed for item in self.model.sent)
        self.is_plain = (
            not self._is_computed
            and self.model.tag is None
            and all(column.kind for column in self.columns.values())
        )
        self.is_checked = self.model.refuses and (
            self.model.kind == "dataclass"
            or cls.__struct_custom_init__
            or any(not validator.fields for validator in cls.__struct_validators__)
        )
        self.statements = Statements(name, key, self.columns)
        self.create_body = create_body(model, key)
        self.update_body = update_body(model, key)
        # The key that is made for a new row, if it is not the database that makes it.
        self.makes_key = next(item.factory for item in self.model.fields if item.name == key)

    def shown(self, row: Mapping[str, Any]) -> Any:
        """A row in JSON."""
        if self._is_computed:
            return record_filter(self.cls, Shape())(self.item(row))
        return {**self._tag(), **{one.key: one.shown(value) for one, value in self._pairs(row)}}

    def item(self, row: Mapping[str, Any]) -> Any:
        """A row as an instance of the model."""
        return self.cls(**{one.name: one.read(value) for one, value in self._pairs(row)})

    def shown_item(self, item: Any) -> Any:
        """An instance in JSON; anything else as it is."""
        if not isinstance(item, self.cls):
            return item
        if self._is_computed:
            return record_filter(self.cls, Shape())(item)
        columns = self.columns.values()
        return {**self._tag(), **{one.key: plain(getattr(item, one.name)) for one in columns}}

    def _pairs(self, row: Mapping[str, Any]) -> Iterator[tuple[Column, Any]]:
        # By place: a database may spell names as the table does, or in lower case.
        return zip(self.columns.values(), row.values(), strict=True)

    def _tag(self) -> dict[str, str]:
        return {} if self.model.tag is None else dict([self.model.tag])

    def bound(self, values: Mapping[str, Any]) -> list[Any]:
        """Values of fields as arguments of a statement."""
        return [self.columns[name].bound(value) for name, value in values.items()]

    def checked(self, values: Mapping[str, Any]) -> Any:
        """An instance of the model. Raises RequestValidationError if the model refuses it."""
        try:
            made = self.cls(**values)
            return validate_record(self.cls, made) if self.model.kind == "struct" else made
        except (ValueError, AssertionError) as exc:
            is_value = isinstance(exc, ValueError)
            error = {
                "type": "value_error" if is_value else "assertion_error",
                "loc": ["body"],
                "msg": f"{'Value error' if is_value else 'Assertion failed'}, {exc}",
                "input": to_plain(dict(values)),
            }
            raise RequestValidationError([error]) from exc
