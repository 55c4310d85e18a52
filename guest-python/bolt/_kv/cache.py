"""`cache`: keeps the results of a function in a store, for all interpreters."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from .._callables import kind_of
from .._serialization.json_text import json_text
from .cache_keys import ArgumentKey
from .command import Pending, ask, ask_for
from .errors import DataError, Error, NotGranted, Unavailable
from .store import Store, Ttl
from .values import decode, encode, millis

__all__ = ["Cached", "cache"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


class Cached(Protocol[P, R_co]):
    """A function whose results are kept."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call it, or return what was kept."""

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Forget the result for these arguments; whether there was one. `await` it if the function
        is `async`."""


def cache(
    *, ttl: Ttl, key: Callable[..., str] | None = None, store: Store | None = None
) -> Callable[[Callable[P, R]], Cached[P, R]]:
    """Keep the results of a function, `def` or `async def`, for all interpreters of the app.

    ttl: how long, in seconds or as a timedelta; None is for ever.
    key: takes the arguments and returns a text: calls with the same text have one result. By
        default it is made of the arguments, which have to be JSON.
    store: the store `main` by default.

    A result is JSON or bytes, and comes back as JSON has it, also the first time: a record as a
    dict. Callers that wait for the same result in one interpreter share one call, and what it
    raises. While the store is away, the function is called each time; the log says so once.

    The name of the function is part of the key: functions that another one makes share their
    results, unless `key` tells them apart.

    Raises TypeError for a generator function and for one without a name; and a call does so for an
    argument that is no JSON.
    """
    millis(ttl)

    def decorate(function: Callable[P, R]) -> Cached[P, R]:
        kind = kind_of(function)
        if kind not in ("def", "async"):
            raise TypeError(f"{function!r} yields its results one by one: they cannot be kept")
        results = _Results(function, ttl, key, store or Store())
        made: Any
        if kind == "async":

            @functools.wraps(function)
            async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await results.get_async(args, kwargs)

            made = call_async
            made.invalidate = results.invalidate_async
        else:

            @functools.wraps(function)
            def call(*args: P.args, **kwargs: P.kwargs) -> Any:
                return results.get(args, kwargs)

            made = call
            made.invalidate = results.invalidate
        return cast(Cached[P, R], made)

    return decorate


class _Missing:
    """There is no result, or none that can be read."""


_MISSING = _Missing()
_Flight = asyncio.Future[tuple[bytes, BaseException | None]]


class _Results:
    """The results of one function."""

    def __init__(
        self,
        function: Callable[..., Any],
        ttl: Ttl,
        key: Callable[..., str] | None,
        store: Store,
    ) -> None:
        self._function: Callable[..., Any] = function
        self._ttl = millis(ttl)
        self._key = ArgumentKey(function, key)
        self._store = store.name
        # The calls that run now, by key. Only `async def` functions run at the same time.
        self._flights: dict[str, _Flight] = {}
        self._has_told = False

    # `def` functions.

    def get(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result that is kept, or a new one."""
        key = self._key(args, kwargs)
        is_away = False
        try:
            found = ask_for(self._store, key)
            value = _read(found.block() if type(found) is Pending else found, key)
        except Unavailable as exc:
            is_away, value = self._tell(exc), _MISSING
        if value is not _MISSING:
            return value
        kept = _encoded(self._function(*args, **kwargs))
        if not is_away:
            try:
                found = self._ask("set", self._set(key, kept))
                if type(found) is Pending:
                    found.block()
            except Error as exc:
                self._tell(exc)
        return decode(kept, key)

    def invalidate(self, *args: Any, **kwargs: Any) -> bool:
        """Forget the result for these arguments. Returns whether there was one."""
        found = self._ask("delete", (self._key(args, kwargs),))
        return bool(found.block() if type(found) is Pending else found)

    # `async def` functions.

    async def get_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """As `get`. Those that want the same result share one call."""
        key = self._key(args, kwargs)
        while (flight := self._flights.get(key)) is not None:
            # Unlike `await flight`, it does not cancel the flight with this task.
            await asyncio.wait((flight,))
            if not flight.cancelled():
                kept, exc = flight.result()
                if exc is not None:
                    raise exc
                return decode(kept, key)
        is_away = False
        try:
            found = ask_for(self._store, key)
            if type(found) is not Pending:
                value = _read(found, key)
                if value is not _MISSING:
                    return value
        except Unavailable as unavailable:
            found, is_away = [None], self._tell(unavailable)
        # Nobody else has run since the flights were looked at.
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            kept = await self._kept(flight, key, found, is_away, args, kwargs)
        except Exception as failed:
            flight.set_result((b"", failed))
            raise
        except BaseException:
            # Its request was cut off: one of those that wait takes over.
            flight.cancel()
            raise
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
        flight.set_result((kept, None))
        return decode(kept, key)

    async def _kept(
        self,
        flight: _Flight,
        key: str,
        found: Any,
        is_away: bool,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> bytes:
        """The result as it is kept: the one that `found` waits for, or a new one."""
        if type(found) is Pending:
            try:
                (stored,) = found = await found.result()
                if _read(found, key) is not _MISSING:
                    return cast(bytes, stored)
            except Unavailable as exc:
                is_away = self._tell(exc)
        kept = _encoded(await self._function(*args, **kwargs))
        # A result that was invalidated meanwhile is too old to be kept.
        if not is_away and self._flights.get(key) is flight:
            try:
                found = self._ask("set", self._set(key, kept))
                if type(found) is Pending:
                    await found.result()
            except Error as exc:
                self._tell(exc)
        return kept

    async def invalidate_async(self, *args: Any, **kwargs: Any) -> bool:
        """As `invalidate`."""
        key = self._key(args, kwargs)
        self._flights.pop(key, None)
        found = self._ask("delete", (key,))
        return bool(await found.result() if type(found) is Pending else found)

    # Both.

    def _ask(self, command: str, arguments: tuple[Any, ...]) -> Any:
        return ask(self._store, command, arguments)

    def _set(self, key: str, kept: bytes) -> tuple[Any, ...]:
        return (self._ttl, "always", None, key, kept)

    def _tell(self, exc: Error) -> bool:
        """Log that nothing can be kept, the first time. Raises what an operator has to change."""
        if isinstance(exc, NotGranted):
            raise exc
        if not self._has_told:
            self._has_told = True
            name = self._function.__qualname__
            text = "the results of %s are not kept: %s: %s"
            logging.getLogger("bolt.kv").warning(text, name, type(exc).__name__, exc)
        return True


def _read(found: list[bytes | None], key: str) -> Any:
    (stored,) = found
    if stored is None:
        return _MISSING
    try:
        return decode(stored, key)
    except DataError:
        # Another program, or another version of the app, has written it.
        return _MISSING


def _encoded(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return encode(value)
    return json_text(value).encode()
