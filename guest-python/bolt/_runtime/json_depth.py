"""Makes `json.loads` raise RecursionError for a text that is nested too deeply.

CPython's decoder is recursive, and looks at its stack in the memory of the guest. It has a second
one there that the host holds, which ends first: the instance would trap, with all its requests,
and a client can send such a text.
"""

from __future__ import annotations

from itertools import accumulate
from json import decoder
from typing import Any

__all__ = ["MOST_LEVELS", "depth", "install_json_depth"]

MOST_LEVELS = 2000
_OTHERS = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS = bytes.maketrans(b"[]{}", b"\x01\xff\x01\xff")


def install_json_depth() -> None:
    """Change `JSONDecoder`, by which all functions of `json` read."""
    changed: Any = decoder.JSONDecoder
    changed.raw_decode = _raw_decode


def _raw_decode(self: Any, s: str, idx: int = 0) -> tuple[Any, int]:
    """As the method of `JSONDecoder`."""
    if (
        s.count("[", idx) + s.count("{", idx) > MOST_LEVELS
        and depth(s[idx:] if idx else s) > MOST_LEVELS
    ):
        raise RecursionError("maximum recursion depth exceeded while decoding JSON")
    try:
        value, end = self.scan_once(s, idx)
    except StopIteration as stop:
        raise decoder.JSONDecodeError("Expecting value", s, stop.value) from None
    return value, end


def depth(text: str) -> int:
    """How deeply a JSON text is nested, up to the first mistake in it.

    It takes a tenth of the time that the decoder needs.
    """
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    # Brackets and quotes. Most strings have no brackets; of the rest every second piece is one.
    marks = text.encode("ascii", "replace").translate(None, _OTHERS).replace(b'""', b"")
    outside = b"".join(marks.split(b'"')[::2])
    return max(accumulate(memoryview(outside.translate(_STEPS)).cast("b")), default=0)
