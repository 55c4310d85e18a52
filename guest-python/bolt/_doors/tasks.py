"""Runs an app in a task of its own, which goes on when the handler of its request has ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

__all__ = ["end_task", "next_round", "running", "start"]

running: set[asyncio.Task[Any]] = set()
"""The tasks that wait: the loop has weak references only."""

_IS_EAGER = sys.version_info >= (3, 12)


def start(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Start a task at once: an app that never waits has ended when this returns."""
    loop = asyncio.get_running_loop()
    if _IS_EAGER:
        task = asyncio.Task(coroutine, loop=loop, eager_start=True)
        if task.done():
            return task
    else:
        task = asyncio.Task(coroutine, loop=loop)
    running.add(task)
    task.add_done_callback(running.discard)
    return task


async def end_task(task: asyncio.Task[Any], patience: float) -> None:
    """Wait for the end of a task, and cancel it when it takes too long. It raises nothing."""
    if not task.done():
        await asyncio.wait([task], timeout=patience)
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=patience)


async def next_round() -> None:
    """Let everything run that is ready."""
    await asyncio.sleep(0)
