"""`DatabaseSchemaEditor`: changes of tables, for which foreign keys are not checked meanwhile."""

from __future__ import annotations

import importlib
from types import TracebackType
from typing import Any

__all__ = ["DatabaseSchemaEditor"]

# Its parts import each other, and this one first.
_sqlite: Any = importlib.import_module("django.db.backends.sqlite3.base")
_base: Any = importlib.import_module("django.db.backends.base.schema")


class DatabaseSchemaEditor(_sqlite.DatabaseSchemaEditor):  # type: ignore[misc]
    """That of SQLite. Its end leaves no transaction open, also if a foreign key is broken.

    The host has one connection that writes, so an open transaction would keep all others waiting.
    """

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        leave = _base.BaseDatabaseSchemaEditor.__exit__
        try:
            try:
                if exc_type is None:
                    self.connection.check_constraints()
            except BaseException as exc:
                leave(self, type(exc), exc, exc.__traceback__)
                raise
            leave(self, exc_type, exc_value, traceback)
        finally:
            self.connection.enable_constraint_checking()
