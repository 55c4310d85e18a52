"""A fake host for the tests of databases: its SQLite is that of CPython, and no test waits."""

import asyncio
import itertools
import json
import marshal
import re
import sqlite3
from collections import deque
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bolt import sql
from bolt._sql import host as hosts

# Parts that wait for a guest. A statement with more of them holds up its session.
MOST_PARTS = 2
MOST = 100
PRAGMAS = {
    *("data_version", "defer_foreign_keys", "foreign_key_check", "foreign_key_list"),
    *("foreign_keys", "function_list", "index_info", "index_list", "index_xinfo"),
    *("integrity_check", "table_info", "table_list", "table_xinfo", "user_version"),
}
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1024 * 1024,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1024 * 1024,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 32,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
}
READS = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_PRAGMA,
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
    }
)
KINDS = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "unique",
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "unique",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "foreign-key",
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: "not-null",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "check",
    sqlite3.SQLITE_CONSTRAINT: "integrity",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_INTERRUPT: "cancelled",
    sqlite3.SQLITE_TOOBIG: "data",
    sqlite3.SQLITE_MISMATCH: "data",
    sqlite3.SQLITE_ERROR: "statement",
    sqlite3.SQLITE_AUTH: "statement",
}


@dataclass
class Part_Pending: ...


@dataclass
class Part_Batch:
    value: bytes


@dataclass
class Part_Failed:
    value: str


@dataclass
class Part_End: ...


