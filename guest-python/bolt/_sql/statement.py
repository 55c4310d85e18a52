"""`Statement`: a statement and its result over the host's functions. `Session`: a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from marshal import loads
from typing import Any

from . import host as hosts
from .errors import DataError, InterfaceError, LimitExceeded, failure
from .wire import converters, to_wire

__all__ = ["Session", "Statement"]

Rows = list[tuple[Any, ...]]


class Session:
    """A connection for one request.

    database: its name.
    writes: whether it may write; SQLite has one such connection at a time.

    Raises LimitExceeded if the interpreter has too many.
    """

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

    columns: name and declared type of each column, once the first part is there.
    changed: how many rows were changed, -1 for a statement that changes none; after the last part.
    last_id: the id of the last row that was inserted.

    Raises DataError for an argument without a form, InterfaceError for a session that has ended.
    """

    columns: list[tuple[str, str]] | None = None
    changed = -1
    last_id = 0

    def __init__(
        self, database: str, text: str, arguments: Sequence[Any], session: Session | None = None
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
        self._is_over = False
        self._converters: list[Any] = []

    def close(self) -> None:
        """Interrupt it if it runs, and forget it."""
        if not self._is_over:
            self._is_over = True
            self._host.close(self._number)

    def __del__(self) -> None:
        if not getattr(self, "_is_over", True) and self._host is hosts._host:
            hosts.dropped.append(("close", self._number))

    def check(self) -> None:
        """Raise what the host already knows to be wrong."""
        try:
            self._part()
        finally:
            self.close()

    def _part(self) -> Rows | None:
        """The next rows; None at the end. Raises _NotYet while none is there."""
        if self._is_over:
            return None
        part = self._host.read(self._number)
        if isinstance(part, self._host.Part_Batch):
            columns, rows, end = loads(part.value)
            if columns is not None:
                self.columns = columns
                self._converters = converters(columns)
            if end is not None:
                self.changed, self.last_id = end
                self.close()
            return self._converted(rows) if self._converters else rows
        if isinstance(part, self._host.Part_Failed):
            self.close()
            raise failure(part.value)
        if isinstance(part, self._host.Part_End):
            self.close()
            return None
        raise _NotYet

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
        while True:
            try:
                return self._part()
            except _NotYet:
                pass
            future = asyncio.get_running_loop().create_future()
            hosts.waiting[self._number] = future
            try:
                await future
            except BaseException:
                # Nobody reads the rest.
                self.close()
                raise
            finally:
                hosts.waiting.pop(self._number, None)

    def block_part(self) -> Rows | None:
        """As `part`, but it blocks the interpreter."""
        while True:
            try:
                return self._part()
            except _NotYet:
                self._host.wait(self._number)

    async def rows(self) -> Rows:
        """All rows."""
        found = await self.part() or []
        while not self._is_over:
            found += await self.part() or []
        return found

    def block_rows(self) -> Rows:
        """As `rows`, but it blocks the interpreter."""
        found = self.block_part() or []
        while not self._is_over:
            found += self.block_part() or []
        return found


class _NotYet(Exception):
    """There is no part yet."""
