"""The clients of streams.py: crowds that watch events or hold WebSockets, and downloads."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Self, TypeVar

from clients import request_bytes
from load import BenchError, send

T = TypeVar("T")

# Connections that open at the same time: fewer than the backlog of each server here.
OPENING = 400
# The longest time in which no further connection opens, and in which all do.
STALLED_SECONDS = 30
OPENING_SECONDS = 120
# The kernel notes when data came, which on loopback is when the server wrote it: Linux's number
# for SO_TIMESTAMPNS, and room for the note.
TIMESTAMPS = 35
NOTE = struct.Struct("@ll")
ROOM = socket.CMSG_SPACE(NOTE.size)
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Crowd:
    """Many connections of one process, each of which has sent one request."""

    def __init__(self, port: int, request: bytes, status: int, source: str = "127.0.0.1") -> None:
        self.address = ("127.0.0.1", port)
        self.source = source
        self.request = request
        self.start = f"HTTP/1.1 {status} ".encode()
        self.epoll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self.sockets.values():
            connection.close()
        self.sockets.clear()
        self.epoll.close()

    def connect(self) -> int:
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, TIMESTAMPS, 1)
        if self.source != self.address[0]:
            # Its port is chosen by connect, which knows that ports may be used by others too.
            connection.setsockopt(socket.IPPROTO_IP, 24, 1)
            connection.bind((self.source, 0))
        with contextlib.suppress(BlockingIOError):
            connection.connect(self.address)
        number = connection.fileno()
        self.sockets[number] = connection
        self.epoll.register(number, select.EPOLLOUT)
        return number

    def open(self, count: int) -> None:
        """Open so many more; each has got the head of its response when this returns."""
        heads: dict[int, bytes | None] = {}
        begun = moved = time.monotonic()
        left = count
        while left or heads:
            while left and len(heads) < OPENING:
                heads[self.connect()] = None
                left -= 1
            before = len(heads)
            for number, _ in self.epoll.poll(1, 1024):
                if number in heads:
                    try:
                        self.opening(number, heads)
                    except OSError as error:
                        raise BenchError(f"a connection was refused: {error}") from error
                else:
                    self.read(number)
            now = time.monotonic()
            if len(heads) < before:
                moved = now
            if now > min(moved + STALLED_SECONDS, begun + OPENING_SECONDS):
                late = left + len(heads)
                raise BenchError(f"after {now - begun:.0f} s, {late:,} of {count:,} were not open")

    def opening(self, number: int, heads: dict[int, bytes | None]) -> None:
        """Go on with a connection that is not open yet: None is one that is not connected."""
        connection, head = self.sockets[number], heads[number]
        if head is None:
            connection.sendall(self.request)
            self.epoll.modify(number, select.EPOLLIN)
            heads[number] = b""
            return
        data = connection.recv(65536)
        if not data:
            raise BenchError(f"a connection was closed after {head[:60]!r}")
        head, end, rest = (head + data).partition(b"\r\n\r\n")
        heads[number] = head
        if end:
            if not head.startswith(self.start):
                raise BenchError(f"the server answered {head[:60]!r}")
            del heads[number]
            self.arrived(number, rest, time.time())

    def read(self, number: int) -> None:
        try:
            data, notes, _, _ = self.sockets[number].recvmsg(65536, ROOM)
        except BlockingIOError:
            return
        except OSError:
            data, notes = b"", []
        if not data:
            self.lost += 1
            self.epoll.unregister(number)
            self.sockets.pop(number).close()
            return
        when = time.time()
        if notes:
            seconds, nanoseconds = NOTE.unpack(notes[0][2])
            when = seconds + nanoseconds / 1e9
        self.arrived(number, data, when)

    def run(self, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        """Read what comes for so long, or until this is done."""
        end = time.monotonic() + seconds
        while not done() and (left := end - time.monotonic()) > 0:
            for number, _ in self.epoll.poll(min(left, 0.2), 4096):
                self.read(number)

    def arrived(self, number: int, data: bytes, when: float) -> None:
        raise NotImplementedError


class Watchers(Crowd):
    """A crowd that counts server-sent events."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__(port, request_bytes(path), 200)
        self.counts: dict[int, int] = {}
        self.total = 0
        self.last = 0.0

    def arrived(self, number: int, data: bytes, when: float) -> None:
        events = data.count(b"data: ")
        self.counts[number] = self.counts.get(number, 0) + events
        self.total += events
        if events:
            self.last = max(self.last, when)

    def publish(self, number: int, quiet: float) -> float:
        """Publish an event: ms until the server has written it to the last one.

        The clients read it when `quiet` seconds are over: until then the server has all cores.
        """
        wanted = {client: count + 1 for client, count in self.counts.items()}
        total = self.total + len(wanted)
        begun = time.time()
        status, _, body = send(self.address[1], "POST", f"/say?n={number}")
        if status != 200:
            raise BenchError(f"/say answered {status}: {body[:200]!r}")
        time.sleep(max(0.0, begun + quiet - time.time()))
        self.run(30, lambda: self.total >= total or self.lost > 0)
        if self.counts != wanted or self.lost:
            late = sum(self.counts[client] != count for client, count in wanted.items())
            raise BenchError(f"event {number} did not get to {late} of {len(wanted)}")
        return (self.last - begun) * 1000


