"""Values as JSON text, for what the SDK sends itself instead of leaving it to the host."""

from __future__ import annotations

import json
from typing import Any

from .serialize import plain
from .serialize_checked import to_plain

__all__ = ["json_text", "plain_text"]

# As the host writes it.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def json_text(value: Any) -> str:
    """Any value that a handler may return.

    Raises TypeError, which names the place, for a value without a JSON form, and ValueError for a
    value that contains itself, and for NaN and infinity.
    """
    try:
        return _encode(plain(value))
    except Exception:
        # It names the place, and succeeds when a field has another type than its annotation says.
        return _encode(to_plain(value, "item"))


def plain_text(value: Any) -> str:
    """A value that a compiled result has converted, which is plain but for fields of any type."""
    try:
        return _encode(value)
    except Exception:
        return _encode(to_plain(value, "item"))
