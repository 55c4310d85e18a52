"""`ImplicitTransaction`: begins by itself before a statement, as PEP 249 wants it.

The host has connections to SQLite that read, and one that writes. A transaction that has only read
so far has one of the former, and moves to the latter when it writes. Those to Postgres do both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args
from weakref import ref

from . import host as hosts
from .errors import Error, InterfaceError, LockTimeout, OperationalError, ProgrammingError
from .statement import Rows, Session, Statement
from .words import begins_at_once, is_read, is_rollback_to, verb

__all__ = ["OF_POSTGRES", "ImplicitTransaction", "IsolationLevel", "Reader"]

_OfPostgres = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
IsolationLevel = Literal["DEFERRED", "IMMEDIATE"] | _OfPostgres | None
OF_POSTGRES = get_args(_OfPostgres)
"""The levels that only Postgres has."""
# SQLITE_BUSY_SNAPSHOT.
_STALE = "517"
# An interpreter has fewer sessions at a time.
_MOST = 100


class Reader(Protocol):
    """Who reads the result of a statement."""

    def _read_all(self) -> None: ...


class ImplicitTransaction:
    """The transactions of a connection, one after the other.

    level: how the open one has begun, None without one.
    foreign_keys: whether those that begin from now on check them.
    """

    def __init__(self, database: str) -> None:
        self.database = database
        self.level: IsolationLevel = None
        self.foreign_keys = True
        self._request = 0
        # The last requests whose transaction was given up.
        self._lost: deque[int] = deque(maxlen=_MOST)
        # None before the first statement.
        self._session: Session | None = None
        self._writes = False
        # Why the open one can only be rolled back.
        self._failed: OperationalError | None = None
        # Who has not read all rows from `_session`.
        self._reading: ref[Reader] | None = None

    def begin(
        self,
        reader: Reader,
        text: str,
        arguments: Sequence[Any],
        level: IsolationLevel,
        raw: bool,
    ) -> tuple[Statement | None, str]:
        """Begin a statement, and before it a transaction of this level, unless one is open.

        Returns the statement and its verb. There is none for `begin`, `commit` and `rollback`.
        """
        self._expire()
        what = verb(text)
        if what in ("begin", "commit", "end") or (what == "rollback" and not is_rollback_to(text)):
            self._control(what, text)
            return None, what
        self._check()
        if self.level is None:
            if what == "savepoint" and level is None:
                raise ProgrammingError("a savepoint is within a transaction: begin one")
            self.open(level)
        if self.level is None:
            return Statement(self.database, text, arguments, raw=raw), what
        session = self._enter(is_read(what, text))
        self._settle()
        statement = Statement(self.database, text, arguments, session, raw=raw)
        self._reading = ref(reader)
        return statement, what

    def fail(self, exc: OperationalError) -> None:
        """A statement has raised it: SQLite may have rolled the transaction back.

        Postgres itself refuses whatever follows, except `rollback to`.
        """
        if self._writes and not self.is_postgres:
            self._failed = exc

    def commit(self) -> None:
        """The transaction stays open if this fails."""
        self._expire()
        self._check()
        if self._session is not None:
            self._settle()
            self._run("commit", self._session)
        self._leave()

    def rollback(self) -> None:
        try:
            self._expire()
            self._settle()
            if self._session is not None:
                self._run("rollback", self._session)
        except Error:
            # SQLite or the host has done so before.
            pass
        finally:
            self._leave()
            if self._lost:
                self._lost = deque((n for n in self._lost if n != hosts.current()), _MOST)

    @property
    def is_postgres(self) -> bool:
        """Whether the database is one of Postgres."""
        return bool(hosts.host().dialect(self.database) == "postgres")

    @property
    def is_open(self) -> bool:
        """Whether the current request has a transaction."""
        return self.level is not None and self._request == hosts.current()

    def _expire(self) -> None:
        """Give up a transaction of another request, which has ended it, or should have."""
        now = hosts.current()
        if self.level is not None and self._request != now:
            if self._writes:
                self._lost.append(self._request)
            self._leave()
        if now in self._lost:
            raise OperationalError(
                "another request has used this connection, so this transaction was rolled back: "
                "a connection is for one request at a time"
            )

    def _control(self, what: str, text: str) -> None:
        if what == "begin":
            if self.level is not None:
                raise ProgrammingError("a transaction is open: commit it or roll it back")
            self.open("IMMEDIATE" if begins_at_once(text) else "DEFERRED")
            if self.level == "IMMEDIATE":
                self._enter(False)
        elif self.level is None:
            raise ProgrammingError(f"cannot {what}: no transaction is open")
        elif what == "rollback":
            self.rollback()
        else:
            self.commit()

    def open(self, level: IsolationLevel) -> None:
        """Begin a transaction. The host hears of it with the first statement."""
        if level in OF_POSTGRES and not self.is_postgres:
            raise InterfaceError(
                f'{level!r} is a level of Postgres: SQLite has "DEFERRED", "IMMEDIATE" and None'
            )
        self.level = level
        self._request = hosts.current()

    def _enter(self, reads: bool) -> Session:
        """The session of the open transaction, which can run a statement that reads or writes."""
        writes = not reads or self.level == "IMMEDIATE"
        if self._session is None:
            # A transaction of Postgres cannot move to another connection, and keeps none waiting.
            writes = writes or self.is_postgres
            try:
                self._session = self._open(writes)
            except BaseException:
                self.level = None
                raise
            self._writes = writes
        elif writes and not self._writes:
            self._session = self._upgraded(self._session)
        return self._session

    def _open(self, writes: bool) -> Session:
        session = Session(self.database, writes)
        try:
            if writes and not self.foreign_keys and not self.is_postgres:
                # The host turns them on again when it gets the connection back.
                self._run("pragma foreign_keys = off", session)
            text = "begin immediate" if writes else "begin"
            if self.level is not None and self.level in OF_POSTGRES:
                text = f"begin isolation level {self.level.lower()}"
            self._run(text, session)
        except BaseException:
            session.release()
            raise
        return session

    def _upgraded(self, reading: Session) -> Session:
        """The session that writes from now on.

        What was read must still be so. Once nobody else can write, the connection that has read
        tells whether there is a newer state than the one it saw.
        """
        self._settle()
        version = "pragma data_version"
        before = self._run(version, reading)
        writing = self._open(True)
        try:
            self._run("commit", reading)
            if self._run(version, reading) != before:
                self._run("rollback", writing)
                exc = LockTimeout(
                    "another transaction has written since this one began to read: roll it back "
                    'and repeat it, or let it begin with the isolation level "IMMEDIATE"'
                )
                exc.code = _STALE
                raise exc
        except BaseException as exc:
            writing.release()
            if isinstance(exc, OperationalError):
                self._failed = exc
            raise
        reading.release()
        self._writes = True
        return writing

    def _run(self, text: str, session: Session) -> Rows:
        return Statement(self.database, text, (), session, raw=True).block_rows()

    def _settle(self) -> None:
        """Read the rest of an open result: a session runs no other statement before that."""
        reader = None if self._reading is None else self._reading()
        self._reading = None
        if reader is not None:
            reader._read_all()

    def _leave(self) -> None:
        session, self._session = self._session, None
        self.level = self._failed = None
        self._writes = False
        if session is not None:
            # Whatever is open then is rolled back.
            session.release()

    def _check(self) -> None:
        if self._failed is not None:
            exc = OperationalError(f"this transaction has failed, so roll it back: {self._failed}")
            exc.code = self._failed.code
            raise exc
