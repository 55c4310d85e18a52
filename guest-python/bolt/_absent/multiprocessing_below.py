"""What `multiprocessing` has below it, so that its modules can be imported."""

from __future__ import annotations

from typing import NoReturn

from .refusing import refuse, refusing

__all__ = ["SemLock", "sem_unlink"]

_SENTENCE = "the sandbox has no processes, and nothing that processes share: call Python functions"

SemLock = refusing("SemLock", "_multiprocessing", _SENTENCE, SEM_VALUE_MAX=2**31 - 1)


def sem_unlink(name: str) -> NoReturn:
    """Refuse: there are no semaphores."""
    refuse(_SENTENCE)
