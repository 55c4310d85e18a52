"""`threading.Thread` without threads: a thread runs when it is started or joined, or never.

A thread that is no daemon ends by itself, because a program does not end before it does. So it runs
in place when it is started, and has ended when `start` returns: `start` and `join` around a part of
the work behave as ever.

A daemon may wait for work for ever, as the workers of clients for logs, metrics and errors do. It
does not start, one line of the log says so, and the caller goes on. If somebody joins it, it runs
then: whoever joins a worker has told it to end, and the work that waits is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import Any

from .in_place import call_in_place
from .waits import limited, wait_alone

__all__ = ["install_thread"]

_Later = Callable[[float, Callable[[], None]], bool]

# The state of a thread that was started, in this attribute.
_STATE = "_bolt_state"
_WAITING, _RUNNING, _ENDED = "waiting", "running", "ended"
# When a timer is due.
_DUE = "_bolt_due"

_told: set[str] = set()


def install_thread(warn: Callable[[str], None], later: _Later) -> None:
    """Change `threading.Thread`.

    warn: writes a line to the log.
    later: calls a function on the event loop after so many seconds. Returns whether there is one.
    """
    changed: Any = threading.Thread
    was_alive = changed.is_alive

    def start(self: Any) -> None:
        if not self._initialized:
            raise RuntimeError("thread.__init__() not called")
        if self._started.is_set():
            raise RuntimeError("threads can only be started once")
        self._started.set()
        if isinstance(self, threading.Timer):
            _start_timer(self, warn, later)
        elif self.daemon:
            _defer(self, warn)
        else:
            _run(self)

    def join(self: Any, timeout: float | None = None) -> None:
        if not self._initialized:
            raise RuntimeError("Thread.__init__() not called")
        if not self._started.is_set():
            raise RuntimeError("cannot join thread before it is started")
        state = vars(self).get(_STATE, _RUNNING)
        if state is _RUNNING:
            raise RuntimeError("cannot join current thread")
        if state is _WAITING:
            _join(self, timeout)

    def is_alive(self: Any) -> bool:
        state = vars(self).get(_STATE)
        return bool(was_alive(self)) if state is None else state is not _ENDED

    changed.start, changed.join, changed.is_alive = start, join, is_alive


def _start_timer(timer: Any, warn: Callable[[str], None], later: _Later) -> None:
    """The loop calls its function in time, between requests."""
    setattr(timer, _DUE, monotonic() + timer.interval)
    # One with a `run` of its own may repeat for ever.
    is_plain = type(timer).run is threading.Timer.run
    if is_plain and later(timer.interval, lambda: _fire(timer)):
        setattr(timer, _STATE, _WAITING)
    else:
        _defer(timer, warn)


def _fire(timer: Any) -> None:
    if getattr(timer, _STATE) is _WAITING:
        timer.interval = 0
        _run(timer)


def _defer(thread: Any, warn: Callable[[str], None]) -> None:
    setattr(thread, _STATE, _WAITING)
    what = _named(thread)
    if what not in _told:
        _told.add(what)
        warn(
            f"the thread of {what} was not started: the sandbox has no threads, and a daemon may "
            "run for ever; it runs if it is joined"
        )


def _named(thread: Any) -> str:
    """What the thread would execute."""
    target = getattr(thread, "_target", None) or getattr(thread, "function", None)
    if target is None or type(thread).run not in (threading.Thread.run, threading.Timer.run):
        target = type(thread)
    # A partial has neither name.
    name = getattr(target, "__qualname__", repr(target))
    return f"{getattr(target, '__module__', None) or type(target).__module__}.{name}"


def _join(thread: Any, timeout: float | None) -> None:
    due = vars(thread).get(_DUE)
    if due is not None and not thread.finished.is_set():
        left = max(due - monotonic(), 0)
        if timeout is not None and timeout < left:
            wait_alone("a timer", timeout)
            return
        wait_alone("a timer", left)
        thread.interval = 0
    with limited(timeout):
        _run(thread)


def _run(thread: Any) -> None:
    """What `Thread._bootstrap_inner` does, in this thread."""
    ident = threading.get_ident()
    active: dict[int, Any] = threading._active  # type: ignore[attr-defined]
    before = active.get(ident)
    setattr(thread, _STATE, _RUNNING)
    thread._ident = ident
    active[ident] = thread
    # As a thread has by default: without the variables of whoever starts it.
    context = getattr(thread, "_context", None) or Context()
    try:
        context.run(call_in_place, thread.run)
    except SystemExit:
        pass
    except BaseException:
        thread._invoke_excepthook(thread)
    finally:
        setattr(thread, _STATE, _ENDED)
        if before is None:
            del active[ident]
        else:
            active[ident] = before
