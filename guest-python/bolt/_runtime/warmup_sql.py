"""Executes statements before the snapshot is taken, against a host that is not there.

A fresh interpreter that asked its database for a row spent most of its time on code that it ran for
the first time, each piece of which wrote into a page of its own.
"""

from __future__ import annotations

import sys
from marshal import dumps
from types import ModuleType
from typing import Any

__all__ = ["warm_up_sql"]

_TIMES = 50
_MOST_CALLS = 10_000


def warm_up_sql(host: Any, runtime: ModuleType) -> None:
    """Execute what a handler of an app with databases executes, if the app has any.

    host: the module `wit_world.imports.sql`.
    runtime: the module of the imports, which cannot be called before the snapshot.
    """
    if "bolt.sql" not in sys.modules:
        return
    from ..sql import Database

    columns = [("id", "integer"), ("name", "text")]
    parts = [
        host.Part_Batch(dumps((columns, [(number, "a") for number in range(count)], (1, 1)), 4))
        for count in (1, 20)
    ]
    real = runtime.call_import
    database = Database("main")
    calls = 0

    def answer(*_: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > _MOST_CALLS:
            # Otherwise the code would ask the host for ever.
            raise RuntimeError("a statement that is rehearsed does not end")
        # The number of a statement or a session, which is not looked at, and its result.
        return parts[calls % 2]

    vars(runtime)["call_import"] = answer
    try:
        for _ in range(_TIMES):
            _blocking(database)
            running = _waiting(database)
            try:
                # No part is awaited, so it runs to its end.
                running.send(None)
            except StopIteration:
                continue
    finally:
        vars(runtime)["call_import"] = real


def _blocking(database: Any) -> None:
    db = database.sync
    for ask in (db.fetch, db.fetchrow):
        ask("select $1", 1)
        ask("select $1, $2", "a", 1, into=dict)
    db.fetchval("select 1")
    with db.transaction():
        db.execute("insert", 1, "a", 1.5, None, b"")


async def _waiting(database: Any) -> None:
    for ask in (database.fetch, database.fetchrow):
        await ask("select $1", 1)
        await ask("select $1, $2", "a", 1, into=dict)
    await database.fetchval("select 1")
    async with database.transaction():
        await database.execute("insert", 1, "a", 1.5, None, b"")
