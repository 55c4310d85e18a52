"""What the dialects of SQLAlchemy over the databases of the host have in common.

There is no AsyncEngine: SQLAlchemy runs its synchronous core in a greenlet, which its coroutine
leaves at each statement, and WebAssembly has no greenlets, because nothing can exchange the stack.
A stand-in that blocks instead would stop all requests of the interpreter, also the one that holds
the lock it waits for. Handlers with SQLAlchemy are `def` handlers.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

from .. import dbapi
from . import host as hosts
from .implicit import IsolationLevel

__all__ = ["OverHost"]

# Not import statements: mypy must not depend on whether SQLAlchemy is installed.
_pool: Any = importlib.import_module("sqlalchemy.pool")
_exc: Any = importlib.import_module("sqlalchemy.exc")


class OverHost:
    """The part of a dialect that connects. Classes have it before SQLAlchemy's own dialect.

    sql: the SQL of its databases, as the host names it.
    levels: the isolation levels, and those of `bolt.dbapi.Connection` that they are; the default
        first.
    raw: whether SQLAlchemy's types convert all values.
    """

    sql: ClassVar[str]
    levels: ClassVar[Mapping[str, IsolationLevel]]
    raw: ClassVar[bool]

    name: str
    driver = "bolt"
    supports_statement_cache = True
    returns_native_bytes = True

    # Set by SQLAlchemy.
    _on_connect_isolation_level: str | None

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
                f"the URL of a database of the host is {self.name}+bolt:///NAME, not {url}"
            )
        return [url.database or "main"], {"raw": self.raw}

    def connect(self, database: str, raw: bool) -> Any:
        # "" is a database that was not granted, which the first statement says.
        if (found := hosts.host().dialect(database)) and found != self.sql:
            raise _exc.ArgumentError(
                f"the database {database!r} is {found}, and this engine is for {self.sql}: "
                f'create_engine({database!r}, dialect="{found}")'
            )
        return dbapi.connect(database, next(iter(self.levels.values())), raw=raw)

    def get_isolation_level_values(self, dbapi_connection: Any) -> list[str]:
        return list(self.levels)

    def get_default_isolation_level(self, dbapi_conn: Any) -> str:
        return next(iter(self.levels))

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        dbapi_connection.isolation_level = self.levels[level]

    def get_isolation_level(self, dbapi_connection: Any) -> str:
        found = dbapi_connection.isolation_level
        return next(name for name, level in self.levels.items() if level == found)

    def reset_isolation_level(self, dbapi_conn: Any) -> None:
        # The base class expects that an engine has no level of its own but AUTOCOMMIT.
        level = self._on_connect_isolation_level or self.get_default_isolation_level(dbapi_conn)
        self.set_isolation_level(dbapi_conn, level)

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        return dbapi_conn.isolation_level is None
