"""Commands for the host's stores: most are answered at once, and others are waited for."""

from __future__ import annotations

import asyncio
from marshal import dumps, loads
from typing import Any

from . import host as hosts
from .errors import failure

__all__ = ["Pending", "ask"]

# Version 2 has no references, so the host reads it without a table.
_VERSION = 2


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
