"""A fake host for the tests of `bolt.http`: its exchanges follow scripts, and no test waits."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bolt import http
from bolt.http import _exchange

Install = Callable[..., "FakeHost"]


@dataclass
class Pending:
    pass


@dataclass
class Data:
    value: bytes


@dataclass
class End:
    pass


@dataclass
class Failed:
    value: str


def head(status: int = 200, *headers: tuple[str, str]) -> tuple[str, str]:
    return "head", json.dumps({"status": status, "headers": headers})


def error(kind: str, message: str) -> tuple[str, str]:
    return "head", json.dumps({"error": kind, "message": message})


def data(value: bytes) -> tuple[str, Any]:
    return "part", Data(value)


END = ("part", End())
# The connection accepts one more chunk of the request body.
ROOM = ("room", 1)
# The next steps happen only after the request body is complete.
SENT = ("sent", None)


def broken(kind: str, message: str) -> tuple[str, Any]:
    return "part", Failed(json.dumps({"error": kind, "message": message}))


def answer(status: int = 200, body: bytes = b"", *headers: tuple[str, str]) -> list[Any]:
    return [SENT, head(status, *headers), *([data(body)] if body else []), END]


@dataclass
class Exchange:
    head: dict[str, Any]
    chunks: list[str]
    complete: bool
    steps: list[tuple[str, Any]]
    room: float = float("inf")
    response: str = ""
    parts: list[Any] = field(default_factory=list)
    closed: bool = False

    @property
    def body(self) -> bytes:
        return "".join(self.chunks).encode("latin-1")

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.head["headers"] if key == name]
        assert len(found) < 2
        return found[0] if found else None

    def advance(self) -> bool:
        """Perform the next step of the script. False when none is due."""
        while self.steps and self.steps[0][0] == "sent" and self.complete:
            del self.steps[0]
        if not self.steps or self.steps[0][0] == "sent":
            return False
        kind, value = self.steps.pop(0)
        if kind == "head":
            self.response = value
        elif kind == "room":
            self.room += value
        else:
            self.parts.append(value)
        return True


class FakeHost:
    """Takes a script for each exchange, in order, or a function that creates it."""

    Chunk_Pending, Chunk_Data, Chunk_End, Chunk_Failed = Pending, Data, End, Failed

    def __init__(self, *scripts: Any, room: float = float("inf")) -> None:
        self.scripts = list(scripts)
        self.room = room
        self.exchanges: list[Exchange] = []
        self.fresh: set[int] = set()
        self.waits = 0
        self.takes_over = True

    @property
    def left_open(self) -> list[int]:
        return [n for n, exchange in enumerate(self.exchanges, 1) if not exchange.closed]

    def begin(self, head: str, body: str, more: bool) -> int:
        script = self.scripts.pop(0)
        told = json.loads(head)
        steps = script(told) if isinstance(script, Callable) else script
        self.exchanges.append(Exchange(told, [body], not more, list(steps), self.room))
        return len(self.exchanges)

    def _of(self, number: int) -> Exchange:
        exchange = self.exchanges[number - 1]
        assert not exchange.closed, "a closed exchange was used"
        return exchange

    def write(self, number: int, chunk: str, more: bool) -> bool:
        exchange = self._of(number)
        assert not exchange.complete
        if exchange.room < 1:
            self._later(number)
            return False
        exchange.room -= 1
        exchange.chunks.append(chunk)
        exchange.complete = not more
        self._later(number)
        return True

    def response(self, number: int) -> str:
        exchange = self._of(number)
        if not exchange.response:
            self._later(number)
        return exchange.response

    def read(self, number: int) -> Any:
        exchange = self._of(number)
        if exchange.parts:
            return exchange.parts.pop(0)
        self._later(number)
        return Pending()

    def proxy(self, number: int, request: int) -> bool:
        exchange = self._of(number)
        if not self.takes_over or not exchange.complete:
            return False
        self.close(number)
        return True

    def close(self, number: int) -> None:
        self._of(number).closed = True
        self.fresh.discard(number)

    def wait(self, number: int) -> None:
        self.waits += 1
        assert self._of(number).advance(), "it would wait for ever"

    def news(self) -> list[int]:
        fresh, self.fresh = sorted(self.fresh), set()
        return fresh

    def _later(self, number: int) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        loop.call_soon(self._happen, number)

    def _happen(self, number: int) -> None:
        exchange = self.exchanges[number - 1]
        if not exchange.closed and exchange.advance():
            self.fresh.add(number)
        # As the entry does when the alarm fires.
        if _exchange.waiting():
            _exchange.on_news()


@pytest.fixture
def host() -> Iterator[Install]:
    made: list[FakeHost] = []

    def install(*scripts: Any, room: float = float("inf")) -> FakeHost:
        made.append(FakeHost(*scripts, room=room))
        http.install(made[-1])
        return made[-1]

    yield install
    for each in made:
        assert each.left_open == []
    assert not _exchange.waiting()
    http.install(None)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def within() -> Any:
        # A timeout, so that a bug does not hang the tests.
        async with asyncio.timeout(10):
            result = await coroutine
        # A cancelled sender ends in the next round of the loop.
        for _ in range(3):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(within())
