"""`DatabaseOperations`: SQL that needs no functions of Python in SQLite."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from ._compiler import SQLCompiler
from ._dates import Expression, cut, difference, filled, part, truncated
from ._zones import local

__all__ = ["DatabaseOperations"]

# Its parts import each other, and this one first.
_sqlite: Any = importlib.import_module("django.db.backends.sqlite3.base")
_conf: Any = importlib.import_module("django.conf")
_db: Any = importlib.import_module("django.db")

Parameters = Sequence[Any]


class DatabaseOperations(_sqlite.DatabaseOperations):  # type: ignore[misc]
    """Those of SQLite. `_compiler` writes the functions of models."""

    # Django imports it by this name, when a request comes: then nothing is found any more that is
    # not imported yet.
    compiler_module = SQLCompiler.__module__

    def _local(self, sql: str, params: Parameters, tzname: str | None) -> Expression:
        """A date in a time zone, without the fraction of its second."""
        value = sql, tuple(params)
        if not tzname or not _conf.settings.USE_TZ or tzname == self.connection.timezone_name:
            return cut(value)
        if self.connection.timezone_name != "UTC":
            raise _db.NotSupportedError(
                "times are converted from UTC only: leave TIME_ZONE out of DATABASES"
            )
        return local(value, tzname)

    def date_extract_sql(self, lookup_type: str, sql: str, params: Parameters) -> Expression:
        return part(lookup_type.lower(), cut((sql, tuple(params))))

    def datetime_extract_sql(
        self, lookup_type: str, sql: str, params: Parameters, tzname: str | None
    ) -> Expression:
        return part(lookup_type.lower(), self._local(sql, params, tzname))

    def time_extract_sql(self, lookup_type: str, sql: str, params: Parameters) -> Expression:
        return part(lookup_type.lower(), _cut_time((sql, tuple(params))))

    def date_trunc_sql(
        self, lookup_type: str, sql: str, params: Parameters, tzname: str | None = None
    ) -> Expression:
        return truncated(lookup_type.lower(), self._local(sql, params, tzname), "date")

    def datetime_trunc_sql(
        self, lookup_type: str, sql: str, params: Parameters, tzname: str | None
    ) -> Expression:
        return truncated(lookup_type.lower(), self._local(sql, params, tzname), "datetime")

    def time_trunc_sql(
        self, lookup_type: str, sql: str, params: Parameters, tzname: str | None = None
    ) -> Expression:
        value = self._local(sql, params, tzname) if tzname else _cut_time((sql, tuple(params)))
        return truncated(lookup_type.lower(), value, "time")

    def datetime_cast_date_sql(
        self, sql: str, params: Parameters, tzname: str | None
    ) -> Expression:
        return filled("date({0})", self._local(sql, params, tzname))

    def datetime_cast_time_sql(
        self, sql: str, params: Parameters, tzname: str | None
    ) -> Expression:
        value = self._local(sql, params, tzname)
        return filled("(time({0}) || substr({1}, 20))", value, (sql, params))

    def subtract_temporals(self, internal_type: str, lhs: Any, rhs: Any) -> Expression:
        return difference(lhs, rhs, internal_type == "TimeField")

    def combine_duration_expression(self, connector: str, sub_expressions: list[str]) -> str:
        # `_compiler` writes sums, for which the kinds of both sides matter.
        left, right = sub_expressions
        if connector == "*":
            return f"{left} * {right}"
        if connector == "/":
            return f"{left} / CAST({right} AS REAL)"
        raise _db.DatabaseError(f"a duration and another value are not combined by {connector!r}")

    def regex_lookup(self, lookup_type: str) -> str:
        raise _db.NotSupportedError(
            f"the SQLite of the host has no regular expressions, so no {lookup_type!r} lookup"
        )

    def last_executed_query(
        self, cursor: Any, sql: str, params: Parameters | dict[str, Any] | None
    ) -> str:
        if not params:
            return sql
        if isinstance(params, dict):
            return sql % {name: _quoted(value) for name, value in params.items()}
        return sql % tuple(_quoted(value) for value in params)

    @functools.cached_property
    def _references_graph(self) -> Any:
        return functools.lru_cache(512)(self._referring)

    def _referring(self, table: str) -> list[str]:
        """A table and those with a foreign key to it, or to one that has one."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                """
                WITH RECURSIVE found (name) AS (
                    SELECT %s UNION
                    SELECT made.name FROM found, sqlite_master AS made,
                        pragma_foreign_key_list(made.name) AS other
                    WHERE made.type = 'table' AND lower(other."table") = lower(found.name)
                ) SELECT name FROM found
                """,
                [table],
            )
            return [name for (name,) in cursor.fetchall()]

    def force_group_by(self) -> list[str]:
        return []


def _cut_time(value: Expression) -> Expression:
    """A time, or a date with one, without the fraction of its second."""
    return filled("substr({0}, 1, instr({0} || '.', '.') - 1)", value)


def _quoted(value: Any) -> str:
    """A value as SQL, for people: the statement has it as an argument."""
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int, float)):
        return str(value + 0)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"X'{bytes(value).hex().upper()}'"
    if isinstance(value, datetime):
        value = value.isoformat(" ")
    elif isinstance(value, (date, time)):
        value = value.isoformat()
    elif isinstance(value, Decimal):
        value = str(value)
    return "'" + str(value).replace("'", "''") + "'"
