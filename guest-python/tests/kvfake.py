"""A fake host for the tests of keys and values: stores in memory, with a clock of their own."""

import asyncio
import contextlib
import json
import marshal
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bolt import kv
from bolt._kv import host as hosts

MOST_VALUE = 1024 * 1024
DIGITS = frozenset(b"0123456789")


@dataclass
class Outcome_Pending:
    value: int


@dataclass
class Outcome_Done:
    value: bytes


@dataclass
class Outcome_Failed:
    value: str


class Refused(Exception):
    """What the host refuses."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass
class Kept:
    """A value, and when it expires in milliseconds; 0 is never."""

    value: bytes
    until: int = 0


class KvHost:
    """The functions of the interface `kv`.

    stores: the granted stores.
    pends: whether commands are answered later.
    now: the clock, in milliseconds.
    log: the commands that have run.
    problem: what commands raise instead of running: kind and message. Those in `fails`, or all.
    longest: the most keys in a page, as if values were large.
    """

    Outcome_Pending, Outcome_Done = Outcome_Pending, Outcome_Done
    Outcome_Failed = Outcome_Failed

    def __init__(self, pends: bool) -> None:
        self.stores: dict[str, dict[str, Kept]] = {"main": {}}
        self.pends = pends
        self.request = 1
        self.now = 1_000_000
        self.log: list[str] = []
        self.problem: tuple[str, str] | None = None
        self.fails: tuple[str, ...] = ()
        self.longest = 1000
        self.waits = 0
        # What runs: store, command and arguments; later the outcome.
        self.commands: dict[int, Any] = {}
        self._count = 0
        self._news: list[int] = []

    # The host.

    def call(self, request: int, store: str, command: str, arguments: str) -> Any:
        assert request == self.request
        sent = marshal.loads(arguments.encode("latin-1"))
        if not self.pends:
            return self._outcome(store, command, sent)
        self._count += 1
        self.commands[self._count] = (store, command, sent)
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().call_soon(self._happen)
        return Outcome_Pending(self._count)

    def read(self, command: int) -> Any:
        found = self.commands[command]
        return Outcome_Pending(command) if isinstance(found, tuple) else found

    def close(self, command: int) -> None:
        self.commands.pop(command, None)

    def wait(self, command: int) -> None:
        self.waits += 1
        self._advance()

    def news(self) -> list[int]:
        found, self._news = self._news, []
        return found

    # The stores.

    def _happen(self) -> None:
        self._advance()
        # As the entry does when the alarm fires.
        if hosts.waiting:
            hosts.on_news()

    def _advance(self) -> None:
        for number, found in self.commands.items():
            if isinstance(found, tuple):
                self.commands[number] = self._outcome(*found)
                self._news.append(number)

    def _outcome(self, store: str, command: str, sent: tuple[Any, ...]) -> Any:
        try:
            if store not in self.stores:
                raise Refused("denied", f"this app has no store {store!r}: --kv NAME=FILE")
            if self.problem is not None and (not self.fails or command in self.fails):
                raise Refused(*self.problem)
            self.log.append(command)
            kept = self.stores[store]
            for key in [key for key, one in kept.items() if 0 < one.until <= self.now]:
                del kept[key]
            return Outcome_Done(marshal.dumps(getattr(self, f"_{command}")(kept, *sent), 4))
        except Refused as exc:
            return Outcome_Failed(json.dumps({"kind": exc.kind, "message": str(exc)}))

    def _until(self, ttl: int) -> int:
        return self.now + ttl if ttl else 0

    def _keep(self, kept: dict[str, Kept], ttl: int, key: str, value: bytes) -> None:
        assert type(key) is str and 0 < len(key.encode()) <= 512 and type(value) is bytes
        if len(value) > MOST_VALUE:
            raise Refused("limit", f"a value has more than {MOST_VALUE} bytes (--kv-value)")
        kept[key] = Kept(value, self._until(ttl))

    def _get(self, kept: dict[str, Kept], *keys: str) -> list[bytes | None]:
        return [kept[key].value if key in kept else None for key in keys]

    def _set(
        self,
        kept: dict[str, Kept],
        ttl: int,
        condition: str,
        expected: bytes | None,
        key: str,
        value: bytes,
    ) -> bool:
        (before,) = self._get(kept, key)
        holds = {
            "always": True,
            "absent": before is None,
            "present": before is not None,
            "equal": before == expected,
        }[condition]
        if holds:
            self._keep(kept, ttl, key, value)
        return holds

    def _put(self, kept: dict[str, Kept], ttl: int, *pairs: Any) -> None:
        copied = dict(kept)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            self._keep(copied, ttl, key, value)
        kept.update(copied)

    def _incr(self, kept: dict[str, Kept], by: int, ttl: int, key: str) -> int:
        if key not in kept:
            self._keep(kept, ttl, key, b"0")
        before = kept[key].value
        if not before or not DIGITS.issuperset(before.removeprefix(b"-")):
            raise Refused("data", f"the value of {key!r} is no integer")
        after = int(before) + by
        if not -(2**63) <= after < 2**63:
            raise Refused("data", f"the value of {key!r} would have more than 64 bits")
        kept[key].value = b"%d" % after
        return after

    def _delete(self, kept: dict[str, Kept], *keys: str) -> int:
        return sum(kept.pop(key, None) is not None for key in keys)

    def _expire(self, kept: dict[str, Kept], ttl: int, key: str) -> bool:
        if key in kept:
            kept[key].until = self._until(ttl)
        return key in kept

    def _scan(
        self, kept: dict[str, Kept], prefix: str, after: str | None, most: int, values: bool
    ) -> list[Any]:
        assert most <= 1000
        keys = sorted((key for key in kept if key.startswith(prefix)), key=str.encode)
        if after is not None:
            keys = [key for key in keys if key.encode() > after.encode()]
        page = keys[: min(most, self.longest)]
        return [(key, kept[key].value) for key in page] if values else page


def kv_host(pends: bool) -> Iterator[KvHost]:
    """The body of a fixture: the host, with the store `main`."""
    made = KvHost(pends)
    kv.install(made, lambda: made.request)
    yield made
    # Whatever was garbage collected.
    hosts.sweep()
    assert not made.commands and not hosts.waiting, made.commands
    kv.install(None, int)


@pytest.fixture(params=["at once", "later"])
def host(request: pytest.FixtureRequest) -> Iterator[KvHost]:
    yield from kv_host(request.param == "later")


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def within() -> Any:
        # A timeout, so that a bug does not hang the tests.
        async with asyncio.timeout(10):
            return await coroutine

    return asyncio.run(within())
