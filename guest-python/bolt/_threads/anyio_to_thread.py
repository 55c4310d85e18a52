"""The door of `anyio.to_thread`, by which Starlette and FastAPI call `def` handlers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextvars import copy_context
from time import monotonic
from types import ModuleType
from typing import Any

from .in_place import call_in_place, pace

__all__ = ["open_door"]


def open_door(to_thread: ModuleType) -> None:
    """Change `run_sync`."""
    module: Any = to_thread

    async def run_sync(
        func: Callable[..., Any],
        *args: Any,
        abandon_on_cancel: bool = False,
        cancellable: bool | None = None,
        limiter: Any = None,
    ) -> Any:
        """Call the function in place. A limiter is ignored: one function runs at a time."""
        # Late: anyio imports it itself.
        await importlib.import_module("anyio.lowlevel").checkpoint_if_cancelled()
        began = monotonic()
        # As in a thread of anyio: the variables are there, and what it sets is not seen here.
        result = copy_context().run(call_in_place, func, *args)
        await pace(began)
        return result

    module.run_sync = run_sync
