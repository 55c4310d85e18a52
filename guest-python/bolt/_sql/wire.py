"""Values on their way to a database and back.

Arguments are plain by the time they leave: None, int, float, str and bytes. What comes back is
converted by the type that the column was declared with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from marshal import dumps
from typing import Any
from uuid import UUID

from .errors import DataError

__all__ = ["converters", "to_wire"]

_PLAIN = frozenset({int, float, str, bytes, bool, type(None)})
# Version 2 has no references, so the host reads it without a table.
_VERSION = 2


def to_wire(arguments: Sequence[Any]) -> str:
    """The arguments for the host, each byte as the character with that code point.

    Raises DataError for a value without a form, which it names.
    """
    for value in arguments:
        if type(value) not in _PLAIN:
            arguments = [_plain(value, place) for place, value in enumerate(arguments, 1)]
            break
    return dumps(tuple(arguments), _VERSION).decode("latin-1")


def _plain(value: Any, place: int) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, Enum):
        return _plain(value.value, place)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (dict, list, tuple)):
        try:
            return json.dumps(
                value,
                ensure_ascii=False,
                separators=(",", ":"),
                allow_nan=False,
                default=lambda item: _in_json(item, place),
            )
        except (TypeError, ValueError) as exc:
            raise DataError(f"argument {place} is not JSON: {exc}") from None
    # marshal rejects subclasses.
    for base in (int, float):
        if isinstance(value, base):
            return base(value)
    if isinstance(value, str):
        # `str` may return the same object, as for the SafeString of Django.
        return str.__str__(value)
    if isinstance(value, bytes):
        return bytes(value)
    raise DataError(
        f"argument {place} has no form in a database: {kind.__qualname__} is none of None, bool, "
        "int, float, str, bytes, Decimal, date, time, datetime, timedelta, UUID, an enum, or JSON"
    )


def _in_json(value: Any, place: int) -> Any:
    """A value within a list or a dict, which may be an array of the database."""
    try:
        plain = _plain(value, place)
    except DataError:
        plain = b""
    if isinstance(plain, bytes):
        kind = type(value).__qualname__
        raise DataError(f"argument {place} is not JSON: it contains a {kind}")
    return plain


def _bool(value: Any) -> Any:
    return bool(value) if isinstance(value, int) else value


def _of_text(make: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: make(value) if isinstance(value, str) else value


def _decimal(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, (int, float, str)) else value


def _timedelta(value: Any) -> Any:
    return timedelta(seconds=value) if isinstance(value, (int, float)) else value


def _microseconds(value: Any) -> Any:
    return timedelta(microseconds=value) if isinstance(value, int) else value


def _each(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def converted(value: Any) -> Any:
        return [converted(item) for item in value] if isinstance(value, list) else convert(value)

    return converted


_BY_TYPE: dict[str, Callable[[Any], Any]] = {
    "bool": _bool,
    "boolean": _bool,
    "date": _of_text(date.fromisoformat),
    "time": _of_text(time.fromisoformat),
    "datetime": _of_text(datetime.fromisoformat),
    "timestamp": _of_text(datetime.fromisoformat),
    "timestamptz": _of_text(datetime.fromisoformat),
    "decimal": _decimal,
    "numeric": _decimal,
    "interval": _timedelta,
    "microseconds": _microseconds,
    "timetz": _of_text(time.fromisoformat),
    "uuid": _of_text(UUID),
    "json": _of_text(json.loads),
    "jsonb": _of_text(json.loads),
}


def converters(columns: list[tuple[str, str]]) -> list[tuple[int, str, Callable[[Any], Any]]]:
    """What has to be converted: the place of the column, its name, and the function for it."""
    found = []
    for place, (name, declared) in enumerate(columns):
        # As in "decimal(10, 2)".
        convert = _BY_TYPE.get(declared.partition("(")[0].removesuffix("[]").strip())
        if convert is not None:
            found.append((place, name, _each(convert) if declared.endswith("]") else convert))
    return found
