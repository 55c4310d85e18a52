"""Databases that the operator grants: `from bolt import sql`.

    db = sql.Database("main")

    @api.get("/users")
    async def users(age: int) -> list[User]:
        return await db.fetch("select id, name from users where age > $1", age, into=User)

    @api.post("/users")
    def create(name: str) -> int:
        with db.sync.transaction():
            return db.sync.fetchval("insert into users (name) values ($1) returning id", name)

The host has the connections, so a fresh interpreter finds a warm one.
"""

from __future__ import annotations

from ._sql.database import Database, SyncDatabase, SyncTransaction, Transaction
from ._sql.errors import (
    CheckViolation,
    DatabaseError,
    DatabaseUnavailable,
    DataError,
    Error,
    ForeignKeyViolation,
    IntegrityError,
    InterfaceError,
    LimitExceeded,
    LockTimeout,
    NotGranted,
    NotNullViolation,
    OperationalError,
    ProgrammingError,
    StatementCancelled,
    UniqueViolation,
)
from ._sql.host import install

__all__ = [
    "CheckViolation",
    "DataError",
    "Database",
    "DatabaseError",
    "DatabaseUnavailable",
    "Error",
    "ForeignKeyViolation",
    "IntegrityError",
    "InterfaceError",
    "LimitExceeded",
    "LockTimeout",
    "NotGranted",
    "NotNullViolation",
    "OperationalError",
    "ProgrammingError",
    "StatementCancelled",
    "SyncDatabase",
    "SyncTransaction",
    "Transaction",
    "UniqueViolation",
    "install",
]
