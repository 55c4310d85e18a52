"""Installs the event loop of an instance, and replaces the parts of asyncio that depend on it."""

from __future__ import annotations

import asyncio
import sys
import types
from asyncio import Future, events, runners, tasks
from collections.abc import Generator
from heapq import heappush
from math import isnan
from time import monotonic
from typing import Any, NoReturn

from .loop import BoltLoop
from .unsupported_loop import refuse_loop

__all__ = ["install_loop"]


def install_loop(loop: BoltLoop) -> None:
    """Make this the running loop for good. Call it before the app is imported.

    The app may import names from asyncio, which have to be the replacements.
    """
    _refuse_runners()
    _install_sleep(loop)
    asyncio.set_event_loop(loop)
    events._set_running_loop(loop)
    sys.set_asyncgen_hooks(loop._asyncgens.add, loop._finalize_asyncgen)


@types.coroutine
def _next_round() -> Generator[None]:
    yield


def _install_sleep(loop: BoltLoop) -> None:
    """Replace `asyncio.sleep` by one that only puts a future into the heap of the loop.

    The original creates a handle, schedules it, runs it in a context and cancels it afterwards.
    Most waiting handlers sleep, and this version takes half of the time.
    """

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
            # The heap keeps the entry of a cancelled sleep until its time is reached.
            if future.cancelled():
                loop._timer_dropped()
            raise
        return result

    tasks.sleep = asyncio.sleep = sleep


def _refuse_runners() -> None:
    """Make `asyncio.run`, `asyncio.Runner` and `asyncio.new_event_loop` raise.

    An app may import `new_event_loop` by name, so the policy is what raises for a new loop.
    """
    asyncio.run = runners.run = _run
    asyncio.Runner.run = _runner_run  # type: ignore[method-assign]
    # Python 3.14 deprecates the public name.
    policy: Any = getattr(events, "_get_event_loop_policy", events.get_event_loop_policy)()
    policy.new_event_loop = _new_event_loop


def _run(main: object, **options: object) -> NoReturn:
    refuse_loop("asyncio.run", main)


def _runner_run(self: asyncio.Runner, coro: object, **options: object) -> NoReturn:
    refuse_loop("asyncio.Runner", coro)


def _new_event_loop() -> NoReturn:
    # Raised here and not in `run_until_complete`, before the app creates the coroutine for it.
    refuse_loop("an event loop of its own")
