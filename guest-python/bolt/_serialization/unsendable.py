"""What to write instead of a value that has no JSON form: a sentence for each kind of mistake."""

from __future__ import annotations

import collections.abc
import datetime
import inspect
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any

from .database_values import advice_for, sync_call

__all__ = ["advice", "is_mistake", "name_of"]

_GENERAL = "{place} has no JSON form; return a dict, a Struct, a dataclass or a Response"


def _called(value: Any) -> str:
    """The call that made a coroutine or a generator, as its author may have written it."""
    return f"`{getattr(value, '__qualname__', type(value).__qualname__)}(...)`"


_COLLECTIONS: tuple[type, ...] = (
    range,
    collections.abc.KeysView,
    collections.abc.ValuesView,
    collections.abc.ItemsView,
)


def _is_topic(value: Any) -> bool:
    # By its name: topics send values, so their module imports this one.
    cls = type(value)
    return (cls.__module__, cls.__qualname__) == ("bolt.topics", "Topic")


# The first test that holds decides. `{place}` is where the value is, `{call}` what made it.
_MISTAKES: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (
        inspect.iscoroutine,
        "{place} is the coroutine of {call}, which was not awaited; write `await` before the call, "
        "in an `async def` handler",
    ),
    (
        lambda value: isinstance(value, Awaitable),
        "{place} was not awaited; write `await` before it, in an `async def` handler",
    ),
    (
        inspect.isasyncgen,
        "{place} is the async generator of {call}; collect its items first: "
        "`[item async for item in ...]`",
    ),
    (
        lambda value: isinstance(value, AsyncIterator),
        "{place} is an async iterator; collect its items first: `[item async for item in ...]`",
    ),
    (
        inspect.isgenerator,
        "{place} is the generator of {call}; collect its items first: `list(...)`",
    ),
    (
        lambda value: isinstance(value, io.IOBase),
        "{place} is an open file; return its content, or a FileResponse with its path",
    ),
    (
        lambda value: isinstance(value, Iterator),
        "{place} is an iterator; collect its items first: `list(...)`",
    ),
    (
        lambda value: isinstance(value, _COLLECTIONS),
        "{place} has no JSON form; make it a list: `list(...)`",
    ),
    (
        lambda value: isinstance(value, datetime.timedelta),
        "{place} is a span of time, for which JSON has no form; send its `.total_seconds()`, "
        "or its text by `str(...)`",
    ),
    (
        lambda value: isinstance(value, complex),
        "{place} has no JSON form; send its `.real` and `.imag`, or its text by `str(...)`",
    ),
    (
        lambda value: isinstance(value, os.PathLike),
        "{place} is a path; send its text by `str(...)`, or the file by a FileResponse",
    ),
    (
        lambda value: isinstance(value, BaseException),
        "{place} is an exception that was returned; write `raise` for it",
    ),
    (
        lambda value: isinstance(value, type),
        "{place} is the class {name} and no instance of it; call it: `{name}(...)`",
    ),
    (
        _is_topic,
        "{place} is a topic; write `return EventSourceResponse(topic)` to send its events",
    ),
    (lambda value: isinstance(value, ModuleType), "{place} is a module; return a value of it"),
    (
        lambda value: inspect.isroutine(value) or hasattr(value, "__wrapped__"),
        "{place} is the function {name}, which was not called; write `{name}(...)`",
    ),
)


def _mistake(value: Any) -> str | None:
    return next((text for holds, text in _MISTAKES if holds(value)), None)


def is_mistake(value: Any) -> bool:
    """Whether the author of a handler has most likely forgotten something about this value."""
    return not isinstance(value, _COLLECTIONS) and _mistake(value) is not None


def advice(value: Any, place: str) -> str:
    """A clause: what the value at this place is, and what to write instead."""
    text = _mistake(value)
    if text is None:
        return advice_for(value, place) or _GENERAL.format(place=place)
    if inspect.iscoroutine(value):
        made = text.format(place=place, call=_called(value), name="")
        made += sync_call(value.__qualname__)
        # It will never be awaited now, about which Python would warn in the log as well.
        value.close()
        return made
    return text.format(place=place, call=_called(value), name=name_of(value))


def name_of(value: Any) -> str:
    """The name of a class or a function, for a message."""
    return str(getattr(value, "__qualname__", type(value).__qualname__))
