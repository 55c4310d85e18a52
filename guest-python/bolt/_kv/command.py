"""Commands for the host's stores: most are answered at once, and others are waited for."""

from __future__ import annotations

import asyncio
from marshal import dumps, loads
from typing import Any

from . import host as hosts
from .errors import failure
from .values import LONGEST_KEY, checked_key

__all__ = ["Pending", "ask", "ask_for"]

# Version 2 has no references, so the host reads it without a table.
_VERSION = 2
# What a marshalled tuple of one ASCII text begins with, by the length of the text.
_HEADS = [
    dumps(("x" * length,), _VERSION).decode("latin-1").removesuffix("x" * length)
    for length in range(LONGEST_KEY + 1)
]


def ask(store: str, command: str, arguments: tuple[Any, ...]) -> Any:
    """The result of a command, or a Pending if it is not there at once.

    Raises the exceptions of `bolt.kv`, and RuntimeError while the app is imported.
    """
    if hosts.dropped:
        hosts.sweep()
    sent = dumps(arguments, _VERSION).decode("latin-1")
    outcome = hosts.host.call(hosts.current(), store, command, sent)
    if type(outcome) is hosts.done:
        return loads(outcome.value)
    return _undone(outcome)


def ask_for(store: str, key: str) -> Any:
    """As `ask`, the command `get` of one key. Raises TypeError or ValueError if it is no key.

    This runs so often that the usual key is tested and marshalled here.
    """
    if type(key) is str and key.isascii() and 0 < len(key) <= LONGEST_KEY and not hosts.dropped:
        sent = _HEADS[len(key)] + key
        outcome = hosts.host.call(hosts.current(), store, "get", sent)
        return loads(outcome.value) if type(outcome) is hosts.done else _undone(outcome)
    return ask(store, "get", (checked_key(key),))


def _undone(outcome: Any) -> Pending:
    if isinstance(outcome, hosts.host.Outcome_Failed):
        raise failure(outcome.value)
    return Pending(outcome.value)


class _NotYet:
    """There is no result yet. An exception would cost a fresh interpreter several pages."""


_NOT_YET = _NotYet()


class Pending:
    """A command that runs."""

    __slots__ = ("_host", "_number")

    def __init__(self, number: int) -> None:
        self._host = hosts.host
        self._number = number

    async def result(self) -> Any:
        """Wait for the result."""
        try:
            while (found := self._read()) is _NOT_YET:
                future = asyncio.get_running_loop().create_future()
                hosts.waiting[self._number] = future
                try:
                    await future
                finally:
                    hosts.waiting.pop(self._number, None)
        except GeneratorExit:
            if self._host is hosts.host:
                hosts.dropped.append(self._number)
            raise
        except BaseException:
            self._host.close(self._number)
            raise
        self._host.close(self._number)
        return found

    def block(self) -> Any:
        """As `result`, but it blocks the interpreter."""
        try:
            while (found := self._read()) is _NOT_YET:
                self._host.wait(self._number)
        finally:
            self._host.close(self._number)
        return found

    def _read(self) -> Any:
        outcome = self._host.read(self._number)
        if isinstance(outcome, self._host.Outcome_Done):
            return loads(outcome.value)
        if isinstance(outcome, self._host.Outcome_Failed):
            raise failure(outcome.value)
        return _NOT_YET
