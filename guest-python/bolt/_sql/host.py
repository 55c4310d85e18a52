"""The host's databases, and who waits for the progress of a statement.

The entry imports this module in every app, so it imports nothing itself. The code always asks the
host before it waits, and no other code runs in between, so it cannot miss progress.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["current", "dropped", "host", "install", "on_news", "sweep", "waiting", "wake"]

_host: Any = None
_current: Callable[[], int] = int

waiting: dict[int, list[Any]] = {}
"""The futures of those that wait, by statement. The entry tests it at each alarm."""

dropped: list[tuple[str, int]] = []
"""Statements and sessions that were garbage collected: the function of the host, and the number.

The collector can run at any moment, also within a call of the host, so the next call closes them.
"""


def install(host: Any, current: Callable[[], int]) -> None:
    """Use `host`, an object like the module `wit_world.imports.sql`; None removes it.

    current: returns the number of the current request.
    """
    global _host, _current
    _host, _current = host, current
    waiting.clear()
    dropped.clear()


def host() -> Any:
    """The functions of the host. Raises RuntimeError without one."""
    if _host is None:
        raise RuntimeError(
            "there is no host to ask: a database works in a handler that bolt-host runs, and not "
            "while the app is imported"
        )
    return _host


def current() -> int:
    """The number of the current request."""
    return _current()


def sweep() -> None:
    """Close what was garbage collected."""
    while dropped:
        function, number = dropped.pop()
        getattr(_host, function)(number)


def on_news() -> None:
    """Resume the tasks that wait for a statement which has progressed."""
    if _host is None:
        return
    sweep()
    for number in _host.news():
        wake(number)


def wake(number: int) -> None:
    """Resume the tasks that wait for this statement."""
    for future in waiting.get(number, ()):
        if not future.done():
            future.set_result(None)
