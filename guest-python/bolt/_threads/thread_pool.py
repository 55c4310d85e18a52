"""The door of `multiprocessing.pool`: a `ThreadPool` calls functions when it is given them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from types import ModuleType
from typing import Any, Self

from .in_place import call_in_place

__all__ = ["open_door"]

_RUN, _CLOSE = "RUN", "CLOSE"


class _Done:
    """The result of a call, which has ended. As `AsyncResult`."""

    def __init__(self, value: Any, error: Exception | None) -> None:
        self._value = value
        self._error = error

    def get(self, timeout: float | None = None) -> Any:
        if self._error is not None:
            raise self._error
        return self._value

    def wait(self, timeout: float | None = None) -> None:
        """Do nothing: it is there."""

    def ready(self) -> bool:
        return True

    def successful(self) -> bool:
        return self._error is None


class _Results:
    """What `imap` returns: calls the function for each item that is asked for."""

    def __init__(self, function: Callable[..., Any], items: Iterable[Any]) -> None:
        self._function = function
        self._items: Iterator[Any] = iter(items)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return _call(self._function, next(self._items))

    def next(self, timeout: float | None = None) -> Any:
        return self.__next__()


def _call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    # A thread begins without the context variables of whoever starts it.
    return Context().run(call_in_place, function, *args, **named)


def open_door(pool: ModuleType) -> None:
    """Change `ThreadPool`."""
    module: Any = pool

    class ThreadPool(module.Pool):  # type: ignore[misc]
        """As that of the standard library, without its threads."""

        def __init__(
            self,
            processes: int | None = None,
            initializer: Callable[..., object] | None = None,
            initargs: tuple[Any, ...] = (),
        ) -> None:
            if processes is not None and processes < 1:
                raise ValueError("Number of processes must be at least 1")
            self._state = _RUN
            self._pool: list[Any] = []
            if initializer is not None:
                _call(initializer, *initargs)

        def apply_async(
            self,
            func: Callable[..., Any],
            args: Iterable[Any] = (),
            kwds: dict[str, Any] | None = None,
            callback: Callable[[Any], object] | None = None,
            error_callback: Callable[[Exception], object] | None = None,
        ) -> _Done:
            self._check_running()
            return _finished(lambda: _call(func, *args, **(kwds or {})), callback, error_callback)

        def _map_async(
            self,
            func: Callable[..., Any],
            iterable: Iterable[Any],
            mapper: Any,
            chunksize: int | None = None,
            callback: Callable[[Any], object] | None = None,
            error_callback: Callable[[Exception], object] | None = None,
        ) -> _Done:
            self._check_running()
            is_star = mapper is module.starmapstar

            def all_of_them() -> list[Any]:
                return [_call(func, *item) if is_star else _call(func, item) for item in iterable]

            return _finished(all_of_them, callback, error_callback)

        def imap(
            self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int = 1
        ) -> _Results:
            self._check_running()
            return _Results(func, iterable)

        imap_unordered = imap

        def close(self) -> None:
            self._state = _CLOSE

        terminate = close

        def join(self) -> None:
            if self._state is _RUN:
                raise ValueError("Pool is still running")

        def __del__(self) -> None:
            """Do nothing: no threads remain."""

        def __repr__(self) -> str:
            return f"<multiprocessing.pool.ThreadPool state={self._state}>"

    ThreadPool.__module__, ThreadPool.__qualname__ = module.__name__, "ThreadPool"
    module.ThreadPool = ThreadPool


def _finished(
    function: Callable[[], Any],
    callback: Callable[[Any], object] | None,
    error_callback: Callable[[Exception], object] | None,
) -> _Done:
    try:
        value = function()
    except Exception as exc:
        if error_callback is not None:
            error_callback(exc)
        return _Done(None, exc)
    if callback is not None:
        callback(value)
    return _Done(value, None)