class Refused(Exception):
    """What the host itself refuses."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Line:
    """A connection to the file, with the guard of the host."""

    def __init__(self, path: Path, writes: bool) -> None:
        self.writes = writes
        self.is_denied = self.has_written = False
        self.found = sqlite3.connect(path, isolation_level=None, cached_statements=0)
        self.found.execute("pragma journal_mode = wal")
        self.found.execute("pragma synchronous = off")
        self.found.execute("pragma foreign_keys = on")
        for limit, most in LIMITS.items():
            self.found.setlimit(limit, most)
        self.found.set_authorizer(self._authorize)

    def _authorize(self, action: int, first: Any, second: Any, *rest: Any) -> int:
        if action == sqlite3.SQLITE_ATTACH:
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_PRAGMA and first.lower() not in PRAGMAS:
            return sqlite3.SQLITE_DENY
        if action not in READS:
            self.has_written = True
            self.is_denied = not self.writes
            return sqlite3.SQLITE_OK if self.writes else sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    def run(self, text: str, arguments: tuple[Any, ...]) -> tuple[Any, list[Any], Any]:
        self.is_denied = self.has_written = False
        sent: Any = arguments
        if re.search(r"\$\d", text):
            sent = {str(place): value for place, value in enumerate(arguments, 1)}
        cursor = self.found.execute(text, sent)
        rows = cursor.fetchall()
        columns = [(column[0], "") for column in cursor.description or ()]
        if columns and re.search(r"\b(from|returning)\b", text, re.IGNORECASE):
            declared = self._declared(text)
            columns = [(name, declared.get(name, "")) for name, _ in columns]
        end = (-1, 0)
        if self.has_written:
            # The real one says so as well after a statement that changes no rows.
            end = self.found.execute("select changes(), last_insert_rowid()").fetchone()
        return columns, rows, end

    def _declared(self, text: str) -> dict[str, str]:
        """The declared types of the columns of all tables in a statement; sqlite3 tells none."""
        words = set(re.findall(r"\w+", text))
        found = {}
        for (table,) in self.found.execute("select name from sqlite_master").fetchall():
            if table in words:
                told = self.found.execute(f'pragma table_info("{table}")').fetchall()
                found.update({column[1]: column[2].lower() for column in told})
        return found

    def close(self) -> None:
        if self.found.in_transaction:
            self.found.execute("rollback")
        self.found.close()


@dataclass
class Opened:
    """A statement."""

    database: str
    session: int
    text: str
    arguments: str
    parts: deque[Any] = field(default_factory=deque)
    has_run: bool = False


@dataclass
class Held:
    """A session. Its connection is opened for its first statement."""

    database: str
    writes: bool
    line: Line | None = None


class SqlHost:
    """The functions of the interface `sql`.

    paths: the granted databases.
    dialects: those that are said to be of another kind than SQLite.
    batch: rows in a part.
    log: the statements in the order in which they ran, each with its session.
    problems: what the statements of a text raise instead of running.
    """

    Part_Pending, Part_Batch = Part_Pending, Part_Batch
    Part_Failed, Part_End = Part_Failed, Part_End

    def __init__(self, **paths: Path) -> None:
        self.paths = paths
        self.dialects: dict[str, str] = {}
        self.batch = 2
        self.request = 1
        self.log: list[tuple[int, str]] = []
        self.problems: dict[str, tuple[str, str]] = {}
        self.statements: dict[int, Opened] = {}
        self.sessions: dict[int, Held] = {}
        self.waits = 0
        self._lines: dict[tuple[str, bool], Line] = {}
        self._numbers = itertools.count(1)
        self._news: list[int] = []

    # The host.

    def dialect(self, database: str) -> str:
        return self.dialects.get(database, "sqlite" if database in self.paths else "")

    def begin(self, request: int, database: str, session: int, text: str, arguments: str) -> int:
        assert request == self.request
        if len(self.statements) + len(self.sessions) >= MOST:
            return 0
        number = next(self._numbers)
        self.statements[number] = opened = Opened(database, session, text, arguments)
        if database not in self.paths:
            # It is known before the guest asks.
            opened.has_run = True
            told = f"this app has no database {database!r}: --sql NAME=sqlite:FILE"
            opened.parts.append(self._failure("denied", told))
        return number

    def read(self, statement: int) -> Any:
        opened = self.statements.get(statement)
        if opened is None:
            return self._failure("limit", f"{MOST} statements are open") if not statement else None
        if opened.parts:
            return opened.parts.popleft()
        if opened.has_run:
            return Part_End()
        self._later()
        return Part_Pending()

    def close(self, statement: int) -> None:
        self.statements.pop(statement, None)

    def session(self, request: int, database: str, writes: bool) -> int:
        assert request == self.request
        if database not in self.paths or len(self.statements) + len(self.sessions) >= MOST:
            return 0
        number = next(self._numbers)
        self.sessions[number] = Held(database, writes)
        return number

    def release(self, session: int) -> None:
        held = self.sessions.pop(session, None)
        if held is not None and held.line is not None:
            held.line.close()
        # Others may have waited for it.
        self._later()

    def wait(self, statement: int) -> None:
        self.waits += 1
        self._advance()
        opened = self.statements[statement]
        assert opened.parts or opened.has_run, f"it would wait for ever: {opened.text}"

    def news(self) -> list[int]:
        found, self._news = self._news, []
        return found

    # The instance.

    def end_request(self) -> None:
        """The request has ended, and another one begins."""
        self.statements.clear()
        for number in list(self.sessions):
            self.release(number)
        self.request += 1

    def shut(self) -> None:
        self.end_request()
        for line in self._lines.values():
            line.close()
        self._lines.clear()

    # The databases.

    def _later(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        loop.call_soon(self._happen)

    def _happen(self) -> None:
        self._advance()
        # As the entry does when the alarm fires.
        if hosts.waiting:
            hosts.on_news()

    def _advance(self) -> None:
        """Run all statements that no other holds up."""
        held_up: set[int] = set()
        for number, opened in list(self.statements.items()):
            if not opened.has_run and opened.session not in held_up and self._may_run(opened):
                opened.has_run = True
                self._run(opened)
                self._news.append(number)
            if opened.session and (not opened.has_run or len(opened.parts) > MOST_PARTS):
                held_up.add(opened.session)
            elif len(opened.parts) <= MOST_PARTS:
                self._news.append(number)

    def _may_run(self, opened: Opened) -> bool:
        """Whether nobody else writes, if it does."""
        if opened.session:
            held = self.sessions.get(opened.session)
            if held is None or not held.writes:
                return True
        elif re.match(r"\s*(select|values|pragma|explain)\b", opened.text, re.IGNORECASE):
            return True
        writers = [
            number
            for number, held in self.sessions.items()
            if held.writes and held.database == opened.database
        ]
        return not writers or writers[0] == opened.session

    def _line(self, opened: Opened) -> Line:
        path = self.paths[opened.database]
        if not opened.session:
            reads = re.match(r"\s*(select|values|pragma|explain)\b", opened.text, re.IGNORECASE)
            key = (opened.database, not reads)
            if key not in self._lines:
                self._lines[key] = Line(path, not reads)
            return self._lines[key]
        held = self.sessions.get(opened.session)
        if held is None:
            raise Refused("operational", "there is no such transaction")
        if held.line is None:
            held.line = Line(path, held.writes)
        return held.line

    def _run(self, opened: Opened) -> None:
        self.log.append((opened.session, opened.text))
        line = None
        try:
            if opened.text in self.problems:
                raise Refused(*self.problems[opened.text])
            line = self._line(opened)
            arguments = marshal.loads(opened.arguments.encode("latin-1"))
            text = opened.text
            if self.dialect(opened.database) == "postgres":
                # SQLite runs it anyway.
                text = re.sub("^begin isolation level .*", "begin", text)
            columns, rows, end = line.run(text, arguments)
        except Refused as exc:
            opened.parts.append(self._failure(exc.kind, str(exc)))
        except (sqlite3.Error, OverflowError) as exc:
            opened.parts.append(self._translated(exc, line))
        else:
            parts = [rows[at : at + self.batch] for at in range(0, len(rows), self.batch)] or [[]]
            for place, part in enumerate(parts):
                first, last = place == 0, place == len(parts) - 1
                told = (columns if first else None, part, end if last else None)
                opened.parts.append(Part_Batch(marshal.dumps(told)))
        if line is not None and not opened.session and line.found.in_transaction:
            line.found.execute("rollback")

    def _translated(self, exc: Exception, line: Line | None) -> Part_Failed:
        if line is not None and line.is_denied:
            told = "this transaction only reads: begin one that writes"
            return self._failure("statement", told)
        code = getattr(exc, "sqlite_errorcode", None)
        if code is None:
            # The binding has refused the arguments.
            is_data = not str(exc).startswith("You can only execute one statement")
            return self._failure("data" if is_data else "statement", str(exc))
        kind = KINDS.get(code) or KINDS.get(code & 0xFF, "operational")
        return self._failure(kind, str(exc), str(code))

    def _failure(self, kind: str, message: str, code: str | None = None) -> Part_Failed:
        told = {"kind": kind, "message": message, **({} if code is None else {"code": code})}
        return Part_Failed(json.dumps(told))


def sql_host(tmp_path: Path) -> Iterator[SqlHost]:
    """The body of a fixture: the host, with the database `main`."""
    made = SqlHost(main=tmp_path / "main.db")
    sql.install(made, lambda: made.request)
    yield made
    # Whatever was garbage collected.
    hosts.sweep()
    left = [opened.text for opened in made.statements.values()]
    assert not left and not made.sessions and not hosts.waiting, (left, made.sessions)
    sql.install(None, int)
    made.shut()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SqlHost]:
    yield from sql_host(tmp_path)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def within() -> Any:
        # A timeout, so that a bug does not hang the tests.
        async with asyncio.timeout(10):
            return await coroutine

    return asyncio.run(within())
