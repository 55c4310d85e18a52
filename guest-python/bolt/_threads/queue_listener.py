"""The door of `logging.handlers`: the handler of a queue calls the queue's listener in place.

A listener has a thread that takes records out of the queue, so that whoever logs does not wait for
the handlers. Without that thread the records would never be written.
"""

from __future__ import annotations

import queue
import threading
from types import ModuleType
from typing import Any

__all__ = ["open_door"]

# The listeners that were started, by the number of their queue.
_started: dict[int, Any] = {}
_draining: set[int] = set()


def open_door(handlers: ModuleType) -> None:
    """Change `QueueHandler` and `QueueListener`."""
    module: Any = handlers
    put = module.QueueHandler.emit

    def emit(self: Any, record: Any) -> None:
        put(self, record)
        listener = _started.get(id(self.queue))
        if listener is not None:
            _drain(listener)

    def start(self: Any) -> None:
        if self._thread is not None:
            raise RuntimeError("Listener already started")
        # Whoever looks at it sees that the listener has begun.
        self._thread = threading.current_thread()
        _started[id(self.queue)] = self
        _drain(self)

    def stop(self: Any) -> None:
        if self._thread is not None:
            _drain(self)
            self._thread = None
            _started.pop(id(self.queue), None)

    module.QueueHandler.emit = emit
    module.QueueListener.start, module.QueueListener.stop = start, stop


def _drain(listener: Any) -> None:
    """Handle what is in the queue, and what the handlers put there."""
    number = id(listener.queue)
    if number in _draining:
        return
    _draining.add(number)
    try:
        while True:
            try:
                record = listener.dequeue(False)
            except queue.Empty:
                return
            listener.handle(record)
    finally:
        _draining.discard(number)
