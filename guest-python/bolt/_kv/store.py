"""`Store`: the keys and values of an app, in `async def` and in `def` handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from .command import Pending, ask, ask_for
from .values import checked_key, checked_prefix, decode, encode, millis

__all__ = ["Store", "SyncStore"]

Ttl = float | timedelta | None
_Arguments = tuple[Any, ...]

# Keys, and pairs with their values, that the host is asked for at a time.
_PAGE = 1000
_PAGE_OF_ITEMS = 100
_NULL = b"null"


def _set(key: str, value: Any, ttl: Ttl, if_absent: bool, if_present: bool) -> _Arguments:
    if if_absent and if_present:
        raise ValueError("a key cannot be set if it is absent and present")
    condition = "absent" if if_absent else "present" if if_present else "always"
    return (millis(ttl), condition, None, checked_key(key), encode(value))


def _exchange(key: str, expected: bytes | None, value: Any, ttl: Ttl) -> _Arguments:
    return (millis(ttl), "equal", expected, checked_key(key), encode(value))


def _put(mapping: Mapping[str, Any], ttl: Ttl) -> _Arguments:
    sent: list[Any] = [millis(ttl)]
    for key, value in mapping.items():
        sent += (checked_key(key), encode(value))
    return tuple(sent)


def _incr(key: str, by: int, ttl: Ttl) -> _Arguments:
    if isinstance(by, bool) or not isinstance(by, int):
        raise TypeError(f"a counter is changed by an int, not by {type(by).__qualname__}")
    if not -(2**63) <= by < 2**63:
        raise ValueError(f"a counter has 64 bits, and {by} does not fit")
    return (int(by), millis(ttl), checked_key(key))


def _keys(keys: Iterable[str]) -> _Arguments:
    if isinstance(keys, str):
        raise TypeError(f"several keys are a list of them, not the text {keys!r}")
    return tuple([checked_key(key) for key in keys])


def _found(keys: _Arguments, values: list[bytes | None]) -> dict[str, Any]:
    pairs = zip(keys, values, strict=True)
    return {key: decode(value, key) for key, value in pairs if value is not None}


def _after(after: str | None) -> str | None:
    return None if after is None else checked_key(after)


class _Base:
    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"the name of a store is a text, not {name!r}")
        self.name = str.__str__(name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Store(_Base):
    """A store that the operator grants the app by name (`--kv main=app.kv`).

    name: as in the grant. It is looked up when it is first used.
    sync: the same store for `def` handlers.

    A key is text of 1 to 512 bytes in UTF-8. A value is JSON, or bytes. `ttl` is the time after
    which a key expires, in seconds or as a timedelta; None is for ever. All methods raise the
    exceptions of `bolt.kv`, TypeError and ValueError for what cannot be a key, a value or a time,
    and RuntimeError while the app is imported.
    """

    def __init__(self, name: str = "main") -> None:
        super().__init__(name)
        self.sync = SyncStore(name)

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default without one."""
        found = ask_for(self.name, key)
        if type(found) is Pending:
            found = await found.result()
        value = found[0]
        return default if value is None else decode(value, key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that are there, all from one moment."""
        sent = _keys(keys)
        found = ask(self.name, "get", sent) if sent else []
        if type(found) is Pending:
            found = await found.result()
        return _found(sent, found)

    async def set(
        self,
        key: str,
        value: Any,
        *,
        ttl: Ttl = None,
        if_absent: bool = False,
        if_present: bool = False,
    ) -> bool:
        """Set the value of a key, and when it expires. Returns whether it was set.

        if_absent: only if there is no such key.
        if_present: only if there is one.
        """
        found = ask(self.name, "set", _set(key, value, ttl, if_absent, if_present))
        if type(found) is Pending:
            found = await found.result()
        return bool(found)

    async def set_many(self, mapping: Mapping[str, Any], ttl: Ttl = None) -> None:
        """Set several keys: all of them, or none if it raises."""
        sent = _put(mapping, ttl)
        found = ask(self.name, "put", sent) if len(sent) > 1 else None
        if type(found) is Pending:
            await found.result()

    async def compare_and_set(self, key: str, expected: Any, value: Any, ttl: Ttl = None) -> bool:
        """Set the value of a key if it still is what `get` has returned; returns whether it was.

        expected: None for a key that is not there, or whose value is None.
        """
        before = None if expected is None else encode(expected)
        found = ask(self.name, "set", _exchange(key, before, value, ttl))
        if type(found) is Pending:
            found = await found.result()
        if not found and before is None:
            found = ask(self.name, "set", _exchange(key, _NULL, value, ttl))
            if type(found) is Pending:
                found = await found.result()
        return bool(found)

    async def incr(self, key: str, by: int = 1, ttl: Ttl = None) -> int:
        """Add to a number, which is 0 without such a key, and return the new one.

        ttl: for a key that was not there. One that is expires when it would have.

        Raises DataError if the value is not an int, or does not fit into 64 bits.
        """
        found = ask(self.name, "incr", _incr(key, by, ttl))
        if type(found) is Pending:
            found = await found.result()
        return found  # type: ignore[no-any-return]

    async def delete(self, *keys: str) -> int:
        """Delete keys, and return how many there were."""
        found = ask(self.name, "delete", _keys(keys)) if keys else 0
        if type(found) is Pending:
            found = await found.result()
        return int(found)

    async def expire(self, key: str, ttl: Ttl) -> bool:
        """Change when a key expires; None is never. Returns whether there is such a key."""
        found = ask(self.name, "expire", (millis(ttl), checked_key(key)))
        if type(found) is Pending:
            found = await found.result()
        return bool(found)

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[str]:
        """The keys that begin with the prefix, in the order of their bytes.

        after: only those behind this key.

        A key that is set or deleted meanwhile may come or not.
        """
        prefix, after = checked_prefix(prefix), _after(after)
        while True:
            page = ask(self.name, "scan", (prefix, after, _PAGE, False))
            if type(page) is Pending:
                page = await page.result()
            for key in page:
                yield key
            # A page may be shorter than what was asked for.
            if not page:
                return
            after = page[-1]

    async def items(self, prefix: str = "") -> AsyncIterator[tuple[str, Any]]:
        """The keys that begin with the prefix, as `scan` has them, with their values."""
        prefix, after = checked_prefix(prefix), None
        while True:
            page = ask(self.name, "scan", (prefix, after, _PAGE_OF_ITEMS, True))
            if type(page) is Pending:
                page = await page.result()
            for key, value in page:
                yield key, decode(value, key)
            if not page:
                return
            after = page[-1][0]


class SyncStore(_Base):
    """The `sync` of a `Store`: each method may block the interpreter while the host works."""

    def _ask(self, command: str, arguments: _Arguments) -> Any:
        found = ask(self.name, command, arguments)
        return found.block() if type(found) is Pending else found

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default without one."""
        found = ask_for(self.name, key)
        if type(found) is Pending:
            found = found.block()
        value = found[0]
        return default if value is None else decode(value, key)

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that are there, all from one moment."""
        sent = _keys(keys)
        return _found(sent, self._ask("get", sent) if sent else [])

    def set(
        self,
        key: str,
        value: Any,
        *,
        ttl: Ttl = None,
        if_absent: bool = False,
        if_present: bool = False,
    ) -> bool:
        """As `Store.set`."""
        return bool(self._ask("set", _set(key, value, ttl, if_absent, if_present)))

    def set_many(self, mapping: Mapping[str, Any], ttl: Ttl = None) -> None:
        """Set several keys: all of them, or none if it raises."""
        sent = _put(mapping, ttl)
        if len(sent) > 1:
            self._ask("put", sent)

    def compare_and_set(self, key: str, expected: Any, value: Any, ttl: Ttl = None) -> bool:
        """As `Store.compare_and_set`."""
        before = None if expected is None else encode(expected)
        if self._ask("set", _exchange(key, before, value, ttl)):
            return True
        if before is not None:
            return False
        return bool(self._ask("set", _exchange(key, _NULL, value, ttl)))

    def incr(self, key: str, by: int = 1, ttl: Ttl = None) -> int:
        """As `Store.incr`."""
        return self._ask("incr", _incr(key, by, ttl))  # type: ignore[no-any-return]

    def delete(self, *keys: str) -> int:
        """Delete keys, and return how many there were."""
        return self._ask("delete", _keys(keys)) if keys else 0

    def expire(self, key: str, ttl: Ttl) -> bool:
        """As `Store.expire`."""
        return bool(self._ask("expire", (millis(ttl), checked_key(key))))

    def scan(self, prefix: str = "", *, after: str | None = None) -> Iterator[str]:
        """As `Store.scan`."""
        prefix, after = checked_prefix(prefix), _after(after)
        while page := self._ask("scan", (prefix, after, _PAGE, False)):
            yield from page
            after = page[-1]

    def items(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """As `Store.items`."""
        prefix, after = checked_prefix(prefix), None
        while page := self._ask("scan", (prefix, after, _PAGE_OF_ITEMS, True)):
            for key, value in page:
                yield key, decode(value, key)
            after = page[-1][0]
