"""`Cursor`: Django's placeholders, and the values that it expects, for a cursor of `bolt.dbapi`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from .. import dbapi
from .._sql.wire import converters

__all__ = ["Cursor"]

Rows = list[tuple[Any, ...]]
Parameters = Sequence[Any] | Mapping[str, Any]
_PLACE = re.compile(r"%(?:%|s|\((\w+)\)s)")
# The fields of models convert what is left, such as decimals.
_CONVERTED = frozenset({"bool", "date", "datetime", "time", "timestamp"})


class Cursor(dbapi.Cursor):
    """A cursor whose parameters are `%s`, or `%(name)s` of a mapping. `%%` is a percent sign.

    Columns that are declared as dates, times and booleans have such values.
    """

    def execute(self, operation: str, parameters: Parameters | None = None) -> Self:
        """Execute a statement. Without parameters its text stays as it is."""
        if parameters is None:
            return super().execute(operation)
        text, names = _translated(operation)
        return super().execute(text, _in_order(parameters, names))

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> Self:
        """Execute an insert, update or delete with each set of parameters."""
        text, names = _translated(operation)
        return super().executemany(text, (_in_order(each, names) for each in seq_of_parameters))

    def _part(self) -> Rows | None:
        statement = self._statement
        rows = super()._part()
        if not rows or statement is None:
            return rows
        columns = statement.columns or ()
        known = [(name, kind if kind in _CONVERTED else "") for name, kind in columns]
        for place, _, convert in converters(known):
            rows = [(*row[:place], _value(convert, row[place]), *row[place + 1 :]) for row in rows]
        return rows


def _value(convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except ValueError:
        return value


def _translated(operation: str) -> tuple[str, list[str]]:
    """The text with `?` for its places, and the names of those that have one."""
    names: list[str] = []

    def write(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if found[1]:
            names.append(found[1])
        return "?"

    return _PLACE.sub(write, operation), names


def _in_order(parameters: Parameters, names: list[str]) -> Sequence[Any]:
    if not isinstance(parameters, Mapping):
        return parameters
    missing = [name for name in names if name not in parameters]
    if missing:
        raise dbapi.ProgrammingError(f"there is no parameter {missing[0]!r}")
    return [parameters[name] for name in names]
