"""SQLAlchemy's dialect for the databases of the host: SQLite over `bolt.dbapi`.

There is no AsyncEngine: SQLAlchemy runs its synchronous core in a greenlet, which its coroutine
leaves at each statement, and WebAssembly has no greenlets, because nothing can exchange the stack.
A stand-in that blocks instead would stop all requests of the interpreter, also the one that holds
the lock it waits for. Handlers with SQLAlchemy are `def` handlers.
"""

from __future__ import annotations

import importlib
from typing import Any

from .. import dbapi

__all__ = ["BoltDialect"]

# Not import statements: mypy must not depend on whether SQLAlchemy is installed.
_base: Any = importlib.import_module("sqlalchemy.dialects.sqlite.base")
_pool: Any = importlib.import_module("sqlalchemy.pool")
_exc: Any = importlib.import_module("sqlalchemy.exc")

_LEVELS = {"SERIALIZABLE": "DEFERRED", "IMMEDIATE": "IMMEDIATE", "AUTOCOMMIT": None}


class BoltDialect(_base.SQLiteDialect):  # type: ignore[misc]
    """`sqlite+bolt:///main` or `bolt:///main`, where main is the name in the grant.

    Its isolation levels are "SERIALIZABLE", "IMMEDIATE" and "AUTOCOMMIT": those of
    `bolt.dbapi.Connection` with the names "DEFERRED", "IMMEDIATE" and None.

    It lacks ATTACH, and what needs functions of Python in SQLite: `regexp_match`, and `//` of
    numbers that are not integers. Temporary tables end with their transaction or later.
    """

    driver = "bolt"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_schemas = False
    returns_native_bytes = True

    @classmethod
    def import_dbapi(cls) -> Any:
        return dbapi

    @classmethod
    def get_pool_class(cls, url: Any) -> Any:
        # The host has the pool. A connection that is open here costs nothing.
        return _pool.NullPool

    def create_connect_args(self, url: Any) -> Any:
        if url.username or url.password or url.host or url.port or url.query:
            raise _exc.ArgumentError(
                f"the URL of a database of the host is sqlite+bolt:///NAME, not {url}"
            )
        # SQLAlchemy's types convert the values.
        return [url.database or "main"], {"raw": True}

    def _get_server_version_info(self, connection: Any) -> Any:
        return self.dbapi.sqlite_version_info

    def get_isolation_level_values(self, dbapi_connection: Any) -> list[str]:
        return list(_LEVELS)

    def get_default_isolation_level(self, dbapi_conn: Any) -> str:
        return "SERIALIZABLE"

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        dbapi_connection.isolation_level = _LEVELS[level]

    def get_isolation_level(self, dbapi_connection: Any) -> str:
        found = dbapi_connection.isolation_level
        return next(name for name, level in _LEVELS.items() if level == found)

    def reset_isolation_level(self, dbapi_conn: Any) -> None:
        # The base class expects that an engine has no level of its own but AUTOCOMMIT.
        level = self._on_connect_isolation_level or self.get_default_isolation_level(dbapi_conn)
        self.set_isolation_level(dbapi_conn, level)

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        return dbapi_conn.isolation_level is None

    def get_schema_names(self, connection: Any, **options: Any) -> list[str]:
        # The host allows no `pragma database_list`: it shows where the file is.
        return ["main"]
