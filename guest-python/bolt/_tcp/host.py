"""The host's connections, and who waits for the progress of one.

The entry imports this module in every app, so it imports little itself. The code always asks the
host before it waits, and no other code runs in between, so it cannot miss progress.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from math import ceil
from time import monotonic
from typing import Any

__all__ = ["block", "dropped", "host", "install", "on_news", "sweep", "waiting", "wake"]

_host: Any = None
_LONGEST = 2**32 - 1

waiting: dict[int, list[Callable[[], None]]] = {}
"""What to call after the progress of a connection. The entry tests it at each alarm."""

dropped: list[int] = []
"""Connections that were garbage collected.

The collector can run at any moment, also within a call of the host, so the next call closes them.
"""


def install(host: Any) -> None:
    """Use `host`, an object like the module `wit_world.imports.tcp`; None removes it."""
    global _host
    _host = host
    waiting.clear()
    dropped.clear()


def host() -> Any:
    """The functions of the host. Raises OSError without one."""
    if _host is None:
        raise OSError(
            errno.ENETDOWN,
            "there is no host to connect: sockets work in a handler that bolt-host runs, and not "
            "while the app is imported",
        )
    return _host


def sweep() -> None:
    """Close what was garbage collected."""
    while dropped:
        _host.close(dropped.pop())


def on_news() -> None:
    """Call those that wait for a connection which has progressed."""
    if _host is None:
        return
    sweep()
    for number in _host.news():
        wake(number)


def wake(number: int) -> None:
    """Call those that wait for this connection."""
    for call in tuple(waiting.get(number, ())):
        call()


def block(number: int, deadline: float | None) -> bool:
    """Block the interpreter until a connection has progressed, any of them for 0.

    deadline: as `monotonic` has it. False: it has passed.
    """
    if deadline is None:
        _host.wait(number, None)
        return True
    left = deadline - monotonic()
    if left <= 0:
        return False
    _host.wait(number, min(ceil(left * 1000), _LONGEST))
    return True
