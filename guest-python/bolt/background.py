"""Background tasks: calls that run after the response is sent."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["BackgroundTask", "BackgroundTasks"]


class BackgroundTask:
    """A call to make after the response is sent, of a `def` or an `async def` function."""

    def __init__(self, function: Callable[..., Any], /, *args: Any, **keywords: Any) -> None:
        self.function = function
        self.args = args
        self.keywords = keywords

    async def __call__(self) -> None:
        result = self.function(*self.args, **self.keywords)
        if inspect.isawaitable(result):
            await result


class BackgroundTasks:
    """Declare a parameter of this type; the added tasks run in order after the response is sent."""

    def __init__(self, tasks: list[BackgroundTask] | None = None) -> None:
        self.tasks = list(tasks or [])

    def add_task(self, function: Callable[..., Any], /, *args: Any, **keywords: Any) -> None:
        """Call `function` with these arguments after the response is sent."""
        self.tasks.append(BackgroundTask(function, *args, **keywords))

    async def __call__(self) -> None:
        for task in self.tasks:
            await task()
