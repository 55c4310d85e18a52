"""The doors of what starts processes: `multiprocessing.process`, `concurrent.futures.process`."""

from __future__ import annotations

import errno
from types import ModuleType
from typing import Any, NoReturn

__all__ = ["open_door"]

_SENTENCE = (
    "the sandbox has no processes: call the function, or give it to a ThreadPoolExecutor, "
    "which calls it in place"
)


def open_door(module: ModuleType) -> None:
    """Change `BaseProcess.start`, or `ProcessPoolExecutor`."""
    changed: Any = module
    if hasattr(changed, "ProcessPoolExecutor"):
        changed.ProcessPoolExecutor.__init__ = _no_pool
    else:
        changed.BaseProcess.start = _no_start


def _no_start(self: Any) -> NoReturn:
    # As `subprocess` on a system without processes.
    raise OSError(errno.ENOTSUP, _SENTENCE)


def _no_pool(self: Any, *args: object, **named: object) -> NoReturn:
    # As the executor itself where there are no semaphores: libraries then use threads.
    raise NotImplementedError(_SENTENCE)
