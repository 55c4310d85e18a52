"""A database backend of Django over the databases of the host, for `def` handlers.

    DATABASES = {"default": {"ENGINE": "bolt.django", "NAME": "main"}}

The ORM is for `def` handlers. Its `async` methods work in `async def` handlers, and block as well.

`NAME` is the name that the operator grants. Of `OPTIONS` there is `transaction_mode`: "IMMEDIATE"
for transactions that wait for other writers when they begin, instead of raising OperationalError
when another one has written since they began to read.

It is Django's backend for SQLite without the functions of Python that the latter adds to SQLite:
what they do is plain SQL here, and NotSupportedError where there is none. Those are `regex` and
`iregex`, the hashes, StdDev and Variance over a window, and time zones for a database with a
`TIME_ZONE` of its own.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["migrate"]


def migrate(database: str = "default") -> None:
    """Apply the migrations that a database lacks, all in one transaction: others wait for it.

    So it may be in a lifespan, which each interpreter enters:

        def lifespan(app):
            migrate()
            yield

    database: its alias in the settings.
    """
    # Here, because the SDK does not need Django.
    django: Any = importlib.import_module("django.db")
    management: Any = importlib.import_module("django.core.management")
    connection = django.connections[database]
    connection.ensure_connection()
    # It cannot be done within a transaction, as migrations would.
    connection.disable_constraint_checking()
    mode, connection.transaction_mode = connection.transaction_mode, "IMMEDIATE"
    try:
        with django.transaction.atomic(using=database):
            management.call_command("migrate", database=database, interactive=False, verbosity=0)
    finally:
        connection.transaction_mode = mode
        connection.enable_constraint_checking()
