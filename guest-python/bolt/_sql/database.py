"""`Database`: queries and transactions of an app, in `async def` and in `def` handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from .errors import Error, InterfaceError, ProgrammingError
from .rows import Rows
from .statement import Rows as Tuples
from .statement import Session, Statement

__all__ = ["Database", "SyncDatabase", "SyncTransaction", "Transaction"]

T = TypeVar("T")
Row = dict[str, Any]
Into = Callable[..., T]


class _Open:
    """A transaction that is open in the current context, and how deep it is nested."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.depth = 0


# By the name of the database. A task sees those of the code that made it.
_open: ContextVar[dict[str, _Open] | None] = ContextVar("bolt_sql_open", default=None)


def _names(statement: Statement) -> list[str]:
    return [name for name, _ in statement.columns or ()]


def _records(statement: Statement, rows: Tuples, into: Into[Any] | None) -> list[Any]:
    names = _names(statement)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ProgrammingError(f"two columns are called {twice!r}: name them with AS")
    if into is None:
        return [dict(zip(names, row, strict=True)) for row in rows]
    return [into(**dict(zip(names, row, strict=True))) for row in rows]


class _Base:
    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"the name of a database is a text, not {name!r}")
        self.name = name

    def _statement(self, text: str, arguments: tuple[Any, ...]) -> Statement:
        opened = (_open.get() or {}).get(self.name)
        return Statement(self.name, text, arguments, None if opened is None else opened.session)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Database(_Base):
    """A database that the operator grants the app by name (`--sql main=sqlite:app.db`).

    name: as in the grant. It is looked up when it is first used.
    sync: the same database for `def` handlers.

    Statements have their arguments after them: `$1`, or `?`. Outside of `transaction` each is a
    transaction of its own. A row is a dict, or what `into` makes of the columns as keywords: a
    Struct, a dataclass. All methods raise the exceptions of `bolt.sql`, and RuntimeError while the
    app is imported.
    """

    def __init__(self, name: str = "main") -> None:
        super().__init__(name)
        self.sync = SyncDatabase(name)

    @overload
    async def fetch(self, text: str, *arguments: Any) -> list[Row]: ...
    @overload
    async def fetch(self, text: str, *arguments: Any, into: Into[T]) -> list[T]: ...
    async def fetch(self, text: str, *arguments: Any, into: Any = None) -> Any:
        """All rows."""
        statement = self._statement(text, arguments)
        return _records(statement, await statement.rows(), into)

    @overload
    async def fetchrow(self, text: str, *arguments: Any) -> Row | None: ...
    @overload
    async def fetchrow(self, text: str, *arguments: Any, into: Into[T]) -> T | None: ...
    async def fetchrow(self, text: str, *arguments: Any, into: Any = None) -> Any:
        """The first row, None without one."""
        statement = self._statement(text, arguments)
        rows = await statement.part()
        statement.close()
        return _records(statement, rows[:1], into)[0] if rows else None

    async def fetchval(self, text: str, *arguments: Any) -> Any:
        """The first column of the first row, None without one."""
        statement = self._statement(text, arguments)
        rows = await statement.part()
        statement.close()
        return rows[0][0] if rows else None

    async def execute(self, text: str, *arguments: Any) -> int:
        """How many rows the statement has inserted, updated or deleted."""
        statement = self._statement(text, arguments)
        await statement.rows()
        return max(statement.changed, 0)

    async def iterate(
        self, text: str, *arguments: Any, into: Into[Any] | None = None
    ) -> AsyncIterator[Any]:
        """The rows one by one: the host reads ahead little, and waits for the handler."""
        statement = self._statement(text, arguments)
        try:
            while (rows := await statement.part()) is not None:
                for record in _records(statement, rows, into):
                    yield record
        finally:
            statement.close()

    def rows(self, text: str, *arguments: Any) -> Rows:
        """The rows as a response, for a handler to return: a JSON array of objects.

        The host runs the query when the handler has ended, outside of any transaction, and encodes
        the rows: they do not enter the sandbox. They are sent as the client takes them.

        Raises DataError for an argument without a form. A query that fails is an error 500, or 503
        if the database is away, and the log says why.
        """
        return Rows(self.name, text, arguments, lambda: self.fetch(text, *arguments))

    def transaction(self, *, readonly: bool = False) -> Transaction:
        """A transaction for `async with`: all statements of the block, and of tasks made in it.

        It is committed at the end, and rolled back if the block raises. A transaction within
        another one is a savepoint. SQLite lets one transaction write at a time: others wait.

        readonly: it sees one state of the database, and keeps nobody waiting.
        """
        return Transaction(self.name, readonly)


