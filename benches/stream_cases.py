"""The cases of streams.py: what each does with a running server, and what it finds."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clients import percentile
from holders import holding
from load import BenchError, send
from memory import anonymous, processor_seconds
from servers import BENCHES, Running
from stream_clients import Watchers, download, slow_downloads

PART = 65536
MEGABYTE = 1_000_000
ECHOING = 100
ASKED = 100


@dataclass(frozen=True)
class Sizes:
    """How much to measure."""

    # Clients of events, and WebSockets that are idle.
    clients: int = 10_000
    sockets: int = 10_000
    # Events published, and the seconds between two.
    events: int = 20
    interval: float = 1.0
    # Seconds after which a server that has opened or closed connections is at rest.
    settle: float = 2.0
    # Seconds of echoes, of generators, and of idling: longer than the time between two pings.
    seconds: float = 10.0
    idle: float = 30.0
    # Parts of 64 KiB in a download, and in a slow one.
    parts: int = 16_384
    slow: int = 100
    slow_rate: int = MEGABYTE
    slow_seconds: float = 10.0


QUICK = Sizes(
    clients=200,
    sockets=200,
    events=5,
    interval=0.2,
    settle=0.4,
    seconds=2.0,
    idle=0.5,
    parts=1024,
    slow_seconds=1.0,
)
Found = dict[str, float]


@dataclass(frozen=True)
class Ground:
    """A server that was warmed up, and the sizes to measure it with."""

    running: Running
    sizes: Sizes
    venv: Path

    @property
    def port(self) -> int:
        return self.running.port

    def memory(self) -> int:
        return anonymous(self.running)

    def warm(self, path: str) -> None:
        """A few clients come and leave: what the first ones need is not counted."""
        with Watchers(self.port, path) as watchers:
            watchers.open(10)
            watchers.run(self.sizes.settle / 2)
        time.sleep(self.sizes.settle)


@dataclass
class Spent:
    """Processor time of a server: set when the `with` of `spending` ends."""

    seconds: float = 0.0

    def microseconds(self, count: int) -> float:
        return self.seconds * 1e6 / max(1, count)


@contextlib.contextmanager
def spending(ground: Ground) -> Iterator[Spent]:
    spent = Spent()
    before = processor_seconds(ground.running)
    yield spent
    spent.seconds = processor_seconds(ground.running) - before


def topic(ground: Ground) -> Found:
    sizes = ground.sizes
    ground.warm("/news")
    before = ground.memory()
    with Watchers(ground.port, "/news") as watchers:
        watchers.open(sizes.clients)
        watchers.run(sizes.settle)
        # The first event may still allocate for each client.
        watchers.publish(0, sizes.interval / 2)
        delays = []
        with spending(ground) as spent:
            for number in range(1, sizes.events + 1):
                begun = time.monotonic()
                delays.append(watchers.publish(number, sizes.interval / 2))
                watchers.run(sizes.interval - (time.monotonic() - begun))
        after = ground.memory()
    return {
        "us": spent.microseconds(sizes.events * sizes.clients),
        "p50": percentile(delays, 50),
        "p99": percentile(delays, 99),
        "memory": (after - before) / sizes.clients,
    }


def generators(ground: Ground) -> Found:
    sizes = ground.sizes
    ground.warm("/ticks")
    before = ground.memory()
    with Watchers(ground.port, "/ticks") as watchers:
        watchers.open(sizes.clients)
        watchers.run(sizes.settle)
        first, counts = watchers.total, dict(watchers.counts)
        begun = time.monotonic()
        with spending(ground) as spent:
            watchers.run(sizes.seconds)
        took = time.monotonic() - begun
        events = watchers.total - first
        served = sum(count > counts[client] for client, count in watchers.counts.items())
        after = ground.memory()
        if watchers.lost or served < sizes.clients:
            raise BenchError(f"{served:,} of {sizes.clients:,} clients got events")
    return {
        "us": spent.microseconds(events),
        "rate": events / took / sizes.clients,
        "memory": (after - before) / sizes.clients,
    }


def echo(ground: Ground) -> Found:
    url = f"ws://127.0.0.1:{ground.port}/ws"
    program = [str(ground.venv / "bin/python"), "-B", str(BENCHES / "echo_load.py"), url]
    command = [*program, *map(str, (ECHOING, ground.sizes.settle / 2, ground.sizes.seconds))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as client:
        try:
            assert client.stdout is not None
            client.stdout.readline()
            with spending(ground) as spent:
                line = client.stdout.readline()
            said = client.communicate(timeout=30)[1].strip()
        finally:
            client.kill()
    if client.returncode or not line:
        raise BenchError(f"the load failed: {said[-300:]}")
    messages, took, used = map(float, line.split())
    return {
        "us": spent.microseconds(int(messages)),
        "rate": messages / took,
        "busy": spent.seconds / took,
        "client": used / took,
    }


def idle(ground: Ground) -> Found:
    sizes = ground.sizes
    with holding(ground.port, 10) as holders:
        holders[0].ask(10)
    time.sleep(sizes.settle)
    before = ground.memory()
    with holding(ground.port, sizes.sockets) as holders:
        time.sleep(sizes.settle)
        with spending(ground) as spent:
            time.sleep(sizes.idle)
        after = ground.memory()
        times = []
        for index, holder in enumerate(holders):
            share = ASKED // len(holders) + (index < ASKED % len(holders))
            found, lost = holder.ask(share)
            if lost:
                raise BenchError(f"{lost:,} of {sizes.sockets:,} WebSockets were closed")
            times += found
    return {
        "us": spent.microseconds(sizes.sockets) / sizes.idle,
        "p50": percentile(times, 50),
        "p99": percentile(times, 99),
        "memory": (after - before) / sizes.sockets,
    }


def big(ground: Ground) -> Found:
    parts = ground.sizes.parts
    download(ground.port, "/download?parts=64", 64 * PART)
    before = ground.memory()
    with spending(ground) as spent:
        took = download(ground.port, f"/download?parts={parts}", parts * PART)
    time.sleep(ground.sizes.settle)
    return {
        "us": spent.microseconds(parts),
        "rate": parts * PART / took / MEGABYTE,
        "before": before / 1024,
        "after": ground.memory() / 1024,
    }


def slow(ground: Ground) -> Found:
    sizes = ground.sizes
    # Read by none to its end: 1 GiB whatever the other sizes are.
    path = f"/download?parts={Sizes.parts}"
    download(ground.port, "/download?parts=64", 64 * PART)
    before = ground.memory()
    with spending(ground) as spent:
        read, after = slow_downloads(
            *(ground.port, path, sizes.slow, sizes.slow_rate, sizes.slow_seconds),
            lambda: anonymous(ground.running),
        )
    # A server that waits for clients that are gone would be no use.
    status = send(ground.port, "GET", "/")[0]
    if status != 200:
        raise BenchError(f"/ answered {status} after the slow clients had left")
    return {
        "us": spent.microseconds(read // PART),
        "rate": read / sizes.slow / sizes.slow_seconds / MEGABYTE,
        "memory": (after - before) / sizes.slow,
    }


@dataclass(frozen=True)
class StreamCase:
    """One case: its servers, and the columns of its table by the names that `measure` returns."""

    name: str
    says: str
    measure: Callable[[Ground], Found]
    columns: dict[str, str]
    peers: tuple[str, ...]
    app: str = "stream_bolt.py"
    # What the app imports, which an older bolt-host may not have.
    needs: tuple[str, ...] = ("EventSourceResponse",)
    workers: int = 2


MEMORY = "memory of each, KiB"
CASES = {
    case.name: case
    for case in (
        StreamCase(
            "sse-topic",
            "{clients:,} clients watch one topic; {events} events, one each {interval} s, are "
            "published with `POST /say`. The time counts from the request until the server has "
            "written the event to the last client.",
            topic,
            {
                "us": "processor time of a client and event, us",
                "p50": "publish to last client, p50 ms",
                "p99": "p99 ms",
                "memory": MEMORY,
            },
            ("fastapi", "django-bolt"),
            app="stream_topic_bolt.py",
            needs=("Topic",),
        ),
        StreamCase(
            "sse-generators",
            "{clients:,} clients, each with an async generator that yields and sleeps 1 s.",
            generators,
            {
                "us": "processor time of an event, us",
                "rate": "events/s of a client",
                "memory": MEMORY,
            },
            ("fastapi",),
        ),
        StreamCase(
            "ws-echo",
            f"{ECHOING} WebSockets; each sends a text of 64 bytes when the one before is back. "
            "One worker or process.",
            echo,
            {
                "us": "processor time of a message, us",
                "rate": "messages/s",
                "busy": "cores used",
                "client": "cores used by the client",
            },
            ("uvicorn", "granian-rsgi", "granian-asgi", "robyn"),
            needs=("WebSocket",),
            workers=1,
        ),
        StreamCase(
            "ws-idle",
            "{sockets:,} WebSockets that nobody uses, each with its handler, for {idle} s; then a "
            f"message on {ASKED} of them, one after another.",
            idle,
            {
                "us": "processor time of each in a second, us",
                "p50": "answered, p50 ms",
                "p99": "p99 ms",
                "memory": MEMORY,
            },
            ("uvicorn", "granian-rsgi"),
            needs=("WebSocket",),
        ),
        StreamCase(
            "ws-sleeping",
            "{sockets:,} WebSockets that sleep between two messages; the rest is as in `ws-idle`.",
            idle,
            {
                "us": "processor time of each in a second, us",
                "p50": "answered, p50 ms",
                "p99": "p99 ms",
                "memory": MEMORY,
            },
            (),
            app="stream_sleeping_bolt.py",
            needs=("WebSocketEndpoint",),
        ),
        StreamCase(
            "download",
            "{parts:,} parts of 64 KiB from a `def` generator, to one fast client.",
            big,
            {
                "us": "processor time of a part, us",
                "rate": "MB/s",
                "before": "memory before, MiB",
                "after": "memory after, MiB",
            },
            ("fastapi",),
        ),
        StreamCase(
            "slow-downloads",
            "{slow} clients that each read {slow_rate:,} bytes a second of such a download "
            "of 1 GiB, for {slow_seconds} s, and then leave.",
            slow,
            {
                "us": "processor time of a part, us",
                "rate": "MB/s of each",
                "memory": MEMORY,
            },
            ("fastapi",),
        ),
    )
}
