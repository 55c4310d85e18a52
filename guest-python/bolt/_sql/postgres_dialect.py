"""SQLAlchemy's dialect for the Postgres databases of the host."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from .dialects import OverHost
from .implicit import IsolationLevel

__all__ = ["BoltPostgresDialect"]

# Not import statements: mypy must not depend on whether SQLAlchemy is installed.
_base: Any = importlib.import_module("sqlalchemy.dialects.postgresql.base")
_types: Any = importlib.import_module("sqlalchemy.dialects.postgresql")
_generic: Any = importlib.import_module("sqlalchemy.types")
_processors: Any = importlib.import_module("sqlalchemy.engine.processors")
_exc: Any = importlib.import_module("sqlalchemy.exc")

_FLOATS = frozenset({"float4", "float8", "float4[]", "float8[]"})


class _Number:
    """Decimals come as Decimal, and floats as float, whatever a statement has made of a column."""

    render_bind_cast = True
    asdecimal: bool
    _effective_decimal_return_scale: int

    def bind_processor(self, dialect: Any) -> None:
        return None

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        if not self.asdecimal:
            return None if coltype in _FLOATS else _processors.to_float
        if coltype in _FLOATS:
            scale = self._effective_decimal_return_scale
            return _processors.to_decimal_processor_factory(Decimal, scale)
        return None


class _Numeric(_Number, _generic.Numeric):  # type: ignore[misc]
    """A number with a point."""


class _Float(_Number, _generic.Float):  # type: ignore[misc]
    """A float."""


class _Interval(_types.INTERVAL):  # type: ignore[misc]
    """A duration."""

    render_bind_cast = True

    @classmethod
    def adapt_emulated_to_native(cls, interval: Any, **options: Any) -> Any:
        return cls(precision=interval.second_precision)


class _IntIndex(_generic.JSON.JSONIntIndexType):  # type: ignore[misc]
    """A place in a list of JSON."""

    __visit_name__ = "json_int_index"
    render_bind_cast = True


class _StrIndex(_generic.JSON.JSONStrIndexType):  # type: ignore[misc]
    """A key of an object of JSON."""

    __visit_name__ = "json_str_index"
    render_bind_cast = True


def _cast(kind: Any) -> Any:
    """The type, with its parameters cast to it: the server decides by that how to read them."""
    return type(f"_{kind.__name__}", (kind,), {"render_bind_cast": True, "__module__": __name__})


class BoltPostgresDialect(OverHost, _base.PGDialect):  # type: ignore[misc]
    """`postgresql+bolt:///main`, where main is the name in the grant.

    Its isolation levels are "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE" and "AUTOCOMMIT".

    It lacks what the host has no plain form for, such as ranges, HSTORE and BIT, which have to be
    cast to text; transactions in two phases; and the options `postgresql_readonly` and
    `postgresql_deferrable`. Temporary tables end with their request or earlier.
    """

    sql = "postgres"
    levels: ClassVar[Mapping[str, IsolationLevel]] = {
        "READ COMMITTED": "READ COMMITTED",
        "REPEATABLE READ": "REPEATABLE READ",
        "SERIALIZABLE": "SERIALIZABLE",
        "AUTOCOMMIT": None,
    }
    raw = False
    default_paramstyle = "numeric_dollar"
    supports_statement_cache = True
    supports_sane_multi_rowcount = True
    supports_native_decimal = True
    supports_native_json_deserialization = True

    colspecs: ClassVar[dict[Any, Any]] = {
        **_base.PGDialect.colspecs,
        **{
            kind: _cast(kind)
            for kind in (
                *(_generic.String, _generic.CHAR, _generic.LargeBinary, _generic.Boolean),
                *(_generic.SmallInteger, _generic.Integer, _generic.BigInteger),
                *(_generic.Date, _generic.Time, _generic.DateTime),
                *(_types.OID, _types.REGCLASS, _types.REGCONFIG),
            )
        },
        _generic.JSON.JSONIntIndexType: _IntIndex,
        _generic.JSON.JSONStrIndexType: _StrIndex,
        _generic.ARRAY: _cast(_types.ARRAY),
        _generic.Enum: _cast(_types.ENUM),
        _generic.Interval: _Interval,
        _types.INTERVAL: _Interval,
        _generic.Numeric: _Numeric,
        _generic.Float: _Float,
    }

    def __init__(self, json_deserializer: Any = None, **options: Any) -> None:
        if json_deserializer is not None:
            raise _exc.ArgumentError(
                "JSON of Postgres is read before SQLAlchemy sees it: "
                "instead of json_deserializer=, use a TypeDecorator"
            )
        # That of the module is SQLite's.
        options.setdefault("paramstyle", self.default_paramstyle)
        super().__init__(**options)

    def _set_backslash_escapes(self, connection: Any) -> None:
        # What the base class asks the server for is so unless somebody has configured it otherwise,
        # and `show` would cost the host's connection a cleaning.
        self._backslash_escapes = False
