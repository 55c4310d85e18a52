"""The event loop of an instance: one for all its requests, woken by the host.

The loop never blocks. The host enters it with each new request and whenever its alarm rings; what
is ready runs, and the loop asks for the next alarm. So ten thousand sleeping handlers are one timer
to the host, and a lock released by one request resumes another at once.
"""

from __future__ import annotations

import asyncio
import heapq
import traceback
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from time import monotonic
from typing import Any, TypeVar, TypeVarTuple

__all__ = ["BoltLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Callbacks that run before the host gets the thread back: a task that never waits for anything but
# sleep(0) must not keep the other requests of its instance out.
_ROUNDS = 64


class _Soon(asyncio.Handle):
    """A handle without debug mode, which costs a call for each that is made."""

    def __init__(self, callback: Any, args: Any, loop: BoltLoop, context: Context | None) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """The same for timers."""

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


class BoltLoop(asyncio.AbstractEventLoop):
    """An asyncio event loop without a selector.

    set_alarm: asks the host to call `tick` after so many nanoseconds.
    complain: takes a text about something that went wrong outside any request.
    """

    def __init__(self, set_alarm: Callable[[int], None], complain: Callable[[str], None]) -> None:
        self._set_alarm = set_alarm
        self._complain = complain
        self._ready: deque[_Soon | _Timer] = deque()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._count = 0
        self._cancelled = 0
        self._armed = 0.0
        self._exception_handler: Callable[[BoltLoop, dict[str, Any]], object] | None = None
        self._task_factory: Any = None

    # The host's side.

    def tick(self) -> None:
        """Run the timers that are due and all that is ready, and ask for the next alarm."""
        self._armed = 0.0
        timers = self._timers
        if timers:
            now = monotonic()
            while timers and timers[0][0] <= now:
                handle = heapq.heappop(timers)[2]
                handle._scheduled = False
                if handle._cancelled:
                    self._cancelled -= 1
                else:
                    self._ready.append(handle)
        self.run_ready()

    def run_ready(self) -> None:
        """Run what is ready and what that makes ready, within bounds; ask for the next alarm."""
        ready = self._ready
        for _ in range(_ROUNDS):
            if not ready:
                break
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                # What `Handle._run` does, less a frame for each callback.
                try:
                    handle._context.run(handle._callback, *handle._args)
                except BaseException as exc:
                    # SystemExit too: it would end the loop of all requests, and one of them asked.
                    self.call_exception_handler({"message": f"in {handle!r}", "exception": exc})
        self._arm()

    def _arm(self) -> None:
        if self._ready:
            self._set_alarm(0)
            return
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
            self._cancelled -= 1
        if timers and timers[0][0] != self._armed:
            self._armed = timers[0][0]
            self._set_alarm(max(0, int((self._armed - monotonic()) * 1e9)))

    # asyncio's side.

    def time(self) -> float:
        return monotonic()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Soon(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(monotonic() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = _Timer(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def _timer_handle_cancelled(self, handle: _Timer) -> None:
        """asyncio tells of a cancelled timer. Most timeouts never fire: clear them out in bulk."""
        if not handle._scheduled:
            return
        self._cancelled += 1
        if self._cancelled > 100 and self._cancelled * 2 > len(self._timers):
            self._timers = [entry for entry in self._timers if not entry[2]._cancelled]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        if self._task_factory is not None:
            return self._task_factory(self, coro, **kwargs)  # type: ignore[no-any-return]
        return asyncio.Task(coro, loop=self, **kwargs)

    def set_task_factory(self, factory: Any) -> None:
        self._task_factory = factory

    def get_task_factory(self) -> Any:
        return self._task_factory

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """There are no threads in the sandbox: `func` runs here and now."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as exc:
            future.set_exception(exc)
        return future

    def run_forever(self) -> None:
        raise RuntimeError(
            "the event loop is run by the host: await the coroutine in an async handler"
        )

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.iscoroutine(future):
            future.close()
        self.run_forever()

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def stop(self) -> None:
        self.run_forever()

    close = stop

    def shutdown_asyncgens(self) -> Coroutine[Any, Any, None]:
        return _nothing()

    shutdown_default_executor = shutdown_asyncgens

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Debug mode needs a running selector; it is not offered."""

    def set_exception_handler(self, handler: Any) -> None:
        self._exception_handler = handler

    def get_exception_handler(self) -> Any:
        return self._exception_handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        lines = [str(context.get("message", "Unhandled exception in the event loop"))]
        exc = context.get("exception")
        if exc is not None:
            lines.append("".join(traceback.format_exception(exc)))
        self._complain("\n".join(lines))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        handler = self._exception_handler
        try:
            (handler or type(self).default_exception_handler)(self, context)
        except Exception as exc:
            self.default_exception_handler(
                {"message": "in the exception handler", "exception": exc}
            )

    def install(self) -> None:
        """Make this the running loop, for good."""
        asyncio.set_event_loop(self)
        events._set_running_loop(self)


async def _nothing() -> None:
    pass
