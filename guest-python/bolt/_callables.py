"""What calling something gives: a value, a coroutine or a generator; and which function it is.

Decorators hide both: `functools.wraps` names the function inside, `functools.partial` and objects
with `__call__` have no code of their own. Every part of the SDK asks here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

__all__ = ["function_in", "kind_of"]


def kind_of(function: Any) -> str:
    """What a call gives: "def", "async", "generator" or "async generator".

    The outermost layer decides that says anything: an `async` wrapper around a `def` is "async". A
    `def` around an `async def` is so as well, since it returns the coroutine of what it wraps.
    """
    for layer in _layers(function):
        if inspect.isasyncgenfunction(layer):
            return "async generator"
        if inspect.isgeneratorfunction(layer):
            return "generator"
        if inspect.iscoroutinefunction(layer):
            return "async"
    return "def"


def function_in(function: Any) -> Any:
    """The innermost function, whose signature and annotations `function` has; a class is one."""
    # The objects themselves: the number of one that is gone may be that of another one.
    seen: dict[int, Any] = {}
    while id(function) not in seen:
        seen[id(function)] = function
        if isinstance(function, functools.partial):
            function = function.func
        elif not isinstance(function, type) and not inspect.isroutine(function):
            function = getattr(function, "__wrapped__", None) or function.__call__
        else:
            function = inspect.unwrap(function)
    return function


def _layers(function: Any) -> Iterator[Any]:
    """The functions that a call runs, the outermost first. A class has none: it makes an object."""
    pending, seen = [function], dict[int, Any]()
    while pending:
        layer = pending.pop()
        if layer is None or id(layer) in seen or isinstance(layer, type):
            continue
        seen[id(layer)] = layer
        if isinstance(layer, functools.partial):
            pending.append(layer.func)
            continue
        pending.append(getattr(layer, "__wrapped__", None))
        if inspect.isroutine(layer):
            yield layer
        else:
            pending.append(getattr(layer, "__call__", None))  # noqa: B004
