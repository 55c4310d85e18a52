"""`Statement`: a statement and its result over the host's functions. `Session`: a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from marshal import loads
from typing import Any
from weakref import ref

from . import host as hosts
from .errors import DatabaseUnavailable, DataError, Error, InterfaceError, LimitExceeded, failure
from .wire import converters, to_wire

__all__ = ["Session", "Statement"]

Rows = list[tuple[Any, ...]]


class _NotYet:
    """There is no part yet. An exception would cost a fresh interpreter several pages."""


_NOT_YET = _NotYet()


class Session:
    """A connection for one request.

    database: its name.
    writes: whether it may write; SQLite has one such connection at a time.

    reading: the last statement, whose result may not be read yet.

    Raises LimitExceeded if the interpreter has too many.
    """

    reading: Callable[[], Statement | None] = staticmethod(lambda: None)

    def __init__(self, database: str, writes: bool) -> None:
        self._host = hosts.host()
        hosts.sweep()
        self.number: int = self._host.session(hosts.current(), database, writes)
        if not self.number:
            # The host tells why for a statement: this one is refused as the session was.
            Statement(database, "select 1", ()).check()
            raise LimitExceeded("this interpreter has too many statements and transactions open")

    def release(self) -> None:
        """Give the connection back. An open transaction is rolled back."""
        if self.number:
            self._host.release(self.number)
            self.number = 0

    def __del__(self) -> None:
        number = getattr(self, "number", 0)
        if number and self._host is hosts._host:
            hosts.dropped.append(("release", number))


class Statement:
    """A statement that the host has begun.

    raw: the values stay as the database has them.

    columns: name and declared type of each column, once the first part is there.
    changed: how many rows were changed, -1 for a statement that changes none; after the last part.
    last_id: the id of the last row that was inserted.

    Raises DataError for an argument without a form, InterfaceError for a session that has ended.
    """

    columns: list[tuple[str, str]] | None = None
    changed = -1
    last_id = 0

    def __init__(
        self,
        database: str,
        text: str,
        arguments: Sequence[Any],
        session: Session | None = None,
        *,
        raw: bool = False,
    ) -> None:
        self._host = hosts.host()
        hosts.sweep()
        if session is not None and not session.number:
            raise InterfaceError("this transaction has ended")
        if not isinstance(text, str):
            raise InterfaceError(f"a statement is a text, not {text!r}")
        number = 0 if session is None else session.number
        sent = to_wire(arguments)
        request = hosts.current()
        self._number: int = self._host.begin(request, database, number, text, sent)
        self._ended = False
        self._raw = raw
        self._converters: list[Any] = []
        # Rows that were read while another statement had to run, and why no more of them came.
        self._kept: list[Rows] = []
        self._failure: Exception | None = None
        self._before: Statement | None = None
        if session is not None:
            before = session.reading()
            if before is not None and not before._ended:
                # A connection runs one statement at a time.
                self._before = before
            session.reading = ref(self)

    @property
    def is_over(self) -> bool:
        """Whether nothing follows."""
        return self._ended and not self._kept and self._failure is None

    def close(self) -> None:
        """Interrupt it if it runs, and forget it."""
        self._kept.clear()
        self._failure = None
        self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._host.close(self._number)

    def __del__(self) -> None:
        if not getattr(self, "_ended", True) and self._host is hosts._host:
            hosts.dropped.append(("close", self._number))

    def check(self) -> None:
        """Raise what the host already knows to be wrong."""
        try:
            self._part()
        finally:
            self.close()

    def _part(self) -> Rows | _NotYet | None:
        """The next rows; None at the end."""
        if self._kept:
            return self._kept.pop(0)
        if self._ended and self._failure is not None:
            failed, self._failure = self._failure, None
            raise failed
        return self._read()

    def _read(self) -> Rows | _NotYet | None:
        """The next rows that the host has."""
        if self._ended:
            return None
        part = self._host.read(self._number)
        if isinstance(part, self._host.Part_Batch):
            columns, rows, end = loads(part.value)
            if columns is not None:
                self.columns = columns
                if not self._raw:
                    self._converters = converters(columns)
            if end is not None:
                self.changed, self.last_id = end
                self._end()
            return self._converted(rows) if self._converters else rows
        if isinstance(part, self._host.Part_Failed):
            self._end()
            raise failure(part.value)
        if isinstance(part, self._host.Part_End):
            self._end()
            raise DatabaseUnavailable("the connection was lost before the statement had ended")
        return _NOT_YET

    def _converted(self, rows: Rows) -> Rows:
        converted = []
        for row in rows:
            values = list(row)
            for place, name, convert in self._converters:
                try:
                    values[place] = convert(values[place])
                except (ValueError, ArithmeticError) as exc:
                    self.close()
                    told = f"the column {name!r} has {values[place]!r}: {exc}"
                    raise DataError(told) from None
            converted.append(tuple(values))
        return converted

    async def part(self) -> Rows | None:
        """The next rows, None at the end."""
        if self._before is not None:
            before, self._before = self._before, None
            await before._keep_rest()
        while isinstance(part := self._part(), _NotYet):
            try:
                await self._news()
            except BaseException:
                # Nobody reads the rest.
                self.close()
                raise
        return part

    async def _news(self) -> None:
        future = asyncio.get_running_loop().create_future()
        futures = hosts.waiting.setdefault(self._number, [])
        futures.append(future)
        try:
            await future
        finally:
            futures.remove(future)
            if not futures:
                hosts.waiting.pop(self._number, None)

    async def _keep_rest(self) -> None:
        """Read the rest of the result, for whoever reads it later or waits for it now."""
        if self._before is not None:
            before, self._before = self._before, None
            await before._keep_rest()
        while not self._ended:
            if not self._keep():
                await self._news()

    def _keep(self) -> bool:
        """Keep the next rows. False if there are none yet."""
        try:
            part = self._read()
        except Error as exc:
            self._failure = exc
        else:
            if isinstance(part, _NotYet):
                return False
            self._kept.append(part or [])
        hosts.wake(self._number)
        return True

    def block_part(self) -> Rows | None:
        """As `part`, but it blocks the interpreter."""
        if self._before is not None:
            before, self._before = self._before, None
            before._block_keep_rest()
        while isinstance(part := self._part(), _NotYet):
            self._host.wait(self._number)
        return part

    def _block_keep_rest(self) -> None:
        if self._before is not None:
            before, self._before = self._before, None
            before._block_keep_rest()
        while not self._ended:
            if not self._keep():
                self._host.wait(self._number)

    async def rows(self) -> Rows:
        """All rows."""
        found = await self.part() or []
        while not self.is_over:
            found += await self.part() or []
        return found

    def block_rows(self) -> Rows:
        """As `rows`, but it blocks the interpreter."""
        found = self.block_part() or []
        while not self.is_over:
            found += self.block_part() or []
        return found
