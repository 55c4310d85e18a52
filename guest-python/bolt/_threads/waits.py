"""What happens when code waits for another thread: nothing else runs, so an endless wait raises.

`threading.Event`, `Semaphore`, `Barrier`, `queue.Queue` and the futures of `concurrent.futures` all
wait in `Condition.wait`. Until it returns no other code of the interpreter runs, and so nothing
notifies it. A wait with a timeout sleeps for that time, as it does elsewhere.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

__all__ = ["install_waits", "limited", "wait_alone"]

# The longest time that is slept at once, after which the limit is looked at again.
_LONGEST = 3600.0
_limits: list[float] = []


def wait_alone(what: str, timeout: float | None) -> None:
    """Wait for what only another thread could do.

    what: names it in the error. timeout: seconds, or None for ever.
    Raises RuntimeError if the wait would never end, and SystemExit in a thread whose time is over.
    """
    if timeout is None:
        raise RuntimeError(
            f"this wait for {what} would never end: the sandbox has no threads, so nothing else "
            "runs until it returns; do the work before it is waited for, or `await` it in an "
            "`async def` handler with the means of asyncio"
        )
    end = monotonic() + timeout
    limit = min(_limits, default=end)
    while (left := min(end, limit) - monotonic()) > 0:
        sleep(min(left, _LONGEST))
    if limit < end:
        raise SystemExit


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Waits in this block end its thread after so many seconds."""
    if seconds is None:
        yield
        return
    _limits.append(monotonic() + seconds)
    try:
        yield
    finally:
        _limits.pop()


def install_waits() -> None:
    """Change `threading.Condition`, and the classes that wait without one."""
    changed: Any = threading.Condition
    changed.wait = _wait
    theirs: Any = threading
    theirs.Lock = Lock
    theirs = queue
    theirs.SimpleQueue = SimpleQueue


def _wait(self: Any, timeout: float | None = None) -> bool:
    """As `Condition.wait` when nobody notifies it."""
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    wait_alone("a notification", None if timeout is None else max(timeout, 0))
    return False


class Lock:
    """`threading.Lock`. Whoever holds it cannot go on while another waits for it."""

    __slots__ = ("__weakref__", "_held")

    def __init__(self) -> None:
        self._held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if timeout != -1:
            if not blocking:
                raise ValueError("can't specify a timeout for a non-blocking call")
            if timeout < 0:
                raise ValueError("timeout value must be a non-negative number")
        if not self._held:
            self._held = True
            return True
        if blocking:
            what = "a Lock that is held, by this code or across an `await`,"
            wait_alone(what, None if timeout == -1 else timeout)
        return False

    def release(self) -> None:
        if not self._held:
            raise RuntimeError("release unlocked lock")
        self._held = False

    def locked(self) -> bool:
        return self._held

    def __enter__(self) -> bool:
        if self._held:
            return self.acquire()
        self._held = True
        return True

    def __exit__(self, *raised: object) -> None:
        self.release()

    acquire_lock, release_lock, locked_lock = acquire, release, locked

    def _at_fork_reinit(self) -> None:
        self._held = False

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle '_thread.lock' object")

    def __repr__(self) -> str:
        state = "locked" if self._held else "unlocked"
        return f"<{state} _thread.lock object at {hex(id(self))}>"


class SimpleQueue(queue.SimpleQueue[Any]):
    """`queue.SimpleQueue`, whose `get` does not wait for what nobody will put."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        try:
            return super().get_nowait()
        except queue.Empty:
            if not block:
                raise
        wait_alone("an item of an empty queue", timeout)
        raise queue.Empty
