"""`Exchange`: one request of HTTP to an ASGI app, and what the app sends for it.

The app runs in a task of its own, because it may go on when its response is complete: the handler
returns the response then. What is complete before the app waits for something is sent as a whole.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, NoReturn

from .._dependencies.after_response import Exits
from .._responses.response import Response
from .._streams.inflow import read_parts
from .._websockets.line import service
from ..exceptions import HTTPException
from ..requests import Request
from .asgi_scope import http_scope
from .client_gone import ClientGone, is_of_leaving
from .responses import FinishedResponse, FlowingResponse, Pairs, SentFile
from .tasks import end_task, next_round, start

__all__ = ["asgi_handler"]

# What the app has sent.
_NOTHING, _HEAD, _PART, _ALL = range(4)
# Seconds that a head waits for the first part of its body, with which it may be sent as a whole.
_PATIENCE = 0.02
# Rounds of the loop in which an app may complete a response that it sends in parts, as middleware
# does that passes parts on from one task to another.
_ROUNDS = 12
# The most bytes that wait here for a client that does not take them.
_MOST = 64 * 1024
# How long an app may go on after its client is gone, in seconds. The host waits a second by default
# until it ends the interpreter.
_GRACE = 0.5
_BODILESS = frozenset({204, 205, 304})
_DISCONNECT = {"type": "http.disconnect"}


def asgi_handler(app: Callable[..., Any]) -> Callable[[Request], Any]:
    """The handler of all requests to an ASGI app."""

    async def handle(request: Request) -> Response:
        exchange = Exchange(request)
        return await exchange.respond(app(http_scope(request), exchange.receive, exchange.send))

    return handle


class Exchange:
    """A request, and the messages of its app."""

    # Defaults: what most requests do not set costs them nothing.
    _state = _NOTHING
    _status = 0
    _content_type = ""
    # Bytes of the parts that wait here, and of the one that the client is being sent.
    _size = _taken = 0
    _exits: Exits | None = None
    _is_gone = _is_read = False
    # Those who wait: the handler or the body for parts, the app for room, or for the end.
    _reader: asyncio.Future[None] | None = None
    _news: asyncio.Event | None = None
    _inflow: AsyncGenerator[bytes] | None = None
    _failure: HTTPException | None = None
    _task: Any = None
    # The file that is the body.
    _file: str | None = None

    def __init__(self, request: Request) -> None:
        self._request = request
        self._pairs: Pairs = []
        self._parts: list[bytes] = []

    # What the app calls.

    async def receive(self) -> dict[str, Any]:
        """The next part of the body; after it, that the client is gone or has its response."""
        if not self._is_read and self._state is not _ALL and not self._is_gone:
            part = await self._next_part()
            if part is not None:
                return part
        while self._state is not _ALL and not self._is_gone:
            await self._change()
        return _DISCONNECT.copy()

    async def _next_part(self) -> dict[str, Any] | None:
        """The next part of the body; None if it does not come."""
        request = self._request
        if self._inflow is None:
            request._check_unread()
            if request._body is not None:
                self._is_read = True
                return {"type": "http.request", "body": request._body, "more_body": False}
            self._inflow = read_parts()
        try:
            part = await anext(self._inflow, None)
        except HTTPException as exc:
            # The app learns that it gets no more, and the client why, unless the app answers.
            self._is_read, self._failure = True, exc
            self._leave()
            return None
        self._is_read = part is None
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def send(self, message: Mapping[str, Any]) -> None:
        """Take a message. It waits while the client has not taken what was sent before.

        Raises OSError if the client is gone, and RuntimeError for a message out of order.
        """
        kind, state = message["type"], self._state
        if self._is_gone:
            raise ClientGone
        if state is _NOTHING:
            if kind != "http.response.start":
                raise _misplaced("http.response.start", kind)
            self._begin(message)
            self._state = _HEAD
            self._tell()
            return
        if state is _ALL:
            raise RuntimeError(f"{kind!r} was sent after the response was complete")
        if kind == "http.response.pathsend" and state is _HEAD:
            self._file = os.fsdecode(message["path"])
            self._state = _ALL
            self._tell()
            return
        if kind != "http.response.body":
            raise _misplaced("http.response.body", kind)
        body = message.get("body", b"")
        if body:
            self._add(body)
        if not message.get("more_body", False):
            self._state = _ALL
            self._tell()
            return
        self._state = _PART
        self._tell()
        while self._size > _MOST:
            await self._change()
            if self._is_gone:
                raise ClientGone

    def _begin(self, message: Mapping[str, Any]) -> None:
        """Take the head of the response, here, where a traceback shows who sends it."""
        self._status = int(message["status"])
        pairs = self._pairs
        for name, value in message.get("headers", ()):
            try:
                pair = name.decode("latin-1").lower(), value.decode("latin-1")
            except AttributeError:
                raise TypeError(
                    f"a header of ASGI is a pair of bytes, not {name!r} and {value!r}"
                ) from None
            if pair[0] == "content-type":
                self._content_type = pair[1]
            else:
                pairs.append(pair)

    def _add(self, body: Any) -> None:
        if type(body) is not bytes:
            if not isinstance(body, (bytes, bytearray, memoryview)):
                raise TypeError(f"the body of ASGI is bytes, not {type(body).__qualname__}")
            body = bytes(body)
        if self._status not in _BODILESS:
            self._parts.append(body)
            self._size += len(body)

    # What waits.

    def _tell(self) -> None:
        """Something was sent."""
        reader = self._reader
        if reader is not None and not reader.done():
            reader.set_result(None)
        if self._news is not None:
            self._news.set()

    async def _sent(self) -> None:
        """Wait until the app has sent something, or has ended."""
        self._reader = asyncio.get_running_loop().create_future()
        await self._reader

    async def _change(self) -> None:
        """Wait, in the app, until the client has taken something, is gone, or all is sent."""
        self._news = self._news or asyncio.Event()
        self._news.clear()
        await self._news.wait()

    def _leave(self) -> None:
        """The client is gone: what the app sends raises from now on."""
        if self._state is not _ALL:
            self._is_gone = True
        self._tell()

    # The handler.

    async def respond(self, coroutine: Any) -> Response:
        """Run the app until its response is complete, or flows. Returns or raises the response."""
        task = self._task = start(coroutine)
        if not task.done():
            task.add_done_callback(lambda _: self._tell())
            await self._wait(task)
        if self._state is _ALL:
            return self._whole(task)
        if task.done():
            raise self._unanswered(task)
        return self._flowing()

    async def _wait(self, task: asyncio.Task[Any]) -> None:
        try:
            while self._state < _HEAD and not task.done():
                await self._sent()
            if self._state is _HEAD and not task.done():
                # Clients of events wait for the head, also when there is no event yet.
                timer = asyncio.get_running_loop().call_later(_PATIENCE, self._tell)
                await self._sent()
                timer.cancel()
            for _ in range(_ROUNDS):
                if self._state is _ALL or task.done() or self._size > _MOST:
                    break
                await next_round()
            # The client of HEAD gets no parts.
            while self._request.method == "HEAD" and self._state is not _ALL and not task.done():
                self._parts.clear()
                self._size = 0
                self._tell()
                await self._sent()
        except asyncio.CancelledError:
            self._leave()
            await end_task(task, _GRACE)
            self._log(task)
            raise

    def _whole(self, task: asyncio.Task[Any]) -> Response:
        parts = self._parts
        made: Response
        if self._file is not None:
            made = SentFile(self._status, self._pairs, self._content_type, self._file)
        else:
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            made = FinishedResponse(self._status, self._pairs, self._content_type, body)
        if task.done():
            self._log(task)
        else:
            made.background = self._rest
        return made

    def _flowing(self) -> Response:
        made = FlowingResponse(self._status, self._pairs, self._content_type, _Parts(self))
        made.after = self._exits = Exits()
        return made

    async def take(self) -> bytes | None:
        """The next part of a response that flows; None after the last one."""
        if self._taken:
            self._size -= self._taken
            self._taken = 0
            self._tell()
        while not self._parts:
            if self._state is _ALL:
                return None
            if self._task.done():
                raise self._unanswered(self._task)
            await self._sent()
        part = self._parts.pop(0)
        self._taken = len(part)
        return part

    async def close(self) -> None:
        """Nobody takes more parts. The app may go on, if they were all."""
        task = self._task
        if task is None:
            return
        if self._state is _ALL and not self._parts:
            if task.done():
                self._log(task)
            elif self._exits is not None:
                self._exits.background.add_task(self._rest)
            return
        self._leave()
        self._parts.clear()
        await end_task(task, _GRACE)
        self._log(task)

    async def _rest(self) -> None:
        """What the app does after its response, until its end. Raises what it raises."""
        await asyncio.shield(self._task)

    def _unanswered(self, task: asyncio.Task[Any]) -> BaseException:
        """Why there is no response, or no end of it."""
        # With its exception the task would refer to itself, and iterators of the app would not end.
        self._task = None
        if self._failure is not None:
            return self._failure
        if task.cancelled():
            return RuntimeError("the ASGI app cancelled itself before its response was complete")
        raised = task.exception()
        if raised is not None:
            return raised
        if self._state is _NOTHING:
            return RuntimeError("the ASGI app returned without a response: it has to send one")
        return RuntimeError(
            "the ASGI app returned before its response was complete: "
            "its last message has to be one without `more_body`"
        )

    def _log(self, task: asyncio.Task[Any]) -> None:
        """Log what an app has raised although it has answered, or has nobody to answer."""
        self._task = None
        if task.cancelled():
            return
        raised = task.exception()
        if raised is not None and not (self._is_gone and is_of_leaving(raised)):
            service().complain(raised, "")


class _Parts(AsyncGenerator[bytes]):
    """The body of a response. No generator function: one that has not begun would end nothing."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._is_closed = False

    async def asend(self, value: object) -> bytes:
        part = await self._exchange.take()
        if part is None:
            raise StopAsyncIteration
        return part

    async def athrow(self, *given: Any) -> NoReturn:
        await self.aclose()
        raise given[0]

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            await self._exchange.close()


def _misplaced(expected: str, kind: str) -> RuntimeError:
    return RuntimeError(f"expected the ASGI message {expected!r}, but got {kind!r}")
