"""Stores, connections and a Postgres database of a tenant that means harm."""

import asyncio
import socket
import ssl
from itertools import count
from typing import Any

from bolt import Router, kv, sql

kept = Router(prefix="/kept")
store = kv.Store("main")
db = sql.Database("remote")


# A store.


@kept.get("/fill")
def fill() -> None:
    """Sets the largest values until there is no room, for ever."""
    for number in count():
        try:
            store.sync.set(f"fill {number % 1000}", "x" * 900_000)
        except kv.Error:
            store.sync.delete(*[f"fill {number}" for number in range(1000)])


@kept.get("/scan")
def scan() -> None:
    """Writes many keys, and reads all of them, for ever."""
    store.sync.set_many({f"many {number:04}": "x" * 1000 for number in range(1000)})
    while True:
        list(store.sync.items(""))


@kept.get("/commands")
async def commands() -> None:
    """As many commands at a time as there may be, whose results nobody reads, for ever."""
    while True:
        tasks = [asyncio.create_task(store.incr("n")) for _ in range(200)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@kept.get("/brief")
async def brief() -> None:
    """Keys that expire at once, for ever."""
    for number in count():
        await store.set(f"brief {number}", "x" * 1000, ttl=0.001)


# Connections.


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


@kept.get("/connect")
def connect(port: int) -> None:
    """Connects, and drops what it has, for ever."""
    while True:
        hoarded = []
        try:
            for _ in range(200):
                hoarded.append(connected(port))
        except OSError:
            hoarded.clear()


@kept.get("/full")
def full(port: int) -> None:
    """Reads nothing of what a server sends without end, over all connections that it gets."""
    hoarded = []
    while True:
        try:
            hoarded.append(connected(port))
        except OSError:
            hoarded[0].recv(1)


@kept.get("/push")
async def push(port: int) -> None:
    """Sends without end to a server that reads nothing."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        writer.write(b"x" * 1_000_000)
        await writer.drain()


@kept.get("/handshakes")
def handshakes(port: int) -> None:
    """Begins TLS with a server that speaks none, with the largest list of authorities."""
    context = ssl.create_default_context(cadata=None)
    while True:
        try:
            with connected(port) as plain:
                context.wrap_socket(plain, server_hostname="localhost").close()
        except OSError:
            continue


# Postgres.


@kept.get("/endless")
async def endless() -> None:
    await db.fetchval("select count(*) from generate_series(1, 1000000000000) as n")


@kept.get("/rows")
async def rows() -> int:
    return len(await db.fetch("select * from generate_series(1, 10000000)"))


@kept.get("/wide")
async def wide() -> None:
    """Rows that are too large, and rows that are just not."""
    for number in count():
        try:
            await db.fetchval("select repeat('x', $1::int)", 7_900_000 + 200_000 * (number % 2))
        except sql.Error:
            continue


@kept.get("/open")
async def left_open() -> None:
    await db.transaction().__aenter__()
    await asyncio.sleep(1000)


@kept.get("/unread")
async def unread() -> None:
    """Reads none of what it asks for."""
    statements: list[Any] = []
    for _ in range(90):
        statements.append(db.iterate("select repeat('x', 10000) from generate_series(1, 90000)"))
        await anext(statements[-1])
    await asyncio.sleep(1000)


@kept.get("/many")
async def many() -> None:
    """Statements that are all different, for ever: each is prepared."""
    for number in count():
        await asyncio.gather(
            *(db.fetchval(f"select {number} + {place}") for place in range(90)),
            return_exceptions=True,
        )


@kept.get("/noisy")
async def noisy() -> None:
    """Notices without end."""
    await db.execute("do $$ begin loop raise notice '%', repeat('x', 100000); end loop; end $$")
