"""SQLAlchemy's dialect for the SQLite databases of the host."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

from .dialects import OverHost
from .implicit import IsolationLevel

__all__ = ["BoltDialect"]

# Not an import statement: mypy must not depend on whether SQLAlchemy is installed.
_base: Any = importlib.import_module("sqlalchemy.dialects.sqlite.base")


class BoltDialect(OverHost, _base.SQLiteDialect):  # type: ignore[misc]
    """`sqlite+bolt:///main` or `bolt:///main`, where main is the name in the grant.

    Its isolation levels are "SERIALIZABLE", "IMMEDIATE" and "AUTOCOMMIT": those of
    `bolt.dbapi.Connection` with the names "DEFERRED", "IMMEDIATE" and None.

    It lacks ATTACH, and what needs functions of Python in SQLite: `regexp_match`, and `//` of
    numbers that are not integers. Temporary tables end with their transaction or later.
    """

    sql = "sqlite"
    levels: ClassVar[Mapping[str, IsolationLevel]] = {
        "SERIALIZABLE": "DEFERRED",
        "IMMEDIATE": "IMMEDIATE",
        "AUTOCOMMIT": None,
    }
    raw = True
    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_schemas = False

    def _get_server_version_info(self, connection: Any) -> Any:
        return self.dbapi.sqlite_version_info

    def get_schema_names(self, connection: Any, **options: Any) -> list[str]:
        # The host allows no `pragma database_list`: it shows where the file is.
        return ["main"]
