"""The host's stores of keys and values, and who waits for the result of a command.

The entry imports this module in every app, so it imports nothing itself. The code always asks the
host before it waits, and no other code runs in between, so it cannot miss progress.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["current", "dropped", "host", "install", "on_news", "sweep", "waiting"]


class _NoHost:
    """Stands where the host will be."""

    Outcome_Done = Outcome_Failed = type(None)

    def call(self, *_: Any) -> Any:
        raise RuntimeError(
            "there is no host to ask: a store works in a handler that bolt-host runs, and not "
            "while the app is imported"
        )


host: Any = _NoHost()
"""The functions of the host. Without one, `call` raises RuntimeError."""

current: Callable[[], int] = int
"""Returns the number of the current request."""

done: Any = type(None)
"""The class of an outcome that is there already."""

waiting: dict[int, Any] = {}
"""The future of the one that waits, by command. The entry tests it at each alarm."""

dropped: list[int] = []
"""Commands whose coroutines were garbage collected.

The collector can run at any moment, also within a call of the host, so the next call closes them.
"""


def install(given: Any, request: Callable[[], int]) -> None:
    """Use `given`, an object like the module `wit_world.imports.kv`; None removes it.

    request: returns the number of the current request.
    """
    global host, current, done
    host, current = _NoHost() if given is None else given, request
    done = host.Outcome_Done
    waiting.clear()
    dropped.clear()


def sweep() -> None:
    """Forget what was garbage collected."""
    while dropped:
        host.close(dropped.pop())


def on_news() -> None:
    """Resume the tasks that wait for a command which has progressed."""
    if not waiting:
        return
    sweep()
    for number in host.news():
        future = waiting.get(number)
        if future is not None and not future.done():
            future.set_result(None)
