"""One exchange with another server, as the host offers it, and waiting for its news.

An `async def` handler waits by a future that `on_news` resolves; a `def` handler waits in the host,
which holds the interpreter. What is ready is always asked before waiting, and nothing runs in
between, so no news can be missed.
"""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import AsyncIterable, Iterable
from typing import Any

from .httperrors import RequestError, StreamClosed, failure

__all__ = ["Exchange", "Part", "install", "on_news", "to_wire", "waiting"]

Part = bytes | bytearray | memoryview | str

_NO_HOST = (
    "there is no host to send a request to: bolt.http works in a handler that bolt-host runs "
    "(a test may give a host of its own to bolt.http.install)"
)
# No module can be imported in the sandbox at run time, and codecs are modules, of 20 KB each.
_CODECS = "ascii latin-1 utf-8-sig utf-16 cp1251 cp1252 iso8859-2 iso8859-15 shift_jis euc_kr gbk"

_host: Any = None
# The exchanges that are not closed, and who waits for news of each.
_open: dict[int, set[asyncio.Future[None]]] = {}
# Left behind without `close`. The garbage collector may find them at any moment, so they are closed
# at the next occasion and not right then.
_dropped: list[int] = []


def install(host: Any) -> None:
    """Send all requests through `host`, the generated module `wit_world.imports.http`.

    Called once when the component is built, after the app is imported; a test may call it with an
    object that has the same functions and classes. None takes the host away.
    """
    global _host
    _host = host
    _open.clear()
    _dropped.clear()
    for name in _CODECS.split():
        try:
            codecs.lookup(name)
        except LookupError:
            # Not every Python has all of them: such a text is then read as UTF-8.
            continue


def waiting() -> bool:
    """Whether there are exchanges that may have news."""
    return bool(_open)


def on_news() -> None:
    """Resume whoever waits for an exchange that the host has news of."""
    if _host is None:
        return
    _sweep()
    for number in _host.news():
        _wake(_open.get(number, ()))


def _wake(futures: Iterable[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _sweep() -> None:
    while _dropped:
        number = _dropped.pop()
        if _open.pop(number, None) is not None:
            _host.close(number)


def to_wire(part: Part) -> str:
    """A part of a body as the host takes it: each byte as the character of the same number.

    Raises TypeError when it is neither bytes nor str.
    """
    if isinstance(part, str):
        part = part.encode()
    elif not isinstance(part, (bytes, bytearray, memoryview)):
        raise TypeError(f"a body is made of bytes or str, not {type(part).__qualname__}")
    return str(part, "latin-1")


class Exchange:
    """A request that was begun. Whoever has one must close it.

    head: JSON, as the host takes it.
    body: the body or its first part, as `to_wire` gives it.
    more: further parts follow, through `send` or `block_send`.

    Raises RuntimeError without a host. What else goes wrong is told by `head`.
    """

    def __init__(self, head: str, body: str, more: bool) -> None:
        if _host is None:
            raise RuntimeError(_NO_HOST)
        _sweep()
        self._host = _host
        self.number: int = _host.begin(head, body, more)
        self.closed = False
        self._futures = _open[self.number] = set()
        self._sender: asyncio.Task[None] | None = None
        self._send_error: BaseException | None = None

    def close(self) -> None:
        """Forget it. Whoever still waits for it gets StreamClosed."""
        if self.closed:
            return
        self.closed = True
        if self._sender is not None:
            self._sender.cancel()
        _open.pop(self.number, None)
        self._host.close(self.number)
        _wake(self._futures)

    def __del__(self) -> None:
        if not getattr(self, "closed", True) and self._host is _host:
            _dropped.append(self.number)

    # Asking.

    def _check(self) -> None:
        if self._send_error is not None:
            raise self._send_error
        if self.closed:
            raise StreamClosed("the answer was closed before its end")

    def _head(self) -> dict[str, Any] | None:
        self._check()
        told = self._host.response(self.number)
        if not told:
            return None
        head: dict[str, Any] = json.loads(told)
        if "error" in head:
            raise failure(head)
        return head

    def _part(self) -> bytes | None:
        """The next part of the answer's body; empty while there is none, None at the end."""
        while True:
            self._check()
            chunk = self._host.read(self.number)
            if isinstance(chunk, self._host.Chunk_Data):
                if chunk.value:
                    return bytes(chunk.value)
            elif isinstance(chunk, self._host.Chunk_End):
                return None
            elif isinstance(chunk, self._host.Chunk_Failed):
                raise failure(json.loads(chunk.value))
            else:
                return b""

    def _unwanted(self) -> bool:
        """Whether the server has answered already and has no use for the rest of the body.

        A success is not such an answer: a server may begin it before it has read everything.
        """
        try:
            head = self._head()
        except RequestError:
            return True
        return head is not None and head["status"] >= 300

    # Waiting in an `async def` handler.

    async def _news(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.add(future)
        try:
            await future
        finally:
            self._futures.discard(future)

    async def head(self) -> dict[str, Any]:
        """The head of the answer, `{"status", "headers"}`. Raises a RequestError."""
        while (head := self._head()) is None:
            await self._news()
        if self._sender is not None and head["status"] >= 300:
            # It may wait for the program's next part, and so not see that nobody wants it.
            self._sender.cancel()
        return head

    async def part(self) -> bytes | None:
        """The next part of the answer's body, None at its end. Raises a RequestError."""
        while (part := self._part()) == b"":
            await self._news()
        return part

    def send(self, parts: AsyncIterable[Part] | Iterable[Part]) -> None:
        """Send the rest of the body, in a task beside the one that waits for the answer."""
        self._sender = asyncio.create_task(self._send(parts))
        self._sender.add_done_callback(self._sent)

    def _sent(self, sender: asyncio.Task[None]) -> None:
        # Asked even when nobody is left to care: asyncio complains of what nobody asked for.
        error = None if sender.cancelled() else sender.exception()
        if error is not None and not self.closed:
            self._send_error = error
            _wake(self._futures)

    async def _send(self, parts: AsyncIterable[Part] | Iterable[Part]) -> None:
        if isinstance(parts, AsyncIterable):
            try:
                async for part in parts:
                    if not await self._write(part):
                        return
            finally:
                aclose = getattr(parts, "aclose", None)
                if aclose is not None:
                    await aclose()
        else:
            for part in parts:
                if not await self._write(part):
                    return
        await self._write(None)

    async def _write(self, part: Part | None) -> bool:
        """Send a part, None for the end. False: the rest is not wanted."""
        text = "" if part is None else to_wire(part)
        if part is not None and not text:
            return True
        while not self._unwanted():
            if self._host.write(self.number, text, part is not None):
                return True
            await self._news()
        return False

    # Waiting in a `def` handler.

    def block_head(self) -> dict[str, Any]:
        """As `head`, while the interpreter is held."""
        while (head := self._head()) is None:
            self._host.wait(self.number)
        return head

    def block_part(self) -> bytes | None:
        """As `part`, while the interpreter is held."""
        while (part := self._part()) == b"":
            self._host.wait(self.number)
        return part

    def block_send(self, parts: Iterable[Part]) -> None:
        """As `send`, but return only when the body is sent or the rest of it is not wanted."""
        for part in parts:
            if not self._block_write(part):
                return
        self._block_write(None)

    def _block_write(self, part: Part | None) -> bool:
        text = "" if part is None else to_wire(part)
        if part is not None and not text:
            return True
        while not self._unwanted():
            if self._host.write(self.number, text, part is not None):
                return True
            self._host.wait(self.number)
        return False
