"""Executes commands of stores before the snapshot is taken, against a host that is not there.

As with statements, code that a fresh interpreter runs for the first time writes into pages of its
own. A handler whose app gets one key spends most of its time in the code that is executed here.
"""

from __future__ import annotations

import sys
from marshal import dumps
from types import ModuleType
from typing import Any

__all__ = ["warm_up_kv"]

_TIMES = 50


def warm_up_kv(host: Any, runtime: ModuleType) -> None:
    """Execute what a handler of an app with stores executes, if the app has any.

    host: the module `wit_world.imports.kv`.
    runtime: the module of the imports, which cannot be called before the snapshot.
    """
    if "bolt.kv" not in sys.modules:
        return
    from ..kv import Store

    def outcome(result: Any) -> Any:
        return host.Outcome_Done(dumps(result, 4))

    values = [outcome([stored]) for stored in (b'{"a":[1,"b"]}', b'"text"', b"12", None)]
    yes, number, page, end = outcome(True), outcome(1), outcome(["a", "b"]), outcome([])
    given: list[Any] = []
    real = runtime.call_import
    store = Store("main")

    def asynchronous(method: Any, *arguments: Any, **options: Any) -> None:
        try:
            # The result is there at once, so it runs to its end.
            method(*arguments, **options).send(None)
        except StopIteration:
            return

    def blocking(method: Any, *arguments: Any, **options: Any) -> None:
        method(*arguments, **options)

    def rehearse(run: Any, kind: Any) -> None:
        for value in values:
            given.append(value)
            run(kind.get, "user:1", {})
        given.append(yes)
        run(kind.set, "user:1", {"a": [1, "b"]}, ttl=60)
        given.append(number)
        run(kind.incr, "visits")

    vars(runtime)["call_import"] = lambda *_: given.pop()
    try:
        for _ in range(_TIMES):
            rehearse(asynchronous, store)
            rehearse(blocking, store.sync)
            given += (end, page)
            list(store.sync.scan("user:"))
    finally:
        vars(runtime)["call_import"] = real
