"""The constraints of declared results: `gt`, `max_length`, `pattern` and their like."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .._schema.types import Type

__all__ = ["check_of", "condition_of"]

_WORDS = {
    "gt": "greater than {}",
    "ge": "at least {}",
    "lt": "less than {}",
    "le": "at most {}",
    "multiple_of": "a multiple of {}",
    "min_length": "of a length of at least {}",
    "max_length": "of a length of at most {}",
    "pattern": "text that matches {}",
}
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}

_Holds = Callable[[Any], bool]


def check_of(kind: Type) -> Callable[[Any], str | None] | None:
    """The function from a value to what it must be and is not; None without constraints.

    The value is the Python object: a Decimal, not its text.
    """
    tests = [(_WORDS[name].format(limit), _test(kind, name, limit)) for name, limit in kind.checks]
    if not tests:
        return None

    def check(value: Any) -> str | None:
        for words, holds in tests:
            if not holds(value):
                return words
        return None

    return check


def condition_of(kind: Type, name: str, constant: Callable[[Any], str]) -> str:
    """The constraints as an expression about the local `name`, to follow `and`; "" for none."""
    parts = []
    for check, limit in kind.checks:
        if check in _SIGNS and kind.kind in ("int", "float"):
            parts.append(f" and {name} {_SIGNS[check]} {constant(_number(kind, limit))}")
        elif check == "min_length":
            parts.append(f" and len({name}) >= {limit}")
        elif check == "max_length":
            parts.append(f" and len({name}) <= {limit}")
        else:
            parts.append(f" and {constant(_test(kind, check, limit))}({name})")
    return "".join(parts)


def _number(kind: Type, limit: Any) -> Any:
    """A bound as a number of the type; see `constraints` for its form in a Type."""
    if kind.kind == "decimal":
        return Decimal(limit)
    return float(limit) if kind.kind == "float" else int(limit)


def _test(kind: Type, name: str, limit: Any) -> _Holds:
    match name:
        case "min_length":
            return lambda value: len(value) >= limit
        case "max_length":
            return lambda value: len(value) <= limit
        case "pattern":
            return _pattern(limit)
    bound = _number(kind, limit)
    match name:
        case "gt":
            return lambda value: bool(value > bound)
        case "ge":
            return lambda value: bool(value >= bound)
        case "lt":
            return lambda value: bool(value < bound)
        case "le":
            return lambda value: bool(value <= bound)
    if kind.kind == "float":
        return lambda value: _is_multiple(value, bound)
    return lambda value: value % bound == 0


def _is_multiple(value: float, unit: float) -> bool:
    """With the tolerance of pydantic, because 0.3 is no exact multiple of 0.1."""
    if not math.isfinite(value) or not unit:
        return False
    rest, close = abs(math.fmod(value, unit)), abs(value) / 1e9
    return rest <= close or abs(rest - abs(unit)) <= close


def _pattern(text: str) -> _Holds:
    try:
        with warnings.catch_warnings():
            # Python warns of forms that it reads in another way than the host does.
            warnings.simplefilter("error")
            search = re.compile(_as_python(text)).search
    except (re.error, Warning):
        # Only the host can check this pattern, and it sees no results.
        return lambda value: True
    return lambda value: search(value) is not None


# An escape, a class of characters, or the end of the text outside of both.
_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$|\(\?<(?=[A-Za-z_])", re.DOTALL)


def _as_python(text: str) -> str:
    """The host's pattern in the syntax of Python, for which `$` also matches before a newline."""
    multiline = re.search(r"\(\?[a-z]*m", text) is not None

    def changed(found: re.Match[str]) -> str:
        part = found[0]
        if part == "$":
            return part if multiline else r"\Z"
        if part == "(?<":
            return "(?P<"
        return r"\Z" if part == r"\z" else part

    return _PARTS.sub(changed, text)
