"""A fake host for the tests of connections: its sockets and its TLS are those of CPython.

Servers are on the loopback address, and granted by the names that a test gives them. The host does
its work while the guest waits, as there are no threads.
"""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import gc
import itertools
import json
import select
import time
from asyncio import events
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tcpline import ROOM, Line, Tls, told_of

from bolt._runtime.loop import BoltLoop
from bolt._tcp import host as hosts

# As many as the real one lets an interpreter have, or fewer.
MOST = 100
# The code under test replaces these.
_poll = select.poll
_now = time.monotonic


@dataclass
class State_Pending: ...


@dataclass
class State_Ready:
    value: tuple[str, str, str, str]


@dataclass
class State_Failed:
    value: str


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


def _shown(address: tuple[Any, ...]) -> str:
    name, port = address[:2]
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


class TcpHost:
    """The functions of the interface `tcp`.

    granted: the servers: a name and a port, and where they are.
    tls: the options of each TLS that was begun.
    """

    State_Pending, State_Ready, State_Failed = State_Pending, State_Ready, State_Failed
    Part_Pending, Part_Data = Part_Pending, Part_Data
    Part_End, Part_Failed = Part_End, Part_Failed

    def __init__(self) -> None:
        self.granted: dict[tuple[str, int], tuple[str, int]] = {}
        self.lines: dict[int, Line] = {}
        self.closing: list[Line] = []
        self.tls: list[dict[str, Any]] = []
        self.waits = 0
        self._numbers = itertools.count(1)

    def grant(self, name: str, port: int, address: str = "127.0.0.1") -> None:
        self.granted[name, port] = (address, port)

    # The functions.

    def connect(self, host: str, port: int) -> int:
        assert isinstance(host, str) and isinstance(port, int) and 0 <= port <= 65535
        if len(self.lines) >= MOST:
            return 0
        number = next(self._numbers)
        place = self.granted.get((host, port))
        if place is None:
            told = f"this app may not connect to {host}:{port} (--allow-tcp {host}:{port})"
            self.lines[number] = Line(None, "denied", told_of("denied", told))
            return number
        if place[0] == "":
            told = f"{host} cannot be resolved"
            self.lines[number] = Line(None, "denied", told_of("name", told))
            return number
        family = _socket.AF_INET6 if ":" in place[0] else _socket.AF_INET
        socket = _socket.socket(family, _socket.SOCK_STREAM)
        socket.setblocking(False)
        # The kernel would take megabytes, and nothing would ever have to wait.
        socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, ROOM)
        with contextlib.suppress(BlockingIOError):
            socket.connect(place)
        self.lines[number] = Line(socket)
        return number

    def _line(self, number: int) -> Line:
        assert number in self.lines, "a connection that is closed was used"
        return self.lines[number]

    def start_tls(self, number: int, options: str) -> None:
        line, told = self._line(number), json.loads(options)
        assert line.state == "ready" and line.tls is None
        assert told.keys() == {"server_name", "verify", "check_name", "roots", "ca", "alpn"}
        self.tls.append(told)
        line.tls = Tls(told)
        line.tls.incoming.write(bytes(line.inbox))
        line.inbox.clear()
        line.state = "starting"
        line.work()

    def opened(self, number: int) -> Any:
        line = self._line(number)
        if line.state in ("connecting", "starting", "handshake"):
            line.wants.add("opened")
            return State_Pending()
        if line.failed:
            return State_Failed(line.failed)
        addresses = _shown(line.socket.getpeername()), _shown(line.socket.getsockname())
        if line.tls is None:
            return State_Ready((*addresses, "", ""))
        agreed = line.tls.object
        return State_Ready(
            (*addresses, agreed.version() or "", agreed.selected_alpn_protocol() or "")
        )

    def certificate(self, number: int) -> bytes:
        tls = self._line(number).tls
        return b"" if tls is None else tls.object.getpeercert(True) or b""

    def read(self, number: int, most: int) -> Any:
        assert 0 < most <= 65536
        line = self._line(number)
        if line.inbox:
            data = bytes(line.inbox[:most])
            del line.inbox[:most]
            return Part_Data(data)
        if line.failed:
            return Part_Failed(line.failed)
        assert line.state == "ready"
        if line.has_ended:
            return Part_End()
        line.wants.add("read")
        return Part_Pending()

    def write(self, number: int, data: str) -> int:
        line = self._line(number)
        assert line.state in ("ready", "failed") and not line.is_shut
        if len(line.outbox) == ROOM:
            line.work()
        sent = data.encode("latin-1")[: ROOM - len(line.outbox)]
        if not sent:
            line.wants.add("write")
        elif not line.failed:
            line.outbox += sent
            line.work()
        return 0 if line.failed else len(sent)

    def shutdown(self, number: int) -> None:
        line = self._line(number)
        line.is_shut = True
        line.work()

    def close(self, number: int) -> None:
        line = self.lines.pop(number)
        if line.socket is not None:
            line.is_shut = line.is_shut or line.state == "ready"
            if line.state == "ready":
                line.work()
            if line.outbox and not line.failed:
                self.closing.append(line)
            else:
                line.socket.close()

    def wait(self, number: int, most: int | None) -> None:
        self.waits += 1
        lines = [self._line(number)] if number else list(self.lines.values())
        until = _now() + (10 if most is None else most / 1000)
        while not any(line.is_fresh for line in lines):
            left = until - _now()
            if left <= 0:
                assert most is not None, "it would wait for ever"
                return
            self.turn(left)
        for line in lines:
            line.is_fresh = False

    def news(self) -> list[int]:
        fresh = [number for number, line in self.lines.items() if line.is_fresh]
        for number in fresh:
            self.lines[number].is_fresh = False
        return fresh

    def ends_park(self) -> bool:
        found = [x for x in self.lines.values() if x.is_fresh and not x.has_ended_park]
        for line in found:
            line.has_ended_park = True
        return bool(found)

    # The network.

    def turn(self, seconds: float) -> None:
        """Wait for the network, at most so long, and do what it allows."""
        looked = _poll()
        found = {}
        for line in (*self.lines.values(), *self.closing):
            if line.socket is not None and (mask := line.mask()):
                looked.register(line.socket.fileno(), mask)
                found[line.socket.fileno()] = line
        for fd, _ in looked.poll(max(0.0, seconds) * 1000):
            found[fd].work()
        for line in [line for line in self.closing if not line.outbox or line.failed]:
            self.closing.remove(line)
            line.socket.close()

    def shut(self) -> None:
        for line in (*self.lines.values(), *self.closing):
            if line.socket is not None:
                line.socket.close()


