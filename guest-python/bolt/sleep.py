"""`asyncio.sleep` for the loop of an instance: a future in the loop's heap, and nothing else.

asyncio's own makes a handle, schedules it, runs it in a context and cancels it afterwards. Sleeping
is what most waiting handlers do, and this takes half of the time.
"""

from __future__ import annotations

import asyncio
import types
from asyncio import Future, tasks
from collections.abc import Generator
from heapq import heappush
from math import isnan
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop import BoltLoop

__all__ = ["install_sleep"]


@types.coroutine
def _next_round() -> Generator[None]:
    yield


def install_sleep(loop: BoltLoop) -> None:
    """Replace `asyncio.sleep` for the programs of this loop."""

    async def sleep(delay: float, result: Any = None) -> Any:
        """Coroutine that completes after a given time (in seconds)."""
        if delay <= 0:
            await _next_round()
            return result
        if isnan(delay):
            raise ValueError("Invalid delay: NaN (not a number)")
        future: Future[None] = Future(loop=loop)
        loop._count += 1
        heappush(loop._timers, (monotonic() + delay, loop._count, future))
        try:
            await future
        except BaseException:
            # The heap would keep a sleep that was given up until its time has come.
            if future.cancelled():
                loop._timer_dropped()
            raise
        return result

    tasks.sleep = asyncio.sleep = sleep
