"""`add_reader` and `add_writer` of a loop: calls for as long as a socket can be read or written."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Any

from . import host as hosts
from .endpoint import Endpoint, find
from .sockets import refused

__all__ = ["unwatch", "watch"]

_watched: dict[int, _Watch] = {}


class _Watch:
    """What to call for one socket: by "read" and "write", a callback, its arguments and context."""

    def __init__(self, loop: Any, number: int, endpoint: Endpoint) -> None:
        self._loop = loop
        self._number = number
        self._endpoint = endpoint
        self._connection = 0
        self._next: asyncio.Handle | None = None
        self.calls: dict[str, tuple[Any, Any, Any]] = {}
        self._due: dict[str, asyncio.Handle] = {}

    def look(self) -> None:
        """Call what is due, and look again later: at once if something was."""
        self._next = None
        if find(self._number) is not self._endpoint:
            # It was closed, which a program should not do before it gives up watching.
            self.end()
            return
        self._listen()
        self._due.clear()
        for what, can in (("read", self._endpoint.can_read), ("write", self._endpoint.can_write)):
            if what in self.calls and can():
                callback, arguments, context = self.calls[what]
                self._due[what] = self._loop.call_soon(callback, *arguments, context=context)
        if self._due:
            self.again()

    def stop(self, what: str) -> bool:
        """Whether it was watched for this; it is no more."""
        if what in self._due:
            self._due.pop(what).cancel()
        found = self.calls.pop(what, None) is not None
        if not self.calls:
            self.end()
        return found

    def again(self) -> None:
        """Look in the next round of the loop."""
        if self._next is None:
            self._next = self._loop.call_soon(self.look)
            self._loop.rouse()

    def _listen(self) -> None:
        """Hear of progress of the connection, once there is one."""
        connection = self._endpoint.connection
        number = 0 if connection is None else connection.number
        if number != self._connection:
            self._leave()
            if number:
                self._connection = number
                hosts.waiting.setdefault(number, []).append(self._news)

    def _news(self) -> None:
        connection = self._endpoint.connection
        if connection is not None:
            # A write tells whether there is room.
            connection.is_full = False
        self.again()

    def _leave(self) -> None:
        calls = hosts.waiting.get(self._connection, [])
        if self._news in calls:
            calls.remove(self._news)
        if not calls:
            hosts.waiting.pop(self._connection, None)
        self._connection = 0

    def end(self) -> None:
        """Watch no more."""
        self._leave()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        _watched.pop(self._number, None)


def watch(loop: Any, fd: Any, what: str, callback: Any, arguments: Any) -> None:
    """Call back in each round of the loop in which a socket can be read or written."""
    number = fd if isinstance(fd, int) else fd.fileno()
    endpoint = find(number)
    if endpoint is None:
        raise refused(f"loop.add_reader and add_writer of {fd!r}")
    watched = _watched.get(number)
    if watched is None:
        watched = _watched[number] = _Watch(loop, number, endpoint)
    watched.calls[what] = (callback, arguments, copy_context())
    watched.again()


def unwatch(fd: Any, what: str) -> bool:
    """Whether it was watched for this; it is no more."""
    number = fd if isinstance(fd, int) else fd.fileno()
    watched = _watched.get(number)
    return watched is not None and watched.stop(what)
