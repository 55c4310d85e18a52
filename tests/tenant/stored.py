"""Databases of a tenant that means harm."""

import asyncio
from typing import Any

from bolt import Router, sql

stored = Router(prefix="/stored")
db = sql.Database("main")
ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n)"


@stored.get("/setup")
def setup() -> None:
    db.sync.execute("create table if not exists kept (id integer primary key, text text)")


@stored.get("/endless")
def endless() -> None:
    """Computes for ever."""
    db.sync.fetchval(f"{ENDLESS} select count(*) from n")


@stored.get("/sorted")
async def sorted_rows() -> Any:
    """Sorts what never ends."""
    return await db.fetch(f"{ENDLESS} select hex(randomblob(1000)) as x from n order by x")


@stored.get("/rows")
async def rows() -> int:
    """Asks for ten million rows."""
    return len(await db.fetch(f"{ENDLESS} select i from n limit 10000000"))


@stored.get("/unread")
async def unread() -> None:
    """Reads none of what it asks for."""
    statements = [db.iterate(f"{ENDLESS} select i from n") for _ in range(1000)]
    for statement in statements:
        await anext(statement)
    await asyncio.sleep(1000)


@stored.get("/open")
async def left_open() -> None:
    """Begins a transaction, and does not end it."""
    await db.transaction().__aenter__()
    await asyncio.sleep(1000)


@stored.get("/large")
def large() -> int:
    """Sends the largest arguments."""
    text = "x" * 8_000_000
    while True:
        db.sync.fetchval("select length($1)", text)


@stored.get("/many")
async def many() -> None:
    """As many statements at a time as there may be, for ever."""
    while True:
        await asyncio.gather(
            *(db.fetchval("select $1", number) for number in range(100)), return_exceptions=True
        )


@stored.get("/write")
def write() -> None:
    """Writes until it may not."""
    while True:
        db.sync.execute("insert into kept (text) values (hex(randomblob(100000)))")


@stored.get("/wrong")
def wrong() -> int:
    """Statements that are wrong, for ever."""
    count = 0
    while True:
        for text in ("attach 'x' as y", "pragma journal_mode = delete", "(" * 100_000, "\0"):
            try:
                db.sync.execute(text)
            except sql.Error:
                count += 1
