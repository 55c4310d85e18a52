"""`DatabaseWrapper`, which Django looks for here: a connection of Django over `bolt.dbapi`.

Django refuses to use a database while an event loop runs, because a thread with a loop must not
block. In the sandbox the loop runs for good, also around `def` handlers, which may block. So this
wrapper refuses only the code of coroutines: there a transaction could stay open while others run.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

from .. import dbapi
from ._cursor import Cursor
from ._features import DatabaseFeatures
from ._operations import DatabaseOperations
from ._schema import DatabaseSchemaEditor
from ._testing import DatabaseClient, DatabaseCreation

__all__ = ["DatabaseWrapper"]

# Not import statements: mypy must not depend on whether Django is installed.
_sqlite: Any = importlib.import_module("django.db.backends.sqlite3.base")
_base: Any = importlib.import_module("django.db.backends.base.base")
_exceptions: Any = importlib.import_module("django.core.exceptions")

_BLOCKS = (
    *("clean_savepoints", "close", "commit", "connect", "cursor", "ensure_connection"),
    *("rollback", "savepoint", "savepoint_commit", "savepoint_rollback"),
)
_COROUTINE = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_MODES = ("DEFERRED", "IMMEDIATE", "EXCLUSIVE", None)


def _is_in_coroutine() -> bool:
    """Whether a coroutine of the app has called."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        # No loop runs: `sync_to_async` has called, or a test.
        return False
    frame = None if task is None else sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_flags & _COROUTINE:
            # The SDK has coroutines around a `def` handler if an app has a lifespan or middleware.
            name = frame.f_globals.get("__name__") or ""
            return not (name.startswith("bolt.") or code.co_filename.startswith("<bolt "))
        frame = frame.f_back
    return False


def _blocking(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that Django refuses beside a loop; it refuses only tasks from now on."""
    inner = method.__wrapped__  # type: ignore[attr-defined]

    @functools.wraps(inner)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        if _is_in_coroutine():
            raise _exceptions.SynchronousOnlyOperation(
                "Django blocks on its database: use it in a `def` handler, or in a function for "
                "`sync_to_async`"
            )
        return inner(self, *arguments, **named)

    return call


def _without(entries: dict[str, str], *names: str) -> dict[str, str]:
    return {name: entry for name, entry in entries.items() if name not in names}


class DatabaseWrapper(_sqlite.DatabaseWrapper):  # type: ignore[misc]
    """A connection of the ORM, for `def` handlers."""

    Database = dbapi
    SchemaEditorClass = DatabaseSchemaEditor
    client_class = DatabaseClient
    creation_class = DatabaseCreation
    features_class = DatabaseFeatures
    ops_class = DatabaseOperations
    # SQLite has no function for `REGEXP`: without these entries, `DatabaseOperations` is asked.
    operators = _without(_sqlite.DatabaseWrapper.operators, "regex", "iregex")

    def get_connection_params(self) -> dict[str, Any]:
        name, options = self.settings_dict["NAME"], dict(self.settings_dict["OPTIONS"])
        if not isinstance(name, str) or not name:
            raise _exceptions.ImproperlyConfigured(
                f"DATABASES[{self.alias!r}]: NAME is the name of a database that the operator "
                f"grants, such as 'main', not {name!r}"
            )
        mode = options.pop("transaction_mode", None)
        self.transaction_mode = mode.upper() if isinstance(mode, str) else mode
        if self.transaction_mode not in _MODES or options:
            raise _exceptions.ImproperlyConfigured(
                f"DATABASES[{self.alias!r}]: of OPTIONS there is only transaction_mode, which is "
                "'DEFERRED', 'IMMEDIATE', 'EXCLUSIVE' or None"
            )
        return {"database": name}

    def get_new_connection(self, conn_params: dict[str, Any]) -> dbapi.Connection:
        # The cursor and the fields of models convert the values.
        connection = dbapi.connect(**conn_params, isolation_level=None, raw=True)
        if connection._transaction.is_postgres:
            raise _exceptions.ImproperlyConfigured(
                f"bolt.django speaks the SQL of SQLite, and {connection!r} is of a Postgres server"
            )
        return connection

    def create_cursor(self, name: str | None = None) -> Cursor:
        return Cursor(self.connection)

    def _set_autocommit(self, autocommit: bool) -> None:
        with self.wrap_database_errors:
            if autocommit:
                self.connection.autocommit = True
            elif self.transaction_mode in (None, "DEFERRED"):
                self.connection.isolation_level = "DEFERRED"
            else:
                self.connection.isolation_level = "IMMEDIATE"

    def disable_constraint_checking(self) -> bool:
        self.ensure_connection()
        if not self.connection.in_transaction:
            self.connection.foreign_keys = False
        return not self.connection.foreign_keys

    def enable_constraint_checking(self) -> None:
        self.ensure_connection()
        if not self.connection.in_transaction:
            self.connection.foreign_keys = True

    def is_in_memory_db(self) -> bool:
        return False


for _name in _BLOCKS:
    setattr(DatabaseWrapper, _name, _blocking(getattr(_base.BaseDatabaseWrapper, _name)))
