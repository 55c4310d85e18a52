"""`BoltLoop`: the event loop of an instance, shared by all its requests and woken by the host.

The loop never blocks. The host enters it for each new request and whenever its alarm fires; the
loop runs what is ready and sets the next alarm. So ten thousand sleeping handlers are one timer in
the host, and a lock that one request releases resumes another immediately.

It behaves as CPython's own loop, except for what the sandbox lacks:

- No threads: `to_thread` and `run_in_executor` call the function and block.
- Connections are those of the host: see `connecting_loop`.
- No listeners, processes and signals, and no second loop: see `unsupported_loop`.
- All requests share it and it never ends: it cannot be stopped or closed, and has no debug mode.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import heapq
import traceback
from asyncio import events
from asyncio.format_helpers import _format_callback_source
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextvars import Context, ContextVar, copy_context
from time import monotonic
from typing import Any, TypeVar, TypeVarTuple
from weakref import WeakSet

from .connecting_loop import ConnectingLoop
from .hints import with_hint

__all__ = ["BoltLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# The most rounds of callbacks before the loop returns to the host: a task that waits only by
# sleep(0) must not starve the other requests of its instance.
_ROUNDS = 64
# The longest time to the next alarm, because a timer may be set to infinity. As in CPython.
_DAY = 24 * 3600.0


class _Soon(asyncio.Handle):
    """A handle without debug mode, whose check would cost a call for each handle."""

    __slots__ = ()

    def __init__(self, callback: Any, args: Any, loop: BoltLoop, context: Context | None) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """A timer handle without debug mode."""

    __slots__ = ()

    def __init__(
        self, when: float, callback: Any, args: Any, loop: BoltLoop, context: Context | None
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self._scheduled = True


def _is_dead(entry: _Timer | asyncio.Future[None]) -> bool:
    return entry._cancelled if isinstance(entry, _Timer) else entry.done()


class BoltLoop(ConnectingLoop):
    """An asyncio event loop without a selector.

    set_alarm: makes the host call `tick` after a number of nanoseconds.
    complain: logs an error that no request reports.
    request: the number of the request in each context (0: none).
    serving: called with the number whenever the loop switches to another request.
    """

    def __init__(
        self,
        set_alarm: Callable[[int], None],
        complain: Callable[[str], None],
        request: ContextVar[int] | None = None,
        serving: Callable[[int], None] | None = None,
    ) -> None:
        self._set_alarm = set_alarm
        self._complain = complain
        self._request = request
        self._serving = serving if request is not None else None
        # The last argument of `serving`. The entry sets it as well when it starts a handler.
        self.serving_now = 0
        self._running = False
        self._ready: deque[_Soon | _Timer] = deque()
        self._timers: list[tuple[float, int, _Timer | asyncio.Future[None]]] = []
        self._count = 0
        self._cancelled = 0
        self._armed = 0.0
        self._asyncgens: WeakSet[AsyncGenerator[Any, Any]] = WeakSet()
        self._exception_handler: Callable[[BoltLoop, dict[str, Any]], object] | None = None
        self._task_factory: Any = None

    # The host's side.

    def tick(self) -> None:
        """Run the timers that are due and everything that is ready, and set the next alarm."""
        self._armed = 0.0
        if self._timers:
            self._collect_due()
        self.run_ready(collected=True)

    def run_ready(self, collected: bool = False) -> None:
        """Run what is ready and what that makes ready, up to a limit, and set the next alarm."""
        ready = self._ready
        serving: Any = self._serving
        request: Any = self._request
        handle: Any = None
        self._running = True
        for _ in range(_ROUNDS):
            if not ready:
                break
            # As in CPython, timers that become due run among the callbacks.
            if self._timers and not collected:
                self._collect_due()
            collected = False
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                # The body of `Handle._run`, inlined to save a frame for each callback.
                try:
                    if serving is not None:
                        number = handle._context.get(request, 0)
                        if number != self.serving_now:
                            self.serving_now = number
                            serving(number)
                    handle._context.run(handle._callback, *handle._args)
                except BaseException as exc:
                    self._report(handle, exc)
        self._running = False
        # The traceback of an exception refers to this frame, which must not refer to the task that
        # holds the exception: that would be a reference cycle.
        handle = None
        self._arm()

    def _collect_due(self) -> None:
        timers = self._timers
        now = monotonic()
        # Not `<=`, because a timer at NaN would block all timers behind it.
        while timers and not timers[0][0] > now:
            entry = heapq.heappop(timers)[2]
            if not isinstance(entry, _Timer):
                # The future of a sleep, which schedules its task.
                if entry.done():
                    self._cancelled -= 1
                else:
                    entry.set_result(None)
                continue
            entry._scheduled = False
            if entry._cancelled:
                self._cancelled -= 1
            else:
                self._ready.append(entry)

    def _arm(self) -> None:
        if self._ready:
            self._set_alarm(0)
            return
        timers = self._timers
        while timers and _is_dead(timers[0][2]):
            heapq.heappop(timers)
            self._cancelled -= 1
        if timers and timers[0][0] != self._armed:
            self._armed = timers[0][0]
            delay = min(_DAY, max(0.0, self._armed - monotonic()))
            self._set_alarm(int(delay * 1e9))

    def _report(self, handle: _Soon | _Timer, exc: BaseException) -> None:
        callback: Any = handle._callback
        if isinstance(exc, (SystemExit, KeyboardInterrupt)) and isinstance(
            getattr(callback, "__self__", None), asyncio.Future
        ):
            # The task keeps the exception and raises it in the code that awaits the task. CPython
            # also ends the loop; here one request must not end the loop of all requests.
            return
        what = f"Exception in callback {_format_callback_source(callback, handle._args)}"
        self.call_exception_handler({"message": what, "exception": exc, "handle": handle})

    # asyncio's side.

    def time(self) -> float:
        return monotonic()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Soon(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """`call_soon`; sets the alarm when the loop is not running."""
        handle = self.call_soon(callback, *args, context=context)
        if not self._running:
            self._set_alarm(0)
        return handle

    def rouse(self) -> None:
        """Set the alarm for what was scheduled while the loop was not running."""
        if not self._running:
            self._set_alarm(0)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        if delay is None:
            raise TypeError("delay must not be None")
        return self.call_at(monotonic() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        if when is None:
            raise TypeError("when cannot be None")
        handle = _Timer(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def _timer_handle_cancelled(self, handle: _Timer) -> None:
        """asyncio calls it for a cancelled timer. Most timeouts never fire; remove them in bulk."""
        if handle._scheduled:
            self._timer_dropped()

    def _timer_dropped(self) -> None:
        self._cancelled += 1
        if self._cancelled > 100 and self._cancelled * 2 > len(self._timers):
            self._timers = [entry for entry in self._timers if not _is_dead(entry[2])]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        if self._task_factory is not None:
            return self._task_factory(self, coro, **kwargs)  # type: ignore[no-any-return]
        return asyncio.Task(coro, loop=self, **kwargs)

    def set_task_factory(self, factory: Any) -> None:
        if factory is not None and not callable(factory):
            raise TypeError("task factory must be a callable or None")
        self._task_factory = factory

    def get_task_factory(self) -> Any:
        return self._task_factory

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Call `func` and block: the sandbox has no threads. It ignores the executor.

        As in a thread, `func` runs without the context variables of the caller, and sees no running
        loop: libraries refuse to block beside one. The future resolves in the next round of the
        loop, so a handler that calls this in a loop lets others run.
        """
        future: asyncio.Future[T] = self.create_future()
        context = Context()
        if self._request is not None:
            # Its output and its time still belong to the request.
            context.run(self._request.set, self._request.get(0))
        events._set_running_loop(None)
        try:
            self.call_soon(_settle, future, context.run(func, *args), None)
        except BaseException as exc:
            self.call_soon(_settle, future, None, exc)
        finally:
            events._set_running_loop(self)
        return future

    def _finalize_asyncgen(self, agen: AsyncGenerator[Any, Any]) -> None:
        """Close a garbage collected async generator before its end, to run its `finally`."""
        self._asyncgens.discard(agen)
        self.call_soon_threadsafe(self.create_task, agen.aclose())

    async def shutdown_asyncgens(self) -> None:
        """Close all unfinished async generators of all requests."""
        closing = list(self._asyncgens)
        self._asyncgens.clear()
        results = await asyncio.gather(*[a.aclose() for a in closing], return_exceptions=True)
        for agen, result in zip(closing, results, strict=True):
            if isinstance(result, Exception):
                message = f"an error occurred during closing of asynchronous generator {agen!r}"
                self.call_exception_handler(
                    {"message": message, "exception": result, "asyncgen": agen}
                )

    # Errors.

    def set_exception_handler(self, handler: Any) -> None:
        if handler is not None and not callable(handler):
            raise TypeError(f"A callable object or None is expected, got {handler!r}")
        self._exception_handler = handler

    def get_exception_handler(self) -> Any:
        return self._exception_handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        lines = [context.get("message") or "Unhandled exception in event loop"]
        lines += [
            f"{key}: {context[key]!r}" for key in sorted(context.keys() - {"message", "exception"})
        ]
        exc = context.get("exception")
        if exc is not None:
            lines.append(with_hint("".join(traceback.format_exception(exc)), exc).rstrip())
        self._complain("\n".join(lines))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report an error. It never raises, so that the loop continues after a failed report."""
        source: Any = context.get("task") or context.get("future") or context.get("handle")
        # In the context of the failed task, so that the log assigns it to the right request. A
        # copy, because that context may be entered already.
        scope = source.get_context().copy() if hasattr(source, "get_context") else copy_context()
        try:
            if self._exception_handler is None:
                scope.run(self.default_exception_handler, context)
            else:
                scope.run(self._exception_handler, self, context)
        except BaseException as exc:
            again = {"message": "Unhandled error in exception handler", "exception": exc}
            with contextlib.suppress(BaseException):
                self.default_exception_handler({**again, "context": context})


def _settle(future: asyncio.Future[Any], result: Any, exc: BaseException | None) -> None:
    if future.cancelled():
        return
    if exc is None:
        future.set_result(result)
    elif isinstance(exc, concurrent.futures.CancelledError):
        future.set_exception(asyncio.CancelledError(*exc.args))
    else:
        future.set_exception(exc)
