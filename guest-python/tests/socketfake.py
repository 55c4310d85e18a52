"""A fake host for the tests of WebSockets: the handshake, both directions, and the entry's part."""

import asyncio
import marshal
from collections import deque
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import pytest
from loop_host import REQUEST, Host, loop_host
from streamfake import Progress, Taken

from bolt import BoltAPI, HTTPException
from bolt._dependencies.after_response import pending
from bolt._runtime.tracebacks import failure_text
from bolt._serialization.replies import encode_exception, encode_reply
from bolt._streams import progress
from bolt._websockets import line
from bolt._websockets.session import SocketEnded


@dataclass
class Message_Pending: ...


@dataclass
class Message_Text:
    value: str


@dataclass
class Message_Binary:
    value: bytes


@dataclass
class Message_Closed:
    value: tuple[int, str]


class SocketHost:
    """The functions of the interface `sockets`, and what the entry does for a websocket route.

    calls: what the host was told, in order: "open", "reply 101", "text hello", "close 1000".
    answers: those of the next calls of `send`; after them it takes everything.
    sent: the messages that it took, with their requests.
    replies: the decoded reply of each request.
    """

    Taken = Taken
    Message_Pending, Message_Text = Message_Pending, Message_Text
    Message_Binary, Message_Closed = Message_Binary, Message_Closed

    def __init__(self, clock: Host) -> None:
        self.clock = clock
        self.api = BoltAPI()
        self.calls: list[str] = []
        self.answers: deque[Taken] = deque()
        self.sent: list[tuple[int, str]] = []
        self.inbox: dict[int, deque[Any]] = {}
        self.replies: dict[int, Any] = {}
        self.complaints: list[str] = []
        self.has_room = True
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.cancelled: set[int] = set()
        self._progress: list[Progress] = []
        self._starting = 0
        self._closed: dict[int, tuple[int, str]] = {}

    # The host.

    def open(self, request: int) -> bool:
        self.calls.append("open")
        return self.has_room

    def send(self, request: int, binary: bool, data: str) -> Taken:
        # Another handler of the instance may send.
        assert request in self.replies and REQUEST.get() in self.replies
        answer = self.answers.popleft() if self.answers else Taken.MORE
        if request in self._closed:
            answer = Taken.GONE
        if answer in (Taken.MORE, Taken.PAUSE):
            self.calls.append(f"{'bytes' if binary else 'text'} {data}")
            self.sent.append((request, data))
        return answer

    def receive(self, request: int) -> Any:
        assert request in self.replies
        inbox = self.inbox.setdefault(request, deque())
        if inbox:
            return inbox.popleft()
        if request in self._closed:
            return Message_Closed(self._closed[request])
        return Message_Pending()

    def close(self, request: int, code: int, reason: str) -> None:
        self.calls.append(f"close {code} {reason}".rstrip())

    def news(self) -> list[Progress]:
        found, self._progress = self._progress, []
        return found

    # The entry.

    def call(self, path: str, /, *values: Any, request: int = 1, **wire: Any) -> Any:
        """Call a websocket route. Returns the reply, once there is one, or None."""
        (route,) = (one for one in self.api.routes if one.is_socket and one.path == path)
        sent = (
            *("GET", wire.get("scheme", "http"), path, wire.get("query", "")),
            *(wire.get("headers", [("host", "a.example")]), ("::1", 5), wire.get("path", {})),
            *(b"", wire.get("prefix", "")),
        )
        self._starting = request
        context = copy_context()
        context.run(REQUEST.set, request)
        running = context.run(route.invoke, (*values, sent))
        task = context.run(
            asyncio.Task, self._answer(request, running, route.shown), loop=self.clock.loop
        )
        self.tasks[request] = task
        self.clock.loop.run_ready()
        self._starting = 0
        self.run()
        return self.replies.get(request)

    async def _answer(self, request: int, running: Any, handler: str) -> None:
        try:
            reply = encode_reply(101, await running)
        except SocketEnded:
            return
        except BaseException as exc:
            if isinstance(exc, HTTPException):
                reply = encode_exception(exc)
            else:
                self._complain(exc, handler)
                reply = encode_reply(500, {"detail": "Internal Server Error"})
        for exits in pending:
            self.calls.append(f"work {len(exits.background.tasks)}")
        pending.clear()
        self._reply(request, reply)

    def _reply(self, request: int, reply: str) -> None:
        assert request not in self.replies, "a second reply"
        decoded = marshal.loads(reply.encode("latin-1"))
        self.calls.append(f"reply {decoded[0]}")
        if request != self._starting:
            self.replies[request] = decoded
        else:
            # The host has it when `call` returns.
            self.clock.loop.call_later(0, self.replies.setdefault, request, decoded)

    def _complain(self, exc: BaseException, handler: str) -> None:
        self.complaints.append(failure_text(exc, handler))

    def install(self) -> None:
        line.install(
            self,
            line.Service(
                self._reply,
                lambda request: request not in self.replies,
                self.cancelled.__contains__,
                lambda request, done: self.calls.append(f"linger {'ends' if done else 'begins'}"),
                self._complain,
                lambda request: None,
            ),
        )

    # The client.

    def tell(self, *messages: str | bytes, request: int = 1) -> None:
        """Messages of the client arrive."""
        for one in messages:
            made = Message_Text(one) if isinstance(one, str) else Message_Binary(one)
            self.inbox.setdefault(request, deque()).append(made)
        self.progress(Progress(request))

    def leave(self, code: int = 1001, reason: str = "", request: int = 1) -> None:
        """The client closes its WebSocket, or is gone."""
        self._closed[request] = (code, reason)
        self.progress(Progress(request, gone=True))

    def progress(self, *news: Progress) -> None:
        self._progress += news
        progress.on_news()
        self.clock.loop.tick()
        self.run()

    def run(self, seconds: float = 0.01) -> None:
        """Let the alarm ring for so long."""
        until = self.clock.now + seconds
        while self.clock.alarm is not None and self.clock.alarm <= until:
            self.clock.ring()
        self.clock.now = max(self.clock.now, until)

    def is_done(self, request: int = 1) -> bool:
        return self.tasks[request].done()


def socket_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[SocketHost]:
    """The body of a fixture: the host, with the event loop of an instance."""
    for clock in loop_host(monkeypatch):
        made = SocketHost(clock)
        pending.clear()
        progress.install(made, REQUEST.get)
        made.install()
        yield made
        for request, task in made.tasks.items():
            if not task.done():
                made.leave(request=request)
                made.run(60)
                assert task.done(), "the handler of a client that is gone goes on"
        assert not progress.flows
        progress.install(None, int)
        line.install(None, None)
