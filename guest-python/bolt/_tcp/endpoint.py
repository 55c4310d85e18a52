"""`Endpoint`: what a socket stands for, and the table of the numbers that `fileno` returns."""

from __future__ import annotations

import errno
import itertools
from typing import Any
from weakref import WeakValueDictionary

from .connection import Connection
from .errors import system_error

__all__ = ["Endpoint", "add", "address", "adopt", "find", "give_up", "release"]

# Not those of files: a number tells `select` whose it is.
_numbers = itertools.count(1_000_000)
_endpoints: WeakValueDictionary[int, Endpoint] = WeakValueDictionary()
# Those that no socket has after `detach`: a number is all that is left of them.
_detached: dict[int, Endpoint] = {}


class Endpoint:
    """A connection that sockets share, also before it is begun.

    holders: how many sockets have it.
    error: the number of the error that a connect which did not block has ended with.
    options: those that were set.
    """

    connection: Connection | None = None
    is_open = False
    is_deaf = False
    error = 0

    def __init__(self) -> None:
        self.holders = 0
        self.options: dict[tuple[int, int], Any] = {}

    def progress(self) -> None:
        """Take note of what became of a connect that did not block."""
        if self.connection is None or self.is_open:
            return
        try:
            self.is_open = self.connection.opened()
        except OSError as exc:
            self.fail(exc)

    def fail(self, exc: OSError) -> None:
        """Forget a connection that could not be made."""
        self.error = exc.errno or errno.EIO
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def opened(self) -> Connection:
        """The connection. Raises OSError if there is none, or none yet."""
        if not self.is_open:
            self.progress()
        if not self.is_open or self.connection is None:
            raise system_error(errno.ENOTCONN)
        return self.connection

    def can_read(self) -> bool:
        """Whether a read would not have to wait."""
        self.progress()
        if self.connection is None or self.is_deaf:
            return True
        return self.is_open and self.connection.look()

    def can_write(self) -> bool:
        """Whether a write would not have to wait, or a connect has ended."""
        self.progress()
        if self.connection is None:
            return True
        return self.is_open and self.connection.is_settled() and not self.connection.is_full


def add(endpoint: Endpoint) -> int:
    """A number for an endpoint that a socket has from now on."""
    number = next(_numbers)
    _endpoints[number] = endpoint
    endpoint.holders += 1
    return number


def find(number: int) -> Endpoint | None:
    """The endpoint with this number."""
    return _endpoints.get(number)


def adopt(number: int) -> Endpoint:
    """The endpoint with this number, for one more socket. Raises OSError if there is none."""
    endpoint = _endpoints.get(number)
    if endpoint is None:
        raise system_error(errno.EBADF)
    _detached.pop(number, None)
    endpoint.holders += 1
    return endpoint


def give_up(number: int, endpoint: Endpoint) -> None:
    """A socket has it no more, and the number is in use."""
    endpoint.holders -= 1
    if not endpoint.holders:
        _detached[number] = endpoint


def release(number: int, endpoint: Endpoint) -> None:
    """A socket that has it was closed. The last one closes the connection."""
    _endpoints.pop(number, None)
    endpoint.holders -= 1
    if endpoint.holders <= 0 and endpoint.connection is not None:
        endpoint.connection.close()


def address(text: str) -> tuple[Any, ...]:
    """An address such as `127.0.0.1:5432` as sockets have it."""
    name, _, port = text.rpartition(":")
    number = int(port or 0)
    return (name[1:-1], number, 0, 0) if name.startswith("[") else (name, number)
