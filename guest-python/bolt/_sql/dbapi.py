"""`Connection` and `Cursor` of PEP 249, for `def` handlers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from . import errors
from .errors import InterfaceError, OperationalError, ProgrammingError
from .implicit import OF_POSTGRES, ImplicitTransaction, IsolationLevel
from .statement import Rows, Statement
from .words import CHANGES, verb

__all__ = ["Connection", "Cursor", "InternalError", "NotSupportedError", "Warning"]

Description = tuple[str, str | None, None, None, None, None, None]
_LEVELS = ("DEFERRED", "IMMEDIATE", None, *OF_POSTGRES)


class Warning(Exception):
    """PEP 249 has it. Nothing raises it."""


class InternalError(errors.DatabaseError):
    """PEP 249 has it. Nothing raises it."""


class NotSupportedError(errors.DatabaseError):
    """PEP 249 has it. Nothing raises it."""


class Connection:
    """A connection. It has one of the host's only while a transaction is open.

    database: its name, as in the grant.
    raw: whether new cursors return values as the database has them: None, int, float, str and
        bytes, and lists of Postgres. Otherwise they are converted by the declared type of their
        column, as `bolt.sql` does.

    A transaction begins before the first statement, also before a query, and lasts until `commit`
    or `rollback`. How it begins depends on `isolation_level` at that moment:

    "DEFERRED": it reads one state of the database, and keeps nobody waiting. Its first statement
        that writes waits for other writers, and raises LockTimeout if one has written since the
        transaction has begun to read: roll it back, and repeat it.
    "IMMEDIATE": it waits for other writers before its first statement, and needs no repetition.
    None: each statement is a transaction of its own, except between `begin` and `commit`.
    "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE": for Postgres, where "DEFERRED" and
        "IMMEDIATE" are its default.

    After an OperationalError in a transaction that writes to SQLite, it can only be rolled back,
    because SQLite may have done so. One of Postgres can go on only from a savepoint, after any
    error. A transaction ends with its request, and if another request uses the connection
    meanwhile: `async def` handlers need one each.
    """

    Warning = Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = NotSupportedError

    def __init__(
        self, database: str, isolation_level: IsolationLevel = "DEFERRED", *, raw: bool = False
    ) -> None:
        if not isinstance(database, str) or not database:
            raise InterfaceError(f"the name of a database is a text, not {database!r}")
        self.raw = raw
        self.isolation_level = isolation_level
        self._transaction = ImplicitTransaction(database)
        self._is_closed = False

    @property
    def isolation_level(self) -> IsolationLevel:
        """How transactions begin. Setting it raises InterfaceError for another value."""
        return self._isolation_level

    @isolation_level.setter
    def isolation_level(self, level: IsolationLevel) -> None:
        if level not in _LEVELS:
            raise InterfaceError(
                'the isolation level is "DEFERRED", "IMMEDIATE" or None, or for Postgres '
                f'"READ COMMITTED", "REPEATABLE READ" or "SERIALIZABLE", not {level!r}'
            )
        self._isolation_level = level

    @property
    def autocommit(self) -> bool:
        """Whether each statement is a transaction of its own. Setting it to True commits."""
        return self._isolation_level is None

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        if value:
            self.commit()
            self._isolation_level = None
        elif self._isolation_level is None:
            self._isolation_level = "DEFERRED"

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._transaction.is_open

    @property
    def foreign_keys(self) -> bool:
        """Whether the database checks foreign keys in the transactions of this connection.

        It is True at first. False is for changes of tables, which may replace one that others refer
        to. Setting it raises ProgrammingError within a transaction.
        """
        return self._transaction.foreign_keys

    @foreign_keys.setter
    def foreign_keys(self, value: bool) -> None:
        if self.in_transaction:
            raise ProgrammingError("foreign keys are turned on and off outside of transactions")
        self._transaction.foreign_keys = value

    def cursor(self) -> Cursor:
        """A new cursor."""
        self._check()
        return Cursor(self)

    def execute(self, operation: str, parameters: Sequence[Any] = ()) -> Cursor:
        """A new cursor that has executed a statement."""
        return self.cursor().execute(operation, parameters)

    def commit(self) -> None:
        """Keep what the transaction has written. It stays open if this fails."""
        self._check()
        self._transaction.commit()

    def rollback(self) -> None:
        """Undo what the transaction has written."""
        self._check()
        self._transaction.rollback()

    def close(self) -> None:
        """Roll back what is open. Any use after that raises InterfaceError."""
        if not self._is_closed:
            self._is_closed = True
            self._transaction.rollback()

    def __enter__(self) -> Self:
        """A block that commits at its end, or rolls back if it raises. It does not close."""
        self._check()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.rollback()
            return
        try:
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def _check(self) -> None:
        if self._is_closed:
            raise InterfaceError("this connection is closed")

    def _is_alone(self, operation: str) -> bool:
        """Whether the statement is a transaction of its own."""
        is_control = verb(operation) in ("begin", "commit", "end", "rollback", "savepoint")
        return self._isolation_level is None and not self.in_transaction and not is_control

    def __repr__(self) -> str:
        return f"Connection({self._transaction.database!r})"


class Cursor:
    """A cursor. It reads a query's rows little by little, and those of other statements at once.

    description: of each column `(name, declared type or None, None, None, None, None, None)`; None
        for a statement without columns.
    rowcount: how many rows were inserted, updated or deleted; -1 for other statements.
    lastrowid: the id of the last row that it has inserted, None without one and in Postgres.
    raw: see `Connection`.
    """

    description: list[Description] | None = None
    rowcount = -1
    lastrowid: int | None = None
    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.raw = connection.raw
        self._statement: Statement | None = None
        self._rows: Rows = []
        # Of the next row in `_rows`.
        self._place = 0
        self._is_closed = False

    def execute(self, operation: str, parameters: Sequence[Any] = ()) -> Self:
        """Execute a statement. Its parameters are `?`, or `$1` for the first one, which is the only
        form in Postgres.

        Raises the exceptions of `bolt.dbapi`, and RuntimeError while the app is imported.
        """
        self._check()
        self._reset()
        self._execute(operation, parameters)
        return self

    def executemany(self, operation: str, seq_of_parameters: Iterable[Sequence[Any]]) -> Self:
        """Execute an insert, update or delete with each set of parameters, in order.

        `rowcount` is that of all together. Raises ProgrammingError for another statement, and for
        one that returns rows.
        """
        self._check()
        self._reset()
        if verb(operation) not in CHANGES:
            raise ProgrammingError("executemany is for insert, update and delete: use execute")
        changed = 0
        for parameters in seq_of_parameters:
            self._execute(operation, parameters)
            if self.description is not None:
                self._reset()
                raise ProgrammingError("executemany has no rows to return: use execute")
            changed += max(self.rowcount, 0)
        self.rowcount = changed
        return self

    def _execute(self, operation: str, parameters: Sequence[Any]) -> None:
        connection = self.connection
        if isinstance(parameters, (str, bytes, Mapping)):
            kind = type(parameters).__name__
            raise ProgrammingError(f"parameters are a tuple or a list, not {kind}: write ? or $1")
        if not connection.foreign_keys and connection._is_alone(operation):
            # The setting needs a transaction: it ends with the host's connection.
            connection._transaction.open("IMMEDIATE")
            with connection:
                self._execute(operation, parameters)
                self._read_all()
            return
        statement, what = connection._transaction.begin(
            self, operation, tuple(parameters), connection.isolation_level, self.raw
        )
        if statement is None:
            return
        self._statement = statement
        self._rows, self._place = self._part() or [], 0
        if statement.columns:
            self.description = [
                (name, declared or None, None, None, None, None, None)
                for name, declared in statement.columns
            ]
        if what in CHANGES:
            self._count(statement, what)

    def _count(self, statement: Statement, what: str) -> None:
        # The host knows only at the end.
        while not statement.is_over:
            self._rows += self._part() or []
        self.rowcount = statement.changed
        is_insert = what in ("insert", "replace")
        # Postgres has no such id: `returning` tells it.
        if is_insert and statement.changed and not self.connection._transaction.is_postgres:
            self.lastrowid = statement.last_id

    def _part(self) -> Rows | None:
        """The next rows, None at the end."""
        statement = self._statement
        if statement is None:
            return None
        try:
            return statement.block_part()
        except BaseException as exc:
            self._statement = None
            if isinstance(exc, OperationalError):
                self.connection._transaction.fail(exc)
            raise

    def _read_all(self) -> None:
        """Have all rows here, so that the connection can run another statement."""
        while (rows := self._part()) is not None:
            self._rows += rows
        self._statement = None

    def _next_rows(self) -> bool:
        """Have at least a row in `_rows`. False at the end."""
        if self.description is None:
            raise InterfaceError("there is no result to fetch from: execute a query")
        while self._place >= len(self._rows):
            rows = self._part()
            if rows is None:
                self._statement = None
                return False
            self._rows, self._place = rows, 0
        return True

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, None at the end. Raises InterfaceError without a query."""
        self._check()
        if not self._next_rows():
            return None
        row = self._rows[self._place]
        self._place += 1
        return row

    def fetchmany(self, size: int | None = None) -> Rows:
        """The next rows, at most so many; `arraysize` by default."""
        self._check()
        size = self.arraysize if size is None else size
        found: Rows = []
        while len(found) < size and self._next_rows():
            taken = self._rows[self._place : self._place + size - len(found)]
            self._place += len(taken)
            found += taken
        return found

    def fetchall(self) -> Rows:
        """The rows that are left."""
        self._check()
        if not self._next_rows():
            return []
        self._read_all()
        found = self._rows[self._place :] if self._place else self._rows
        self._rows, self._place = [], 0
        return found

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def close(self) -> None:
        """Forget the result. Any use after that raises InterfaceError."""
        self._reset()
        self._is_closed = True

    def setinputsizes(self, sizes: Any) -> None:
        """PEP 249 has it. It does nothing."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """PEP 249 has it. It does nothing."""

    def _reset(self) -> None:
        statement, self._statement = self._statement, None
        if statement is not None:
            statement.close()
        self._rows, self._place = [], 0
        self.description, self.rowcount = None, -1

    def _check(self) -> None:
        if self._is_closed:
            raise InterfaceError("this cursor is closed")
        self.connection._check()


# A traceback names them by the path that an author imports them from.
for _kind in (Connection, Cursor, InternalError, NotSupportedError, Warning):
    _kind.__module__ = "bolt.dbapi"
