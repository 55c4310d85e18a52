"""Constraints on values, such as `gt` and `pattern`: part of a `Type`, checked by the host."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from .._adapters.registry import adapter_for
from .._errors import Unsupported
from .types import Type

__all__ = ["BOUNDS", "all_checks", "checks_of", "constrained"]

BOUNDS = ("gt", "ge", "lt", "le", "multiple_of")
"""The constraints of numbers."""

_EXACT = 2**53
"""Floats below this are exact integers."""
_LONG = 2**63
_LENGTHS = ("min_length", "max_length")
_NUMBERS = frozenset({"int", "float", "decimal"})
_SIZED = frozenset({"str", "bytes", "list", "set", "frozenset", "vartuple", "dict"})


def checks_of(declared: object) -> dict[str, Any]:
    """The constraints that an object in `Annotated` or a default such as `Query(gt=0)` declares.

    `Marker` and the classes of the `annotated_types` package have attributes of the same names, so
    the function does not depend on their classes.
    """
    found = {}
    for name in (*BOUNDS, *_LENGTHS, "pattern"):
        value = getattr(declared, name, None)
        if value is not None:
            found[name] = value
    return found


def constrained(kind: Type, checks: Mapping[str, Any]) -> Type:
    """The type with the constraints. In a union they apply to every arm except None.

    Raises Unsupported for a constraint that does not apply to the type.
    """
    if not checks:
        return kind
    if kind.kind == "adapted":
        made = adapter_for(kind.data.constrained(dict(checks)))
        return Type("adapted", kind.args, made)
    if kind.kind == "union":
        arms = (arm if arm.kind == "none" else constrained(arm, checks) for arm in kind.args)
        return Type("union", tuple(arms))
    for name, value in checks.items():
        _refuse_odd(kind, name, value)
    limits = {name: _limit(kind, name, value) for name, value in checks.items()}
    merged = {**dict(kind.checks), **limits}
    return Type(kind.kind, kind.args, kind.data, tuple(merged.items()))


def _refuse_odd(kind: Type, name: str, value: object) -> None:
    if name in BOUNDS:
        fits = kind.kind in _NUMBERS
        wanted = isinstance(value, (int, float, Decimal)) and math.isfinite(value)
    elif name in _LENGTHS:
        fits = kind.kind in _SIZED
        wanted = type(value) is int and value >= 0
    else:
        fits = kind.kind == "str"
        wanted = isinstance(_pattern(value), str)
    if not fits:
        raise Unsupported(f"{name} cannot be asked of the type {kind.kind!r}")
    if not wanted:
        raise Unsupported(f"{name} cannot be {value!r}")


def _pattern(value: object) -> object:
    # A compiled regular expression has its text as an attribute.
    return getattr(value, "pattern", value)


def _limit(kind: Type, name: str, value: Any) -> Any:
    """A constraint as the host reads it. Bounds that a JSON number may not hold are text."""
    if name not in BOUNDS:
        return _pattern(value)
    if kind.kind == "decimal":
        return str(value if isinstance(value, Decimal) else Decimal(str(value)))
    if kind.kind == "float":
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < _EXACT else number
    if value != int(value):
        raise Unsupported(f"{name} of an integer cannot be {value!r}")
    whole = int(value)
    return whole if -_LONG <= whole < _LONG else str(whole)


def all_checks(metadata: Iterable[object]) -> dict[str, Any]:
    """The constraints of all metadata of an `Annotated`; later ones replace earlier ones."""
    merged: dict[str, Any] = {}
    for item in metadata:
        merged.update(checks_of(item))
    return merged
