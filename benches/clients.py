"""Clients of modes.py that pace, wait or keep a server busy, and an upstream server.

Run as a program this is the upstream: a small HTTP server that answers every request after 20 ms.
It prints its port and serves until it is terminated.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib
import math
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, cast

from load import BenchError, send
from memory import Usage

UPSTREAM_DELAY = 0.02
UPSTREAM_BODY = b'{"value": 7}'
UPSTREAM_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(UPSTREAM_BODY), UPSTREAM_BODY)
)
# Connections that a crowd opens at the same time: fewer than a listener's backlog.
OPENING = 100


def request_bytes(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that this percentage of all values does not exceed."""
    return sorted(values)[math.ceil(len(values) * part / 100) - 1]


def paced(port: int, path: str, per_second: int, seconds: int) -> list[float]:
    """Send requests at fixed times over one kept connection; returns each latency in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times = []
    try:
        connection.connect()
        start = time.perf_counter()
        for number in range(per_second * seconds):
            time.sleep(max(0.0, start + number / per_second - time.perf_counter()))
            asked = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            times.append((time.perf_counter() - asked) * 1000)
            if answer.status != 200 or answer.will_close:
                raise BenchError(f"{path} answered {answer.status} or closed the connection")
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{path} got no answer: {error!r}") from error
    finally:
        connection.close()
    return times


@dataclass(frozen=True)
class Crowd:
    """Many requests at once: the server's memory before and meanwhile, and their outcome."""

    connected: Usage
    during: Usage
    # Requests that were certainly in their handler when the memory was read.
    waiting: int
    # The number of responses of each status; 0 means no response.
    statuses: dict[int, int]
    # From the first request to the last response.
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def ended(reader: asyncio.StreamReader) -> tuple[int, float]:
    """The status of the response, and when it came."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        return int(head.split(maxsplit=2)[1]), time.monotonic()
    except (OSError, EOFError, ValueError, IndexError):
        return 0, time.monotonic()


async def crowd(port: int, path: str, count: int, wait: float, weigh: Callable[[], Usage]) -> Crowd:
    """Open `count` connections, and request on all at once a path that takes `wait` seconds."""
    gate = asyncio.Semaphore(OPENING)

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with gate:
            return await asyncio.open_connection("127.0.0.1", port)

    try:
        streams = await asyncio.gather(*(connect() for _ in range(count)))
    except OSError as error:
        raise BenchError(f"could not open {count:,} connections: {error}") from error
    await asyncio.sleep(1)
    connected = weigh()
    request = request_bytes(path)
    started = time.monotonic()
    for _, writer in streams:
        writer.write(request)
    answers = [asyncio.create_task(ended(reader)) for reader, _ in streams]
    await asyncio.sleep(wait * 0.6)
    weighed = time.monotonic()
    during = weigh()
    try:
        found = await asyncio.wait_for(asyncio.gather(*answers), wait + 60)
    except TimeoutError as error:
        raise BenchError(f"not all of {count:,} requests were answered") from error
    finally:
        for _, writer in streams:
            writer.close()
    statuses: dict[int, int] = {}
    for status, _ in found:
        statuses[status] = statuses.get(status, 0) + 1
    return Crowd(
        connected=connected,
        during=during,
        # A later response means that its handler did not wait yet when the memory was read.
        waiting=sum(s == 200 and weighed < at < weighed + wait for s, at in found),
        statuses=statuses,
        seconds=max(at for _, at in found) - started,
    )


def occupy(port: int, path: str) -> socket.socket:
    """Send a request without waiting for the response."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(request_bytes(path))
    return connection


def answered(connections: Sequence[socket.socket]) -> int:
    """How many of them have got an answer, or were closed."""
    return len(select.select(connections, [], [], 0)[0])


def loop_of(port: int, seconds: float) -> int:
    """The rounds of /compute that take `seconds` here when nothing else runs."""
    rounds = 100_000
    for _ in range(3):
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            if send(port, "GET", f"/compute?rounds={rounds}")[0] != 200:
                raise BenchError("bolt-host does not answer /compute")
            times.append(time.perf_counter() - begun)
        rounds = max(1, round(rounds * seconds / median(times)))
    return rounds


class Upstream(asyncio.Protocol):
    """Answers each request of a connection 20 ms after its head has arrived."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not an assertion: uvloop's transports are not subclasses.
        self.transport = cast(asyncio.Transport, transport)
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        *heads, self.unread = (self.unread + data).split(b"\r\n\r\n")
        for _ in heads:
            asyncio.get_running_loop().call_later(UPSTREAM_DELAY, self.answer)

    def answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(UPSTREAM_ANSWER)


async def serve_upstream() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def upstream(python: Path) -> Iterator[int]:
    """Run the upstream in its own process; yields its port."""
    command = [str(python), "-B", __file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise BenchError("the upstream did not start")
            yield int(line)
        finally:
            process.terminate()


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop if it is installed: the upstream must not be the bottleneck."""
    try:
        uvloop: Any = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


if __name__ == "__main__":
    with (
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=fast_loop()) as runner,
    ):
        runner.run(serve_upstream())
    sys.exit()
