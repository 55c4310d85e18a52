"""`DatabaseFeatures`: what Django may expect of SQLite in the host."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["DatabaseFeatures"]

# Its parts import each other, and this one first.
_sqlite: Any = importlib.import_module("django.db.backends.sqlite3.base")

_db: Any = importlib.import_module("django.db")


class DatabaseFeatures(_sqlite.DatabaseFeatures):  # type: ignore[misc]
    """Those of SQLite. The base class asks the `sqlite3` of Python for some of them."""

    closed_cursor_error_class = _db.InterfaceError
    can_alter_table_drop_column = True
    can_introspect_json_field = True
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    has_json_object_function = True
    supports_aggregate_order_by_clause = True
    supports_json_field = True
    supports_tuple_lookups = True
    # The host has one connection that writes, and the test database is one that it grants.
    can_clone_databases = False
    # Those of SQLite, which the host keeps.
    max_query_params = 32_766
    supports_uuid7_function = False
