"""A fake host for the tests of streams: it keeps what it is told, and answers as a script says."""

from collections import deque
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from loop_host import REQUEST, Host, loop_host

from bolt._dependencies.after_response import pending
from bolt._runtime.outflow import Outflows
from bolt._runtime.tracebacks import failure_text
from bolt._serialization.replies import encode_reply
from bolt._streams import progress


class Taken(Enum):
    MORE = 0
    PAUSE = 1
    FULL = 2
    GONE = 3


@dataclass
class Part_Pending: ...


@dataclass
class Part_Data:
    value: bytes


@dataclass
class Part_End: ...


@dataclass
class Part_Failed:
    value: str


@dataclass
class Progress:
    request: int
    gone: bool = False


class StreamHost:
    """The functions of the interface `streams`, and an instance that uses them.

    calls: what the host was told, in order: "open 1", "write a", "close 1 ok", "linger 1 begins".
    answers: those of the next calls of `write`; after them it takes everything.
    parts: those of the next calls of `read`. A function is called instead of an answer.
    """

    Taken = Taken
    Part_Pending, Part_Data, Part_End, Part_Failed = Part_Pending, Part_Data, Part_End, Part_Failed

    def __init__(self, clock: Host) -> None:
        self.clock = clock
        self.calls: list[str] = []
        self.chunks: list[str] = []
        self.answers: deque[Taken] = deque()
        self.parts: deque[Any] = deque()
        self.progress: list[Progress] = []
        self.complaints: list[str] = []
        self.has_room = True
        self.unsent = 0
        self.outflows = Outflows(
            clock.loop,
            REQUEST,
            lambda request, done: self.calls.append(
                f"linger {request} {'ends' if done else 'begins'}"
            ),
            lambda exc, handler: self.complaints.append(failure_text(exc, handler)),
            lambda request: None,
            lambda request: request == self.unsent,
        )

    # The host.

    def open(self, request: int) -> bool:
        self.calls.append(f"open {request}")
        return self.has_room

    def write(self, request: int, chunk: str) -> Taken:
        answer = self.answers.popleft() if self.answers else Taken.MORE
        assert REQUEST.get() == request
        if answer in (Taken.MORE, Taken.PAUSE):
            self.chunks.append(chunk)
        self.calls.append(f"write {chunk[:20]}")
        return answer

    def close(self, request: int, failed: bool) -> None:
        self.calls.append(f"close {request} {'failed' if failed else 'ok'}")

    def read(self, request: int) -> Any:
        part = self.parts.popleft()
        return part() if isinstance(part, Callable) else part

    def wait(self, request: int) -> None:
        self.calls.append(f"wait {request}")

    def news(self) -> list[Progress]:
        found, self.progress = self.progress, []
        return found

    # The instance.

    def answer(self, result: Any, request: int = 1, handler: str = "f, app.py:1") -> str:
        """Encode the result of a handler as the entry does. Returns the reply."""

        def encoded() -> str:
            reply = encode_reply(200, result)
            for exits in pending:
                assert exits.stream is not None
                reply = self.outflows.open(request, exits, reply, handler)
            pending.clear()
            self.clock.loop.rouse()
            return reply

        return copy_context().run(encoded)

    def tell(self, *news: Progress) -> None:
        """The alarm fires because something has progressed."""
        self.progress += news
        progress.on_news()
        self.clock.loop.tick()

    def run(self, rounds: int = 20) -> None:
        """Let the alarm ring until nothing is due, or so many times."""
        for _ in range(rounds):
            if self.clock.alarm is None:
                break
            self.clock.ring()

    @property
    def sent(self) -> str:
        return "".join(self.chunks).encode("latin-1").decode()


def stream_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[StreamHost]:
    """The body of a fixture: the host, with the event loop of an instance."""
    for clock in loop_host(monkeypatch):
        made = StreamHost(clock)
        pending.clear()
        progress.install(made, REQUEST.get)
        yield made
        assert not progress.flows
        progress.install(None, int)
