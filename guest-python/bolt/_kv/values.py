"""Keys, values and times to live in the form that the host has them in.

A value is its JSON text in UTF-8, so that a number is its digits, which the host can count up.
Bytes have a NUL byte before them, which no JSON begins with.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from .errors import DataError

__all__ = ["LONGEST_KEY", "checked_key", "checked_prefix", "decode", "encode", "json_of", "millis"]

LONGEST_KEY = 512
_LONGEST_TTL = 100 * 366 * 24 * 3600
_BYTES = b"\0"


def _refuse(value: Any) -> Any:
    kind = type(value).__qualname__
    raise TypeError(f"{kind} has no form in a store: a value is JSON, or bytes alone")


_encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_refuse
).encode
# Without the patterns for white space around a text, which only others write.
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def json_of(value: Any) -> str:
    """The JSON text. Raises TypeError, which names the type, or ValueError for NaN and infinity."""
    return _encode(value)


def encode(value: Any) -> bytes:
    """A value as it is stored.

    Raises TypeError, which names the type, for one that is neither JSON nor bytes, and ValueError
    for NaN, infinity, and text that has no UTF-8.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _BYTES + bytes(value)
    return _encode(value).encode()


def decode(stored: bytes, key: str) -> Any:
    """The value that was stored. Raises DataError for one that another program has written."""
    if stored.startswith(_BYTES):
        return stored[1:]
    try:
        text = stored.decode()
        value, end = _scan(text, 0)
        return value if end == len(text) else json.loads(text)
    except StopIteration:
        # White space, or nothing at all, is before the value.
        return _decode_spaced(text, key)
    except (ValueError, RecursionError) as exc:
        raise _unreadable(key, exc) from None


def _decode_spaced(text: str, key: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _unreadable(key, exc) from None


def _unreadable(key: str, exc: Exception) -> DataError:
    return DataError(f"the value of {key!r} is neither JSON nor marked as bytes: {exc}")


def checked_key(key: Any) -> str:
    """A key as a plain text. Raises TypeError or ValueError if it cannot be a key."""
    if not isinstance(key, str):
        raise TypeError(f"a key is text, not {type(key).__qualname__}")
    text = str.__str__(key)
    if not text or len(text.encode()) > LONGEST_KEY:
        shown = repr(text) if len(text) < 80 else f"{text[:80]!r}…"
        raise ValueError(f"a key has 1 to {LONGEST_KEY} bytes in UTF-8, unlike {shown}")
    return text


def checked_prefix(prefix: Any) -> str:
    """The beginning of keys, which may be empty."""
    return "" if isinstance(prefix, str) and not prefix else checked_key(prefix)


def millis(ttl: float | timedelta | None) -> int:
    """A time to live in milliseconds; 0 for None, which is for ever.

    Raises TypeError or ValueError for what is no time between a millisecond and a hundred years.
    """
    if ttl is None:
        return 0
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(
            f"a time to live is seconds, a timedelta or None, not {type(ttl).__qualname__}"
        )
    if not 0 < seconds <= _LONGEST_TTL:
        raise ValueError(
            f"a time to live is more than 0 seconds and at most 100 years, not {ttl!r}; "
            "None is for ever"
        )
    return max(round(seconds * 1000), 1)