class SyncDatabase(_Base):
    """The `sync` of a `Database`: each method blocks the interpreter while the host works."""

    @overload
    def fetch(self, text: str, *arguments: Any) -> list[Row]: ...
    @overload
    def fetch(self, text: str, *arguments: Any, into: Into[T]) -> list[T]: ...
    def fetch(self, text: str, *arguments: Any, into: Any = None) -> Any:
        """All rows."""
        statement = self._statement(text, arguments)
        return _records(statement, statement.block_rows(), into)

    @overload
    def fetchrow(self, text: str, *arguments: Any) -> Row | None: ...
    @overload
    def fetchrow(self, text: str, *arguments: Any, into: Into[T]) -> T | None: ...
    def fetchrow(self, text: str, *arguments: Any, into: Any = None) -> Any:
        """The first row, None without one."""
        statement = self._statement(text, arguments)
        rows = statement.block_part()
        statement.close()
        return _records(statement, rows[:1], into)[0] if rows else None

    def fetchval(self, text: str, *arguments: Any) -> Any:
        """The first column of the first row, None without one."""
        statement = self._statement(text, arguments)
        rows = statement.block_part()
        statement.close()
        return rows[0][0] if rows else None

    def execute(self, text: str, *arguments: Any) -> int:
        """How many rows the statement has inserted, updated or deleted."""
        statement = self._statement(text, arguments)
        statement.block_rows()
        return max(statement.changed, 0)

    def iterate(self, text: str, *arguments: Any, into: Into[Any] | None = None) -> Iterator[Any]:
        """The rows one by one."""
        statement = self._statement(text, arguments)
        try:
            while (rows := statement.block_part()) is not None:
                yield from _records(statement, rows, into)
        finally:
            statement.close()

    def rows(self, text: str, *arguments: Any) -> Rows:
        """As `Database.rows`."""
        return Database(self.name).rows(text, *arguments)

    def transaction(self, *, readonly: bool = False) -> SyncTransaction:
        """A transaction for `with`; see `Database.transaction`."""
        return SyncTransaction(self.name, readonly)


class _Transaction:
    """What both kinds of a transaction share: the statements that begin and end it."""

    def __init__(self, database: str, readonly: bool) -> None:
        self._database = database
        self._readonly = readonly
        self._opened: _Open | None = None
        self._token: Any = None
        self._savepoint = ""

    def _check(self) -> None:
        if self._opened is not None:
            raise InterfaceError("this transaction is open: make another one")

    def _begin(self) -> Statement:
        around = _open.get() or {}
        outer = around.get(self._database)
        if outer is not None:
            outer.depth += 1
            self._opened, self._savepoint = outer, f"bolt_{outer.depth}"
            return self._run(f"savepoint {self._savepoint}")
        self._opened = _Open(Session(self._database, not self._readonly))
        self._token = _open.set({**around, self._database: self._opened})
        return self._run("begin" if self._readonly else "begin immediate")

    def _end(self, exc: BaseException | None) -> list[str]:
        """The statements that end it."""
        if self._savepoint:
            name = self._savepoint
            return (
                [f"release {name}"] if exc is None else [f"rollback to {name}", f"release {name}"]
            )
        return ["commit"] if exc is None else ["rollback"]

    def _run(self, text: str) -> Statement:
        assert self._opened is not None
        return Statement(self._database, text, (), self._opened.session)

    def _leave(self) -> None:
        opened, self._opened = self._opened, None
        assert opened is not None
        if self._savepoint:
            opened.depth -= 1
            self._savepoint = ""
        else:
            _open.reset(self._token)
            # Whatever is open then is rolled back.
            opened.session.release()


class Transaction(_Transaction):
    """A transaction, for `async with`."""

    async def __aenter__(self) -> Self:
        self._check()
        try:
            await self._begin().rows()
        except BaseException:
            if self._opened is not None:
                self._leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            for text in self._end(exc):
                await self._run(text).rows()
        except Error:
            # The connection is gone, and the transaction with it. The first exception says why.
            if exc is None:
                raise
        finally:
            self._leave()


class SyncTransaction(_Transaction):
    """A transaction, for `with`."""

    def __enter__(self) -> Self:
        self._check()
        try:
            self._begin().block_rows()
        except BaseException:
            if self._opened is not None:
                self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            for text in self._end(exc):
                self._run(text).block_rows()
        except Error:
            if exc is None:
                raise
        finally:
            self._leave()