class WebSockets(Crowd):
    """A crowd of WebSockets that answer pings, and sometimes say something."""

    def __init__(self, port: int, source: str) -> None:
        super().__init__(port, UPGRADE, 101, source)
        self.unread: dict[int, bytes] = {}
        self.answer = b""

    def arrived(self, number: int, data: bytes, when: float) -> None:
        data = self.unread.pop(number, b"") + data
        # Nothing here is longer than 125 bytes, and servers do not mask.
        while len(data) >= 2 and len(data) >= 2 + data[1]:
            kind, payload, data = data[0] & 15, data[2 : 2 + data[1]], data[2 + data[1] :]
            if kind == PING:
                self.say(number, PONG, payload)
            elif kind == TEXT:
                self.answer = payload
        if data:
            self.unread[number] = data

    def say(self, number: int, kind: int, payload: bytes) -> None:
        # A mask of zeros is one too.
        self.sockets[number].sendall(bytes([0x80 | kind, 0x80 | len(payload)]) + bytes(4) + payload)

    def ask(self, count: int) -> list[float]:
        """Say something on so many of them, one after another; ms until each is answered."""
        times = []
        for number in random.sample(list(self.sockets), count):
            self.answer = b""
            begun = time.perf_counter()
            self.say(number, TEXT, b"hello %d" % number)
            self.run(30, lambda: bool(self.answer))
            times.append((time.perf_counter() - begun) * 1000)
            if self.answer != b"hello %d" % number:
                raise BenchError(f"a WebSocket answered {self.answer!r}")
        return times


def download(port: int, path: str, expected: int) -> float:
    """Read a chunked response as fast as it comes; returns the seconds it took."""
    buffer = bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        begun = time.perf_counter()
        connection.sendall(request_bytes(path))
        received, end = 0, b""
        while end != b"0\r\n\r\n":
            count = connection.recv_into(buffer)
            if not count:
                raise BenchError(f"{path} ended after {received:,} bytes")
            received += count
            end = (end + bytes(buffer[max(0, count - 5) : count]))[-5:]
        took = time.perf_counter() - begun
    # Heads, and the lengths of the chunks, are less than a hundredth.
    if not expected <= received <= expected * 1.01 + 1000:
        raise BenchError(f"{path} sent {received:,} bytes instead of {expected:,}")
    return took


def slow_downloads(
    port: int, path: str, count: int, per_second: int, seconds: float, weigh: Callable[[], T]
) -> tuple[int, T]:
    """Clients that each read so many bytes a second; returns what they read, and the weight."""
    step = 0.1
    read = 0
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
            connections.append(stack.enter_context(connection))
            connection.sendall(request_bytes(path))
            connection.setblocking(False)
        begun = time.monotonic()
        for number in range(round(seconds / step)):
            time.sleep(max(0.0, begun + number * step - time.monotonic()))
            for connection in connections:
                with contextlib.suppress(BlockingIOError):
                    part = len(connection.recv(int(per_second * step)))
                    if not part:
                        raise BenchError(f"{path} ended before its client had read it")
                    read += part
        return read, weigh()