class Guest:
    """The event loop of an instance, which the host wakes for alarms and for progress."""

    def __init__(self, host: TcpHost) -> None:
        self.host = host
        self.complaints: list[str] = []
        self._alarm: float | None = None
        self.loop = BoltLoop(self._set_alarm, self.complaints.append)  # type: ignore[abstract]

    def _set_alarm(self, delay: int) -> None:
        self._alarm = _now() + delay / 1e9

    def run(self, coroutine: Coroutine[Any, Any, Any], seconds: float = 20) -> Any:
        end = _now() + seconds
        before = events._get_running_loop()
        events._set_running_loop(self.loop)
        try:
            task = self.loop.create_task(coroutine)
            self.loop.run_ready()
            while not task.done():
                self._turn(end)
            # Transports tell of their end in callbacks.
            for _ in range(3):
                self.loop.run_ready()
            return task.result()
        finally:
            events._set_running_loop(before)

    def _turn(self, end: float) -> None:
        until = end if self._alarm is None else min(end, self._alarm)
        while not self.host.ends_park() and _now() < until:
            self.host.turn(until - _now())
        assert _now() < end, "nothing happened for too long"
        if self._alarm is not None and _now() >= self._alarm:
            self._alarm = None
        # As the entry does when the alarm fires.
        if hosts.waiting:
            hosts.on_news()
        self.loop.tick()


def tcp_host() -> Iterator[TcpHost]:
    """The body of a fixture: a host, which has no connection left at the end."""
    made = TcpHost()
    hosts.install(made)
    yield made
    # What a test has dropped, maybe together with an exception.
    gc.collect()
    hosts.sweep()
    left = list(made.lines)
    assert not left and not hosts.waiting, (left, hosts.waiting)
    hosts.install(None)
    made.shut()


@pytest.fixture
def host() -> Iterator[TcpHost]:
    yield from tcp_host()


@pytest.fixture
def run(host: TcpHost) -> Iterator[Callable[..., Any]]:
    guest = Guest(host)
    yield guest.run
    assert guest.complaints == []


async def forever() -> None:
    await asyncio.get_running_loop().create_future()
