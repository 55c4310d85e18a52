"""`Exchange`: one request and its response over the host's functions, and the wait for progress.

An `async def` handler waits for a future that `on_news` resolves; a `def` handler waits in the
host, which blocks the interpreter. The code always polls the host before it waits, and no other
code runs in between, so it cannot miss progress.
"""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import AsyncIterable, Iterable
from typing import Any

from ._errors import RequestError, StreamClosed, failure
from ._request import Part, to_wire

__all__ = ["Exchange", "install", "on_news", "waiting"]

_NO_HOST = (
    "there is no host to send a request to: bolt.http works in a handler that bolt-host runs "
    "(a test may give a host of its own to bolt.http.install)"
)
# The sandbox has no files at run time, so the build imports the codecs that responses most often
# need. Each is a module of 20 KB.
_CODECS = "ascii latin-1 utf-8-sig utf-16 cp1251 cp1252 iso8859-2 iso8859-15 shift_jis euc_kr gbk"

_host: Any = None
# The exchanges that are not closed, each with the futures that wait for its progress.
_open: dict[int, set[asyncio.Future[None]]] = {}
# Exchanges that were garbage collected without `close`. The collector can run at any moment, also
# within a host call, so the next call to the host closes them instead.
_dropped: list[int] = []


def install(host: Any) -> None:
    """Send all requests through `host`, an object like the module `wit_world.imports.http`.

    None removes the host.
    """
    global _host
    _host = host
    _open.clear()
    _dropped.clear()
    for name in _CODECS.split():
        try:
            codecs.lookup(name)
        except LookupError:
            # This Python has no such codec: `Response.text` then falls back to UTF-8.
            continue


def waiting() -> bool:
    """Whether any exchange is open."""
    return bool(_open)


def on_news() -> None:
    """Resume the tasks that wait for an exchange which has made progress."""
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


class Exchange:
    """A request that the host has begun to send. Its owner must close it.

    head: JSON, from `Request.head`.
    body: the body or its first part, from `to_wire`.
    more: further parts follow, through `send` or `block_send`.

    Raises RuntimeError without a host. `head` raises every other error.
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
        """Release it in the host. A task that still waits for it gets StreamClosed."""
        if self.closed:
            return
        self.closed = True
        if self._sender is not None:
            self._sender.cancel()
        _open.pop(self.number, None)
        self._host.close(self.number)
        _wake(self._futures)

    def hand_over(self, request: int) -> bool:
        """Have the host send the response's body to the client of `request`, and forget it here."""
        if not self._host.proxy(self.number, request):
            return False
        self.closed = True
        _open.pop(self.number, None)
        return True

    def __del__(self) -> None:
        if not getattr(self, "closed", True) and self._host is _host:
            _dropped.append(self.number)

    # Polling.

    def _check(self) -> None:
        if self._send_error is not None:
            raise self._send_error
        if self.closed:
            raise StreamClosed("the response was closed before its end")

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
        """The next part of the response body; empty while none has arrived, None at the end."""
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
        """Whether the server has responded already and ignores the rest of the request body.

        A success response does not count: a server may send it before it has read everything.
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
        """The head of the response, `{"status", "headers"}`. Raises a RequestError."""
        while (head := self._head()) is None:
            await self._news()
        if self._sender is not None and head["status"] >= 300:
            # It may be waiting for the next part of the iterable, and would then never see that
            # the server ignores the rest.
            self._sender.cancel()
        return head

    async def part(self) -> bytes | None:
        """The next part of the response body, None at its end. Raises a RequestError."""
        while (part := self._part()) == b"":
            await self._news()
        return part

    def send(self, parts: AsyncIterable[Part] | Iterable[Part]) -> None:
        """Send the rest of the request body in a task of its own."""
        self._sender = asyncio.create_task(self._send(parts))
        self._sender.add_done_callback(self._sent)

    def _sent(self, sender: asyncio.Task[None]) -> None:
        # Retrieved in any case: asyncio logs an exception that nobody retrieves.
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
        """Send a part, None for the end. False means that the server ignores the rest."""
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
        """As `head`, but it blocks the interpreter."""
        while (head := self._head()) is None:
            self._host.wait(self.number)
        return head

    def block_part(self) -> bytes | None:
        """As `part`, but it blocks the interpreter."""
        while (part := self._part()) == b"":
            self._host.wait(self.number)
        return part

    def block_send(self, parts: Iterable[Part]) -> None:
        """As `send`, but it blocks until the body is sent or the server ignores the rest of it."""
        for part in parts:
            if not self.block_write(part):
                return
        self.block_write(None)

    def block_write(self, part: Part | None) -> bool:
        """Send a part, None for the end. False means that the server ignores the rest."""
        text = "" if part is None else to_wire(part)
        if part is not None and not text:
            return True
        while not self._unwanted():
            if self._host.write(self.number, text, part is not None):
                return True
            self._host.wait(self.number)
        return False
