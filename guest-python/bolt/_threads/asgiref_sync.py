"""The door of `asgiref.sync`, by which Django calls functions from coroutines and the reverse."""

from __future__ import annotations

from contextvars import copy_context
from time import monotonic
from types import ModuleType
from typing import Any

from .in_place import call_in_place, finish_coroutine, pace, restore

__all__ = ["open_door"]


def open_door(sync: ModuleType) -> None:
    """Change `SyncToAsync` and `AsyncToSync`."""
    module: Any = sync

    async def to_async(self: Any, *args: Any, **kwargs: Any) -> Any:
        began = monotonic()
        given = getattr(self, "context", None)
        context = copy_context() if given is None else given
        try:
            result = context.run(call_in_place, self.func, *args, **kwargs)
        finally:
            # As asgiref does, which also passes on what the function has set.
            if given is None:
                restore(context)
        await pace(began)
        return result

    def to_sync(self: Any, *args: Any, **kwargs: Any) -> Any:
        return finish_coroutine(self.awaitable(*args, **kwargs), "async_to_sync")

    module.SyncToAsync.__call__, module.AsyncToSync.__call__ = to_async, to_sync
