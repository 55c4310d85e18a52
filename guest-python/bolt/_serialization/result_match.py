"""How well a value fits a declared type, by which a union chooses among its arms.

The rules are those of pydantic's smart mode: a value of the arm's own class first, then one of a
subclass, then one that has to be converted; and of records, the one with the most fields given.
"""

from __future__ import annotations

from typing import Any

from .._errors import ResultMismatch
from .places import Place, show_place
from .unsendable import advice, is_mistake, name_of

__all__ = ["EXACT", "LAX", "MATCH", "STRICT", "lax", "strict", "told", "wrong"]

LAX, STRICT, EXACT = 0, 1, 2


class _Match:
    """How well the value fits that is being converted.

    level: the worst of its parts.
    fields: how many fields of records were given; None if it needed no record to be created.
    """

    __slots__ = ("fields", "level")

    def __init__(self) -> None:
        self.level = EXACT
        self.fields: int | None = None


MATCH = _Match()
"""That of the current conversion: a conversion never waits, so there is one at a time."""


def lax() -> None:
    """A part of the value has to be converted."""
    MATCH.level = LAX


def strict() -> None:
    """A part of the value is of a subclass, or fits without loss."""
    if MATCH.level == EXACT:
        MATCH.level = STRICT


def wrong(value: Any, place: Place, wanted: str) -> ResultMismatch:
    """The error for a value that does not fit."""
    shown = show_place(place)
    text = f"the handler declares {wanted} at {shown}, and returned {told(value)}"
    if is_mistake(value):
        text = f"the handler declares {wanted} at {shown}, but {advice(value, shown)}"
    return ResultMismatch(text)


# Longer values are told by their class alone.
_LONGEST = 40


def told(value: Any) -> str:
    """What a value is, for a message."""
    if value is None:
        return "None"
    if isinstance(value, (bool, int, float, str)):
        shown = repr(value)
        if len(shown) <= _LONGEST:
            return f"the {name_of(type(value))} {shown}"
    return name_of(type(value))
