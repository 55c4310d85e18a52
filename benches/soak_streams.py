"""A million WebSocket messages, and clients that leave: memory at rest may grow by 2 % at most."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from load import send
from servers import STOP_SECONDS
from soak import BINARY, FIXTURE, private_kilobytes

# Clients at a time, and in the first round, because memory of an interpreter that is busier than
# ever before does not shrink later; their rooms; messages of one that talks; the longest wait.
CLIENTS, FIRST, ROOMS, EACH, PATIENCE = 100, 400, 800, 250, 60
# Few instances, for the reason in soak.py. The last of a stream is freed after --write-timeout.
FLAGS = "--build=first --port=0 --log-format=off --instances=4 --write-timeout=5s"
ADMIN = "--admin=127.0.0.1:0 --open-metrics"
# After 10 s, fresh instances that nobody needs are ended; after 20 s, their memory is given back.
REST = 25
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: counting\r\n"
)
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
TEXT, CLOSE, NORMAL = 0x81, 0x88, struct.pack(">H", 1000)

# No route below is one whose handler adds to a list of the fixture, which grows by itself.
CHAT, ORDERS = "/sockets/chat/{room}?name=me", "/sleepers/orders"
# What each client of 64 bytes says, and what the handler answers.
SAID = {CHAT: b"x" * 64, ORDERS: b'{"item":"%b"}' % (b"x" * 53)}
ANSWERS = {CHAT: b"me: " + SAID[CHAT], ORDERS: SAID[ORDERS][:-1] + b',"count":1}'}
# Handlers that wait, sleeping sockets in a shared and in a fresh instance, a topic, and a
# handshake that takes 0.1 s.
SOCKETS = (CHAT, ORDERS, "/sleepers/count/0", "/topics/room/all", "/sockets/late")
# How clients leave: in the middle of the request, before and after the handshake, with a close
# frame, and when it was answered; "reset" by a reset of the connection, others by its end.
LEAVING = (
    *("half", "half reset", "asked", "asked reset", "open", "open reset"),
    *("open close", "open close reset", "open close answered"),
)
# A `def` generator, an `async def` one and events that always have more; the last two when they
# wait; and a topic.
ENDLESS = 1_000_000_000
STREAMS = (
    *(f"/streams/{name}?count={ENDLESS}" for name in ("points-sync", "points", "events")),
    *(f"/streams/{name}?count={ENDLESS}&pause=30" for name in ("points", "events")),
    "/topics/listen/soak",
)


def frame(kind: int, payload: bytes) -> bytes:
    return bytes([kind, len(payload)]) + payload


def masked(kind: int, payload: bytes) -> bytes:
    mask = os.urandom(4)
    hidden = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([kind, 0x80 | len(payload)]) + mask + hidden


class Client:
    """One connection, which is closed at the end of the `async with`."""

    reset = False

    def __init__(self, port: int) -> None:
        self.opening = asyncio.open_connection("127.0.0.1", port, limit=1 << 20)

    async def __aenter__(self) -> Client:
        self.reader, self.writer = await asyncio.wait_for(self.opening, PATIENCE)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.reset:
            connection: socket.socket = self.writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def expect(self, wanted: bytes, until: bytes = b"") -> None:
        """Read these bytes, and then on until the others."""
        async with asyncio.timeout(PATIENCE):
            found = await self.reader.readexactly(len(wanted))
            if found != wanted:
                raise ValueError(f"{found!r} instead of {wanted!r}")
            if until:
                await self.reader.readuntil(until)


def request(path: str, number: int, more: str) -> bytes:
    path = path.format(room=number % ROOMS)
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n".encode()


async def talk(client: Client, path: str, number: int) -> None:
    """Send messages, each when the one before was answered."""
    client.writer.write(request(path, number, UPGRADE))
    await client.expect(b"HTTP/1.1 101 ", until=b"\r\n\r\n")
    message, answer = masked(TEXT, SAID[path]), frame(TEXT, ANSWERS[path])
    for _ in range(EACH):
        client.writer.write(message)
        await client.expect(answer)
    client.writer.write(masked(CLOSE, NORMAL))
    await client.expect(frame(CLOSE, NORMAL))


async def look_in(client: Client, path: str, number: int) -> None:
    """Open a WebSocket and leave, or leave before it is open."""
    how = LEAVING[number // len(SOCKETS) % len(LEAVING)].split()
    client.reset = "reset" in how
    head = request(path, number, UPGRADE + DEFLATE * (number % 2))
    client.writer.write(head[: len(head) // 2] if "half" in how else head)
    if "open" in how:
        await client.expect(b"HTTP/1.1 101 ", until=b"\r\n\r\n")
    if "close" in how:
        client.writer.write(masked(CLOSE, NORMAL))
    if "answered" in how:
        async with asyncio.timeout(PATIENCE):
            rest = await client.reader.read(-1)
        if not rest.endswith(frame(CLOSE, NORMAL)):
            raise ValueError(f"it ended with {rest[-60:]!r}")


async def abort(client: Client, path: str, number: int) -> None:
    """Ask for a stream, and leave after its first chunk."""
    client.reset = bool(number // len(STREAMS) % 2)
    client.writer.write(request(path, number, "Last-Event-ID: 0\r\n"))
    await client.expect(b"HTTP/1.1 200 ", until=b"\r\n\r\n")
    await client.expect(b"", until=b"\n\r\n")


@dataclass(frozen=True)
class Kind:
    """A kind of work: what a client does, and how many units of it that is."""

    name: str
    work: Callable[[Client, str, int], Awaitable[None]]
    paths: tuple[str, ...]
    units: int = 1


KINDS = (
    Kind("messages", talk, (CHAT, ORDERS), EACH),
    Kind("connects", look_in, SOCKETS),
    Kind("streams", abort, STREAMS),
)


async def crowd(kind: Kind, port: int, numbers: range, failures: Counter[str]) -> None:
    """So many clients, some at a time."""
    left, at_once = iter(numbers), CLIENTS if numbers.start else FIRST

    async def some() -> None:
        for number in left:
            path = kind.paths[number % len(kind.paths)]
            try:
                async with Client(port) as client:
                    await kind.work(client, path, number)
            except (OSError, EOFError, ValueError) as error:
                failures[f"{path}: {error!r}"[:300]] += 1

    await asyncio.gather(*(some() for _ in range(at_once)))


class Host:
    """The host that is measured."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        found = (re.search(r"^(\w+).* on (http://\S+:(\d+))$", line) for line in process.stdout)
        said = (match.groups() for match in found if match)
        self.pid = process.pid
        self.admin = next(address for word, address, _ in said if word == "admin")
        self.port = next(int(port) for word, _, port in said if word == "listening")

    def metrics(self) -> Counter[str]:
        """Each metric, summed over its labels."""
        sums: Counter[str] = Counter()
        with urllib.request.urlopen(f"{self.admin}/metrics", timeout=PATIENCE) as answer:
            text = answer.read().decode()
        for name, value in re.findall(r"^bolt_(\w+)(?:{.*})? ([\d.]+)$", text, re.M):
            sums[name] += round(float(value))
        return sums


def rounds(host: Host, kind: Kind, args: argparse.Namespace, failures: Counter[str]) -> float:
    """Do this kind of work in rounds; returns the growth since the warm-up."""
    begun, warm, now = time.monotonic(), 0, 0
    step = max(1, getattr(args, kind.name) // kind.units // args.rounds)
    for number in range(args.rounds):
        send(host.port, "POST", "/topics/say/soak", b'"an event"')
        clients = range(number * step, (number + 1) * step)
        asyncio.run(crowd(kind, host.port, clients, failures))
        worked = private_kilobytes(host.pid)
        time.sleep(args.rest)
        now, found = private_kilobytes(host.pid), host.metrics()
        warm = now if number < args.warm else warm
        print(
            f"{clients.stop * kind.units:>9,} {kind.name}  {worked:>8,} kB, "
            f"at rest {now:>8,} kB, of which {found['instances']} instances with "
            f"{found['memories_bytes'] // 1024:,} kB  {time.monotonic() - begun:5.0f} s",
            flush=True,
        )
        for left in ("requests_in_flight", "streams_open", "stream_bytes"):
            failures[f"after {kind.name}, {left} at rest is not 0"] += bool(found[left])
    return now / warm - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, count in (("messages", 1_000_000), ("connects", 100_000), ("streams", 100_000)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--rounds", type=int, default=10, help="of each kind")
    parser.add_argument("--warm", type=int, default=1, help="rounds that are the warm-up")
    parser.add_argument("--rest", type=float, default=REST, help="seconds after each round")
    parser.add_argument("--allowed", type=float, default=0.02, help="growth, a part of the whole")
    parser.add_argument("--binary", type=Path, default=BINARY)
    args = parser.parse_args()
    command = [str(args.binary), "run", str(FIXTURE), *FLAGS.split(), *ADMIN.split()]
    growths, failures = dict[str, float](), Counter[str]()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            host = Host(server)
            for kind in KINDS:
                growths[kind.name] = rounds(host, kind, args, failures)
            found = host.metrics()
        finally:
            server.terminate()
            server.wait(STOP_SECONDS * 4)
    for name, growth in growths.items():
        print(f"{name}: grown by {growth:.2%} since round {args.warm} of {args.rounds}")
    print(f"{found['faults_total']} faults, {found['sent_away_total']} clients sent away")
    for failure, count in (+failures).most_common():
        print(f"{count} times: {failure}")
    sys.exit(bool(+failures) or max(growths.values()) > args.allowed)


if __name__ == "__main__":
    main()
