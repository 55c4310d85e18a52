"""The door of `concurrent.futures.thread`: an executor calls functions when they are submitted."""

from __future__ import annotations

from concurrent.futures import Future
from contextvars import Context
from functools import wraps
from types import ModuleType
from typing import Any

from .in_place import call_in_place

__all__ = ["open_door"]


def open_door(thread: ModuleType) -> None:
    """Change `ThreadPoolExecutor`."""
    module: Any = thread
    executor = module.ThreadPoolExecutor
    begin = executor.__init__

    @wraps(begin)
    def __init__(
        self: Any,
        max_workers: Any = None,
        thread_name_prefix: str = "",
        initializer: Any = None,
        initargs: tuple[Any, ...] = (),
        **more: Any,
    ) -> None:
        begin(self, max_workers, thread_name_prefix, initializer, initargs, **more)
        self._first = None if initializer is None else (initializer, initargs)

    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        # A thread begins without the context variables of whoever starts it.
        context = Context()
        try:
            first, self._first = self._first, None
            if first is not None:
                context.run(call_in_place, first[0], *first[1])
            future.set_result(context.run(call_in_place, fn, *args, **kwargs))
        except BaseException as exc:
            future.set_exception(exc)
        return future

    executor.__init__, executor.submit = __init__, submit
