"""`Attachment`: what the host keeps of a socket that sleeps, from one call to the next."""

from __future__ import annotations

import json
from typing import Any

from .._serialization.json_text import json_text

__all__ = ["MOST", "Attachment"]

MOST = 2048
"""The most bytes of its JSON."""


class Attachment:
    """A JSON value, which is read when it is asked for.

    Whoever has the value may change it in place, so its text at the end says whether it changed.
    """

    def __init__(self, kept: bytes = b"") -> None:
        """kept: what the host has; empty for nothing."""
        self._kept = str(kept, "latin-1")
        self._value: Any = None
        self._is_read = not kept

    @property
    def value(self) -> Any:
        """The value, or None."""
        if not self._is_read:
            self._value = json.loads(self._kept.encode("latin-1"))
            self._is_read = True
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        """Raises as `_wire` does."""
        text = _wire(value)
        # A copy, so that this call and the next ones see the same: what JSON has of the value.
        self._value = json.loads(text.encode("latin-1")) if text else None
        self._is_read = True

    def changed(self) -> str | None:
        """The new value as the host takes it, once; None if the host has it.

        Raises as `_wire` does.
        """
        if not self._is_read:
            return None
        text = _wire(self._value)
        if text == self._kept:
            return None
        self._kept = text
        return text


def _wire(value: Any) -> str:
    """A value as JSON, each byte as the character with that code point; "" for None.

    Raises ValueError if it is too large, and TypeError or ValueError if it has no JSON form.
    """
    if value is None:
        return ""
    found = json_text(value).encode()
    if len(found) > MOST:
        raise ValueError(
            f"the attachment of a socket is at most {MOST} bytes of JSON, and this is "
            f"{len(found)}: attach the key of a record in a store instead"
        )
    return str(found, "latin-1")
