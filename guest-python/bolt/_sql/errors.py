"""What goes wrong with a database. The names are those of PEP 249, with more of them below."""

from __future__ import annotations

import json

__all__ = [
    "CheckViolation",
    "DataError",
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
    "UniqueViolation",
    "failure",
]


class Error(Exception):
    """Everything that a database raises.

    code: the database's own code, or None.
    """

    code: str | None = None


class InterfaceError(Error):
    """The program uses the interface wrongly, as with a transaction that has ended."""


class DatabaseError(Error):
    """The database has refused something."""


class DataError(DatabaseError):
    """A value has no form in the database, or in Python."""


class ProgrammingError(DatabaseError):
    """The statement is wrong, or does what an app may not do."""


class IntegrityError(DatabaseError):
    """A constraint was violated."""


class UniqueViolation(IntegrityError):
    """There is such a row already."""


class ForeignKeyViolation(IntegrityError):
    """The row that is referred to is not there, or a row that is referred to would go."""


class NotNullViolation(IntegrityError):
    """A column must have a value."""


class CheckViolation(IntegrityError):
    """A check failed."""


class OperationalError(DatabaseError):
    """The database cannot do it now."""


class DatabaseUnavailable(OperationalError):
    """The database is away or broken, or has no room.

    A handler that does not catch it answers 503.
    """

    status_of_reply = 503


class LockTimeout(OperationalError):
    """Others hold it up."""


class StatementCancelled(OperationalError):
    """The statement took longer than the deadline, or its request has ended."""


class LimitExceeded(OperationalError):
    """A limit of the app, which the message names."""


class NotGranted(OperationalError):
    """The app has no database of this name."""


_KINDS: dict[str, type[Error]] = {
    "statement": ProgrammingError,
    "data": DataError,
    "unique": UniqueViolation,
    "foreign-key": ForeignKeyViolation,
    "not-null": NotNullViolation,
    "check": CheckViolation,
    "integrity": IntegrityError,
    "busy": LockTimeout,
    "operational": DatabaseUnavailable,
    "limit": LimitExceeded,
    "denied": NotGranted,
    "cancelled": StatementCancelled,
}
# Tracebacks name them by the path that an author imports them from.
for _name in __all__:
    _kind = globals().get(_name)
    if isinstance(_kind, type):
        _kind.__module__ = "bolt.sql"


def failure(told: str) -> Error:
    """The exception for what the host has told, which is JSON."""
    fields = json.loads(told)
    exc = _KINDS.get(fields["kind"], DatabaseError)(fields["message"])
    exc.code = fields.get("code")
    return exc
