"""Calls functions in place as if a thread ran them, and lets them finish coroutines."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections.abc import Awaitable, Callable
from contextvars import Context
from time import monotonic
from typing import Any

__all__ = ["call_in_place", "finish_coroutine", "pace", "restore"]

# Seconds that functions may take before the other requests of the interpreter have a turn.
_TURN = 0.001
# How often a coroutine may let others have a turn, who have none before its caller returns.
_TURNS = 1000

# The loops beside which functions run now, the innermost last.
_beside: list[Any] = []
_spent = 0.0


def call_in_place(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Call a function that sees no running loop, as in a thread: libraries refuse to block beside
    one.
    """
    loop = events._get_running_loop()
    _beside.append(loop)
    events._set_running_loop(None)
    try:
        return function(*args, **named)
    finally:
        events._set_running_loop(loop)
        _beside.pop()


async def pace(began: float) -> None:
    """Let other requests run if functions have taken long since the last time.

    began: when the last one was called. The result of a short function needs no round of the loop.
    """
    global _spent
    _spent += monotonic() - began
    if _spent > _TURN:
        _spent = 0.0
        await asyncio.sleep(0)


def finish_coroutine(awaitable: Awaitable[Any], caller: str) -> Any:
    """Run a coroutine to its end, for a function that cannot await it.

    caller: what the error calls that function. Raises RuntimeError if the coroutine has to wait,
        because nothing else can run until this function returns.
    """
    inner = events._get_running_loop()
    loop = inner or next((one for one in reversed(_beside) if one is not None), None)
    coroutine: Any = awaitable if asyncio.iscoroutine(awaitable) else _awaited(awaitable)
    # In the task of the caller, if there is one, and in its context.
    events._set_running_loop(loop)
    try:
        # Of those that only let others have a turn, some wait for what these others do.
        for _ in range(_TURNS):
            waits_for = coroutine.send(None)
            if waits_for is not None:
                if not waits_for.done():
                    break
                waits_for._asyncio_future_blocking = False
        coroutine.close()
    except StopIteration as stop:
        return stop.value
    finally:
        events._set_running_loop(inner)
    raise RuntimeError(
        f"{caller} was called for a coroutine that has to wait, and the sandbox has no thread in "
        "which anything else could run meanwhile: make the calling function `async def`, and "
        "await the coroutine"
    )


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def restore(context: Context) -> None:
    """Set the context variables as they are in another context."""
    for variable, value in context.items():
        if variable.get(None) is not value:
            variable.set(value)
