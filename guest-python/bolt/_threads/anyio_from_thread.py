"""The door of `anyio.from_thread`: what a function calls that `anyio.to_thread` runs in place."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from .in_place import finish_coroutine

__all__ = ["open_door"]


def open_door(from_thread: ModuleType) -> None:
    """Change `run` and `run_sync`."""
    module: Any = from_thread

    def run(func: Callable[..., Any], *args: Any, token: Any = None) -> Any:
        return finish_coroutine(func(*args), "anyio.from_thread.run")

    def run_sync(func: Callable[..., Any], *args: Any, token: Any = None) -> Any:
        async def call() -> Any:
            return func(*args)

        return finish_coroutine(call(), "anyio.from_thread.run_sync")

    def check_cancelled() -> None:
        """Do nothing: no cancellation can come while a function runs in place."""

    module.run, module.run_sync, module.check_cancelled = run, run_sync, check_cancelled
