"""Executes the request path before the snapshot is taken, to warm the adaptive interpreter.

The interpreter specializes code by writing into it, and fills inline caches. What it writes before
the snapshot, no instance has to write again, each into its own copy of the page.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from marshal import dumps
from types import ModuleType
from typing import Any

from .warmup_samples import WarmupCall

__all__ = ["stage", "warm_up"]

_TIMES = 50


@contextmanager
def stage(runtime: ModuleType, call_import: Callable[..., Any]) -> Iterator[None]:
    """Replace what the runtime cannot do before the snapshot.

    runtime: the module of the imports.
    call_import: called for each call of the host, whose result it returns.
    """
    staged: dict[str, Any] = {
        "call_import": call_import,
        "waitable_set_new": lambda: 1,
        "waitable_join": lambda waitable, set: None,
        "subtask_drop": lambda waitable: None,
        "promise_get_result": lambda status, promise: None,
    }
    real = {name: getattr(runtime, name) for name in staged}
    vars(runtime).update(staged)
    try:
        yield
    finally:
        vars(runtime).update(real)


def warm_up(
    handlers: Any,
    routes: list[Any],
    warmups: Iterable[tuple[int, WarmupCall]],
    pump: Any,
    runtime: ModuleType,
    parked: object,
    seed: Callable[[], None],
) -> None:
    """Execute the request path fifty times. It changes nothing but the interpreter's caches.

    handlers: the exports of the component.
    routes: the route table.
    warmups: the app's routes that can be warmed, each with its index in the table.
    pump: drives the event loop.
    runtime: the module of the async imports, which cannot be called before the snapshot.
    parked: the runtime's result for an import that has to wait.
    seed: seeds the generators of random numbers.
    """

    async def waitless(wire: tuple[Any, ...]) -> dict[str, Any]:
        return {"answer": 1}

    first = len(routes)
    routes.append((lambda wire: {"answer": 1}, 200, False))
    routes.append((waitless, 200, True))
    nothing = dumps(())
    # By `getattr` with a name, as the runtime does: an attribute in source has other caches.
    start, call, cancel = "_async_start_run", "call", "cancel"
    sent = [(route, item, dumps(item.wire)) for route, item in warmups]
    with stage(runtime, lambda *arguments: parked):
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
            # What the runtime does at the first call of a new instance.
            os.environ["BOLT_WARMUP"] = ""
            del os.environ["BOLT_WARMUP"]
            seed()
    del routes[first:]
