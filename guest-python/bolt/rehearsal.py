"""Going the way of a request before the snapshot is taken, with handlers of our own.

The interpreter adapts code to what it does, by writing into it, and keeps what it looked up. What
is written now is not written by every instance again, each time into a page of its own.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from marshal import dumps
from types import ModuleType
from typing import Any

from .samples import Rehearsed

__all__ = ["rehearse"]

_TIMES = 50


def rehearse(
    handlers: Any,
    routes: list[Any],
    rehearsals: Iterable[tuple[int, Rehearsed]],
    pump: Any,
    runtime: ModuleType,
    parked: object,
) -> None:
    """Do again and again what each instance does, and leave no trace but in the interpreter.

    handlers: what the component exports.
    routes: the table of its routes.
    rehearsals: the routes of the app that can be rehearsed, each with its place in the table.
    pump: what drives the event loop.
    runtime: its functions for async imports, which cannot be called yet.
    parked: what the runtime returns for an import that has to wait.
    """

    async def waitless(wire: tuple[Any, ...]) -> dict[str, Any]:
        return {"answer": 1}

    first = len(routes)
    routes.append((lambda wire: {"answer": 1}, 200, False))
    routes.append((waitless, 200, True))
    nothing = dumps(())
    # Looked up by name, as the runtime does, which is not how compiled code does it.
    start, call, cancel = "_async_start_run", "call", "cancel"
    staged: dict[str, Any] = {
        "call_import": lambda *arguments: parked,
        "waitable_set_new": lambda: 1,
        "waitable_join": lambda waitable, set: None,
        "subtask_drop": lambda waitable: None,
        "promise_get_result": lambda status, promise: None,
    }
    real = {name: getattr(runtime, name) for name in staged}
    vars(runtime).update(staged)
    sent = [(route, item, dumps(item.wire)) for route, item in rehearsals]
    try:
        for route, item, wire in sent:
            with item:
                for _ in range(_TIMES):
                    getattr(handlers, call)(0, route, wire)
        for _ in range(_TIMES):
            getattr(handlers, start)(0)
            pump.resume(1, 1, 2)
            pump.__init__()
            for route in (first, first + 1):
                getattr(handlers, call)(0, route, nothing)
            getattr(handlers, cancel)(0)
            # What the runtime does when a new instance is called for the first time.
            os.environ["BOLT_REHEARSAL"] = ""
            del os.environ["BOLT_REHEARSAL"]
            random.seed()
    finally:
        vars(runtime).update(real)
        del routes[first:]
