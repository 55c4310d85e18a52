"""`Connection`: a connection over the host's functions, for code that polls, blocks or awaits."""

from __future__ import annotations

import asyncio
import errno
from time import monotonic
from typing import Any

from . import host as hosts
from .errors import failure, system_error

__all__ = ["MOST", "Connection", "deadline_of"]

MOST = 65536
"""Bytes of one read or write."""
# Bytes that are read before anybody wants them, to see whether there are any.
_MOST_AHEAD = 4 * MOST


class Connection:
    """A connection that the host has begun to open.

    name, port: the server. The host resolves the name.

    peer, local: the addresses, like `127.0.0.1:5432`, once it is ready.
    version: the version of TLS, or "".
    protocol: what was agreed on by ALPN, or "".
    is_full: the last write found no room.

    Raises OSError if the interpreter has too many.
    """

    peer = local = version = protocol = ""
    is_full = False

    def __init__(self, name: str, port: int) -> None:
        self._host = hosts.host()
        hosts.sweep()
        self.number: int = self._host.connect(name, port)
        self.is_closed = False
        if not self.number:
            self.is_closed = True
            raise OSError(errno.EMFILE, "this interpreter has too many connections open")
        self._is_opening = True
        self._is_shut = self._has_ended = False
        self._failed: str | None = None
        self._ahead = bytearray()

    def close(self) -> None:
        """Forget it. Whoever waits for it gets an OSError."""
        if not self.is_closed:
            self.is_closed = True
            self._host.close(self.number)
            hosts.wake(self.number)

    def __del__(self) -> None:
        if not getattr(self, "is_closed", True) and self._host is hosts._host:
            hosts.dropped.append(self.number)

    # Polling.

    def _check(self) -> None:
        if self.is_closed:
            raise system_error(errno.EBADF)
        if self._failed is not None:
            raise failure(self._failed)

    def _fail(self, told: str) -> OSError:
        self._failed = told
        return failure(told)

    def opened(self) -> bool:
        """Whether it is ready, or TLS is. Raises what went wrong."""
        self._check()
        if not self._is_opening:
            return True
        told = self._host.opened(self.number)
        if isinstance(told, self._host.State_Failed):
            raise self._fail(told.value)
        if not isinstance(told, self._host.State_Ready):
            return False
        self.peer, self.local, self.version, self.protocol = told.value
        self._is_opening = False
        return True

    def is_settled(self) -> bool:
        """Whether nothing is under way that `opened` waits for."""
        try:
            return self.opened()
        except OSError:
            return True

    def start_tls(self, options: str) -> None:
        """Begin TLS. `opened` says when it is ready."""
        self._check()
        if self._ahead:
            # Whoever is on the way may have sent them, to have them taken for what TLS protects.
            raise ConnectionAbortedError(
                errno.ECONNABORTED, "there are bytes from before TLS that nobody has read"
            )
        self._host.start_tls(self.number, options)
        self._is_opening = True

    def certificate(self) -> bytes:
        """The certificate of the server, DER; empty without TLS."""
        self._check()
        return bytes(self._host.certificate(self.number))

    def read(self, most: int) -> bytes | None:
        """The next bytes, b"" at the end; None if there are none yet."""
        if self._ahead:
            if self.is_closed:
                raise system_error(errno.EBADF)
            data = bytes(self._ahead[:most])
            del self._ahead[:most]
            return data
        self._check()
        return b"" if self._has_ended else self._read(most)

    def _read(self, most: int) -> bytes | None:
        while True:
            part = self._host.read(self.number, min(most, MOST))
            if isinstance(part, self._host.Part_Data):
                # No bytes would be taken for the end.
                if part.value:
                    return bytes(part.value)
            elif isinstance(part, self._host.Part_End):
                self._has_ended = True
                return b""
            elif isinstance(part, self._host.Part_Failed):
                raise self._fail(part.value)
            else:
                return None

    def look(self) -> bool:
        """Whether a read would not have to wait: for bytes, for the end or for what it raises."""
        if self._ahead or self._has_ended or self._failed is not None or self.is_closed:
            return True
        if self._is_opening:
            # TLS is begun: whoever waits for the server goes on with that.
            return self.is_settled()
        try:
            data = self._read(MOST)
        except OSError:
            return True
        self._ahead += data or b""
        return data is not None

    def ahead(self, most: int) -> bytes:
        """Bytes that `look` has found. They stay."""
        return bytes(self._ahead[:most])

    def count_ahead(self) -> int:
        """How many bytes `look` has found."""
        return len(self._ahead)

    def write(self, data: memoryview) -> int:
        """How many bytes the host has taken; 0: none now."""
        self._check()
        if self._is_shut:
            raise system_error(errno.EPIPE)
        taken = 0
        while taken < len(data):
            count = self._host.write(self.number, str(data[taken : taken + MOST], "latin-1"))
            if not count:
                self.is_full = True
                if not taken:
                    self._find_failure()
                return taken
            taken += count
        self.is_full = False
        return taken

    def _find_failure(self) -> None:
        """Raise why a write failed, if it did: a read tells."""
        if len(self._ahead) < _MOST_AHEAD:
            self._ahead += self._read(MOST) or b""

    def shutdown(self) -> None:
        """Send nothing more."""
        if not self._is_shut:
            self._check()
            self._is_shut = True
            self._host.shutdown(self.number)

    # Waiting in a `def` handler.

    def block(self, deadline: float | None) -> None:
        """Block the interpreter until it has progressed. Raises TimeoutError at the deadline."""
        if not hosts.block(self.number, deadline):
            raise TimeoutError("timed out")

    def block_opened(self, deadline: float | None = None) -> None:
        """As `until_opened`, but it blocks the interpreter."""
        while not self.opened():
            self.block(deadline)

    def block_receive(self, most: int, deadline: float | None = None) -> bytes:
        """As `receive`, but it blocks the interpreter."""
        while (data := self.read(most)) is None:
            self.block(deadline)
        return data

    def block_send(self, data: memoryview, deadline: float | None = None) -> int:
        """Send some bytes, at least one; returns how many."""
        while not (count := self.write(data)) and len(data):
            self.block(deadline)
        return count

    # Waiting in an `async def` handler.

    async def news(self) -> None:
        """Return after the next progress."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def resume() -> None:
            if not future.done():
                future.set_result(None)

        calls = hosts.waiting.setdefault(self.number, [])
        calls.append(resume)
        try:
            await future
        finally:
            calls.remove(resume)
            if not calls:
                hosts.waiting.pop(self.number, None)

    async def until_opened(self) -> None:
        """Return when it is ready, or TLS is. Raises what went wrong."""
        while not self.opened():
            await self.news()

    async def receive(self, most: int) -> bytes:
        """The next bytes, b"" at the end."""
        while (data := self.read(most)) is None:
            await self.news()
        return data

    async def send(self, data: Any) -> None:
        """Send all bytes."""
        with memoryview(data) as given, given.cast("B") as view:
            sent = 0
            while sent < len(view):
                if count := self.write(view[sent:]):
                    sent += count
                else:
                    await self.news()


def deadline_of(timeout: float | None) -> float | None:
    """The moment in which a timeout ends."""
    return None if timeout is None else monotonic() + timeout
