"""Converts declared results that are single values, as pydantic does in its lax mode.

A function takes the value and its place, and returns an object of the declared type. It raises
ResultMismatch for a value that does not fit, and tells `result_match` how well others fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from .places import Place, show_place
from .result_match import lax, strict, wrong
from .serialize import plain
from .serialize_checked import to_plain

__all__ = ["CLASSES", "FINISH", "LEAVES", "Convert", "enum_of", "literal_of"]

Convert = Callable[[Any, Place], Any]

_INTEGER = re.compile(r"[+-]?[0-9]+(?:_[0-9]+)*(?:\.0+)?", re.ASCII)
_TIME = r"[Tt _][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?"
_MOMENT = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:{_TIME})?")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
# pydantic takes larger numbers for milliseconds.
_MOST_SECONDS = 2e10
_LONG = 1 << 63


def _words(value: Any) -> str | None:
    """A value as text, if it is text or UTF-8."""
    if isinstance(value, str):
        return str.__str__(value.value) if isinstance(value, Enum) else str.__str__(value)
    if isinstance(value, (bytes, bytearray)):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return None


def _any(value: Any, place: Place) -> Any:
    strict()
    try:
        return plain(value)
    except Exception:
        return to_plain(value, show_place(place))


def _text(value: Any, place: Place) -> Any:
    if type(value) is str:
        return value
    if isinstance(value, str):
        strict()
    else:
        lax()
    words = _words(value) if not isinstance(value, Enum) else str(value.value)
    if words is None:
        raise wrong(value, place, "str")
    return words


def _int(value: Any, place: Place) -> Any:
    if type(value) is int:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        strict()
        return int(value)
    lax()
    inner: Any = value.value if isinstance(value, Enum) else value
    if isinstance(inner, int):
        return int(inner)
    if isinstance(inner, (float, Decimal)):
        # pydantic refuses floats beyond 64 bits, of which the last digits are not known.
        number: Any = inner
        if number == number and abs(number) < _LONG and number == int(number):
            return int(number)
        raise wrong(value, place, "int")
    words = (_words(inner) or "").strip()
    if _INTEGER.fullmatch(words):
        return int(words.partition(".")[0])
    raise wrong(value, place, "int")


def _float(value: Any, place: Place) -> Any:
    if type(value) is float:
        return value
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        strict()
    else:
        lax()
    try:
        if isinstance(value, (int, float, Decimal)):
            return float(value)
        words = _words(value)
        if words is not None and words.isascii():
            return float(words)
    except (ValueError, OverflowError):
        pass
    raise wrong(value, place, "float")


_TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})
_FALSE = frozenset({"false", "0", "no", "off", "f", "n"})


def _bool(value: Any, place: Place) -> Any:
    if type(value) is bool:
        return value
    lax()
    if isinstance(value, (int, float, Decimal)) and value in (0, 1):
        return bool(value)
    words = (_words(value) or "").lower()
    if words in _TRUE or words in _FALSE:
        return words in _TRUE
    raise wrong(value, place, "bool")


def _none(value: Any, place: Place) -> Any:
    if value is not None:
        raise wrong(value, place, "None")
    return None


def _bytes(value: Any, place: Place) -> Any:
    if isinstance(value, bytes):
        return value
    lax()
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytearray):
        return bytes(value)
    raise wrong(value, place, "bytes")


def _moment_of(value: Any) -> datetime | None:
    """The moment that a text or a number of seconds (or milliseconds) since 1970 says."""
    words = _words(value)
    if words is not None:
        words = words.strip()
        if _MOMENT.fullmatch(words):
            return datetime.fromisoformat(words.upper())
        if not _NUMBER.fullmatch(words):
            return None
        value = float(words)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    seconds = float(value)
    if abs(seconds) > _MOST_SECONDS:
        seconds /= 1000
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _datetime(value: Any, place: Place) -> Any:
    if isinstance(value, datetime):
        return value
    lax()
    if isinstance(value, date):
        return datetime.combine(value, time())
    try:
        made = _moment_of(value)
    except (ValueError, OverflowError):
        made = None
    if made is None:
        raise wrong(value, place, "datetime")
    return made


def _date(value: Any, place: Place) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    lax()
    try:
        made = value if isinstance(value, datetime) else _moment_of(value)
    except (ValueError, OverflowError):
        made = None
    if made is None or made.time() != time():
        raise wrong(value, place, "date")
    return made.date()


def _uuid(value: Any, place: Place) -> Any:
    if isinstance(value, UUID):
        return value
    lax()
    try:
        if isinstance(value, str):
            return UUID(value)
        if isinstance(value, bytes):
            return UUID(bytes=value)
    except ValueError:
        pass
    raise wrong(value, place, "UUID")


def _decimal(value: Any, place: Place) -> Any:
    made = value
    if not isinstance(value, Decimal):
        lax()
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise wrong(value, place, "Decimal")
        try:
            made = Decimal(int(value) if isinstance(value, int) else str(value))
        except ArithmeticError:
            raise wrong(value, place, "Decimal") from None
    if not made.is_finite():
        raise wrong(value, place, "a finite Decimal")
    return made


LEAVES: dict[str, Convert] = {
    "any": _any,
    "str": _text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "none": _none,
    "bytes": _bytes,
    "datetime": _datetime,
    "date": _date,
    "uuid": _uuid,
    "decimal": _decimal,
}

CLASSES: dict[str, type] = {
    **{"str": str, "int": int, "float": float, "bool": bool, "none": type(None)},
    **{"bytes": bytes, "datetime": datetime, "date": date, "uuid": UUID, "decimal": Decimal},
}
"""The class whose instances are an exact match, for each kind that has one."""

FINISH: dict[str, Callable[[Any], Any]] = dict.fromkeys(
    ("bytes", "datetime", "date", "uuid", "decimal"), plain
)
"""From the object to its JSON form, for the kinds where they differ."""


def literal_of(values: tuple[Any, ...]) -> Convert:
    """The function for a `Literal`. It returns the declared value, so `Literal[1]` makes True 1."""
    by_value = {(type(value), value): value for value in values}
    by_equality = {value: value for value in reversed(values)}

    def convert(value: Any, place: Place) -> Any:
        key = (type(value), value)
        try:
            return by_value[key] if key in by_value else by_equality[value]
        except (KeyError, TypeError):
            raise wrong(value, place, f"one of {values!r}") from None

    return convert


def enum_of(cls: type[Enum]) -> Convert:
    """The function for an enum; it returns the value of the member."""

    def convert(value: Any, place: Place) -> Any:
        if type(value) is cls:
            return plain(value)
        lax()
        inner = value.value if isinstance(value, Enum) else value
        for candidate in (inner, *_number_in(inner, cls, place)):
            try:
                return plain(cls(candidate))
            except ValueError:
                continue
        raise wrong(value, place, cls.__name__)

    return convert


def _number_in(value: Any, cls: type[Enum], place: Place) -> tuple[int, ...]:
    """A text as a number, for an enum of numbers."""
    if not issubclass(cls, int) or not isinstance(value, str):
        return ()
    words = value.strip()
    return (int(words.partition(".")[0]),) if _INTEGER.fullmatch(words) else ()
