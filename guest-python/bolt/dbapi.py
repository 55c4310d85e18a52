"""PEP 249: the interface that libraries for databases expect, over those that the host has.

    connection = dbapi.connect("main")

    @api.post("/users")
    def create(name: str) -> int:
        with connection:
            return connection.execute("insert into users (name) values (?)", [name]).lastrowid

It blocks the interpreter, so it is for `def` handlers. `bolt.sql` is what handlers themselves
should use.
"""

from __future__ import annotations

from datetime import date as Date
from datetime import datetime as Timestamp
from datetime import time as Time

from ._sql.dbapi import Connection, Cursor, InternalError, NotSupportedError, Warning
from ._sql.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from ._sql.implicit import IsolationLevel

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "sqlite_version_info",
    "threadsafety",
]

apilevel = "2.0"
# Threads may share the module. The sandbox has one thread.
threadsafety = 1
paramstyle = "qmark"
# The SQLite of the host is at least this one.
sqlite_version_info = (3, 45, 0)

Binary = bytes
DateFromTicks = Date.fromtimestamp
TimestampFromTicks = Timestamp.fromtimestamp


def TimeFromTicks(ticks: float) -> Time:
    """The local time of day at so many seconds after 1970."""
    return Timestamp.fromtimestamp(ticks).time()


class _Kind:
    """A kind of types. A declared type, as `Cursor.description` has it, equals its kind."""

    def __init__(self, *names: str) -> None:
        self._names = frozenset(names)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other.partition("(")[0].strip().lower() in self._names
        return self is other

    def __hash__(self) -> int:
        return hash(self._names)


STRING = _Kind("text", "varchar", "char", "nchar", "nvarchar", "clob", "character", "uuid", "json")
BINARY = _Kind("blob", "binary", "varbinary")
NUMBER = _Kind(
    "int",
    "integer",
    "bigint",
    "smallint",
    "tinyint",
    "real",
    "float",
    "double",
    "double precision",
    "decimal",
    "numeric",
    "bool",
    "boolean",
)
DATETIME = _Kind("date", "time", "datetime", "timestamp", "timestamptz")
ROWID = _Kind("rowid")


def connect(
    database: str = "main", isolation_level: IsolationLevel = "DEFERRED", *, raw: bool = False
) -> Connection:
    """A connection to a database that the operator grants. See `Connection` for the arguments.

    It asks the host for nothing, so an app may make it while it is imported, for all its requests.
    """
    return Connection(database, isolation_level, raw=raw)
