"""Executes statements before the snapshot is taken, against a host that is not there.

A fresh interpreter that asked its database for a row spent most of its time on code that it ran for
the first time, each piece of which wrote into a page of its own.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from marshal import dumps
from types import ModuleType
from typing import Any

from .warmup import stage
from .warmup_samples import rows_of_records

__all__ = ["warm_up_sql"]

_TIMES = 50
_MOST_CALLS = 1000
_REQUEST = 1


def warm_up_sql(
    host: Any, runtime: ModuleType, handlers: Any, routes: list[Any], pump: Any, parked: object
) -> None:
    """Execute what a handler of an app with databases executes, if the app has any.

    host: the module `wit_world.imports.sql`.
    runtime: the module of the imports, which cannot be called before the snapshot.
    handlers, routes, pump, parked: as for `warm_up`.
    """
    if "bolt.sql" not in sys.modules:
        return
    from ..sql import Database

    database = Database("main")
    answers = _Answers(host, parked)
    with stage(runtime, answers.call_import):
        for _ in range(_TIMES):
            answers.have(_COLUMNS, (1, "a"), 1)
            _blocking(database)
            answers.have(_COLUMNS, (1, "a"), 20)
            _blocking(database)
            with suppress(StopIteration):
                # No part is awaited, so it runs to its end.
                _at_once(database).send(None)
        records: list[Any] = [*rows_of_records()] or [(dict, _COLUMNS, (1, "a"))]
        for cls, columns, row in records:
            routes.append((lambda wire, cls=cls: _fetched(database, cls), 200, True))
            for _ in range(_TIMES):
                answers.have(columns, row, 20)
                database.sync.fetch("select $1", 1, into=cls)
                _wait(answers, handlers, len(routes) - 1, pump)
            routes.pop()


_COLUMNS = [("id", "integer"), ("name", "text")]


class _Answers:
    """What the host answers."""

    def __init__(self, host: Any, parked: object) -> None:
        self._host = host
        self._calls = 0
        self._pending = host.Part_Pending()
        # By the name of the host's function. All others return the number of a statement or a
        # session, or nothing: nobody looks at it.
        self._answers: dict[str, Any] = {"park": parked, "news": [_REQUEST]}

    def have(self, columns: list[tuple[str, str]], row: tuple[Any, ...], count: int) -> None:
        """Each statement has so many rows, at once."""
        self._calls = 0
        batch = dumps((columns, [row] * count, (1, 1)), 4)
        self._batch = self._answers["read"] = self._host.Part_Batch(batch)

    def keep_waiting(self) -> None:
        """The rows are not there yet."""
        self._answers["read"] = self._pending

    def come(self) -> None:
        self._answers["read"] = self._batch

    def call_import(self, *_: Any) -> Any:
        self._calls += 1
        if self._calls > _MOST_CALLS:
            # Otherwise the code would ask the host for ever.
            raise RuntimeError("a statement that is rehearsed does not end")
        return self._answers.get(sys._getframe(1).f_code.co_name, 1)


def _blocking(database: Any) -> None:
    db = database.sync
    for ask in (db.fetch, db.fetchrow):
        ask("select $1", 1)
        ask("select $1, $2", "a", 1, into=dict)
    db.fetchval("select 1")
    with db.transaction():
        db.execute("insert", 1, "a", 1.5, None, b"")


async def _at_once(database: Any) -> None:
    for ask in (database.fetch, database.fetchrow):
        await ask("select $1", 1)
        await ask("select $1, $2", "a", 1, into=dict)
    await database.fetchval("select 1")
    async with database.transaction():
        await database.execute("insert", 1, "a", 1.5, None, b"")


async def _fetched(database: Any, into: Any) -> Any:
    await database.fetchrow("select $1", 1, into=into)
    return await database.fetch("select $1", 1, into=into)


def _wait(answers: _Answers, handlers: Any, route: int, pump: Any) -> None:
    """Call a handler that has to wait for its rows."""
    nothing = dumps(())
    handlers._async_start_run(0)
    answers.keep_waiting()
    handlers.call(_REQUEST, route, nothing)
    answers.come()
    pump.resume(1, 1, 2)
    pump.__init__()
