"""`select.select` and `select.poll` for sockets of the sandbox, and descriptors of the system."""

from __future__ import annotations

import errno
import select as standard
from collections.abc import Callable, Iterable
from time import monotonic, sleep
from typing import Any

from . import host as hosts
from .connection import deadline_of
from .endpoint import Endpoint, find
from .errors import system_error

__all__ = ["Poll", "select"]

_select: Any = standard.select
_poll: Any = getattr(standard, "poll", None)
# Descriptors of the system are looked at so often, if there are sockets as well.
_ROUND = 0.01


def _number(thing: Any) -> int:
    found = thing if isinstance(thing, int) else thing.fileno()
    if found < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({found})")
    return int(found)


def _wait(endpoints: Iterable[Endpoint], deadline: float | None) -> None:
    """Block until one of them has progressed, or the deadline has passed."""
    connections = [each.connection for each in endpoints if each.connection is not None]
    if connections:
        hosts.block(connections[0].number if len(connections) == 1 else 0, deadline)
    elif deadline is not None:
        sleep(max(0.0, deadline - monotonic()))
    else:
        raise system_error(errno.EDEADLK)
    for connection in connections:
        # A write tells whether there is room.
        connection.is_full = False


def _until(
    found: Callable[[], Any], endpoints: list[Endpoint], others: bool, timeout: float | None
) -> Any:
    """What is found, once there is something or the time has passed."""
    deadline = deadline_of(timeout)
    while not (something := found()):
        if deadline is not None and monotonic() >= deadline:
            break
        last = deadline
        if others:
            last = monotonic() + _ROUND if last is None else min(last, monotonic() + _ROUND)
        _wait(endpoints, last)
    return something


def select(
    readers: Iterable[Any], writers: Iterable[Any], failed: Iterable[Any], timeout: Any = None
) -> tuple[list[Any], list[Any], list[Any]]:
    """`select.select`; nothing is exceptional about a socket."""
    given = [list(readers), list(writers), list(failed)]
    ours = [[find(_number(thing)) for thing in things] for things in given]
    endpoints = [each for found in ours for each in found if each is not None]
    if not endpoints:
        return _select(*given, timeout)  # type: ignore[no-any-return]
    theirs = [
        [thing for thing, each in zip(things, found, strict=True) if each is None]
        for things, found in zip(given, ours, strict=True)
    ]
    others = any(theirs)

    def found() -> Any:
        ready: list[list[Any]] = [[], [], []]
        if others:
            ready = [list(part) for part in _select(*theirs, 0)]
        for thing, each in zip(given[0], ours[0], strict=True):
            if each is not None and each.can_read():
                ready[0].append(thing)
        for thing, each in zip(given[1], ours[1], strict=True):
            if each is not None and each.can_write():
                ready[1].append(thing)
        return ready if any(ready) else None

    return tuple(_until(found, endpoints, others, timeout) or ([], [], []))


class Poll:
    """`select.poll`."""

    def __init__(self) -> None:
        self._ours: dict[int, int] = {}
        self._others: set[int] = set()
        self._system: Any = None if _poll is None else _poll()

    def register(self, fd: Any, eventmask: int = standard.POLLIN | standard.POLLOUT) -> None:
        """Look at a socket or a descriptor from now on."""
        number = _number(fd)
        if find(number) is not None:
            self._ours[number] = eventmask
        elif self._system is not None:
            self._system.register(number, eventmask)
            self._others.add(number)

    def modify(self, fd: Any, eventmask: int) -> None:
        """Look for other events."""
        number = _number(fd)
        if number not in self._ours and number not in self._others:
            raise system_error(errno.ENOENT)
        self.register(number, eventmask)

    def unregister(self, fd: Any) -> None:
        """Look at it no more."""
        number = _number(fd)
        if number in self._ours:
            del self._ours[number]
        elif number in self._others:
            self._others.discard(number)
            self._system.unregister(number)
        else:
            raise KeyError(number)

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        """The descriptors with events, after at most so many milliseconds."""
        if not self._ours:
            if self._system is None or not self._others:
                return _until(list, [], False, _seconds(timeout)) or []
            return self._system.poll(timeout)  # type: ignore[no-any-return]
        endpoints = [each for number in self._ours if (each := find(number)) is not None]
        return _until(self._found, endpoints, bool(self._others), _seconds(timeout)) or []

    def _found(self) -> list[tuple[int, int]]:
        ready = list(self._system.poll(0)) if self._others else []
        for number, mask in self._ours.items():
            each = find(number)
            if each is None:
                ready.append((number, standard.POLLNVAL))
                continue
            each.progress()
            events = mask & standard.POLLIN if each.can_read() else 0
            events |= mask & standard.POLLOUT if each.can_write() else 0
            if each.connection is None:
                events |= standard.POLLHUP
            if events:
                ready.append((number, events))
        return ready


def _seconds(timeout: float | None) -> float | None:
    return None if timeout is None or timeout < 0 else timeout / 1000
