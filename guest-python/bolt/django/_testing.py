"""What needs the file of a database, which only the host has: test databases and a shell."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["DatabaseClient", "DatabaseCreation"]

_creation: Any = importlib.import_module("django.db.backends.base.creation")
_client: Any = importlib.import_module("django.db.backends.base.client")
_db: Any = importlib.import_module("django.db")


class DatabaseCreation(_creation.BaseDatabaseCreation):  # type: ignore[misc]
    """A test database is one that the host grants by `TEST["NAME"]`: `test_main` for `main`.

    It is not made, emptied or removed, so it should be empty.
    """

    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        name: str = self._get_test_db_name()
        return name

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        pass

    def _clone_test_db(self, suffix: str, verbosity: int, keepdb: bool = False) -> None:
        raise _db.NotSupportedError("the host grants no copies of a database: run without parallel")

    @staticmethod
    def is_in_memory_db(database_name: str) -> bool:
        return False


class DatabaseClient(_client.BaseDatabaseClient):  # type: ignore[misc]
    """There is no shell of SQLite in the sandbox."""

    executable_name = "sqlite3"

    @classmethod
    def settings_to_cmd_args_env(cls, settings_dict: Any, parameters: Any) -> Any:
        raise _db.NotSupportedError("the host has the file of the database: use sqlite3 there")
