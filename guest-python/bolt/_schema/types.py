"""`Type`: a type expression that the SDK and the host share, and its JSON form in the manifest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

__all__ = ["ANY", "MISSING", "NONE", "SCALARS", "STR", "Type", "is_host_default", "type_json"]


class _Missing:
    """The type of MISSING, so that it prints as a word in error messages."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final[Any] = _Missing()
"""Marks "no default", because None and Ellipsis are valid defaults."""

# The host sends these as the Python object that the handler expects.
_PLAIN_LEAVES = frozenset({"str", "int", "float", "bool", "none", "any", "bytes", "literal"})
# The wire form of these containers is the container itself, so they are plain when their items are.
_PLAIN_CONTAINERS = frozenset({"list", "dict", "tuple", "vartuple", "union"})

SCALARS = frozenset(
    {
        *("str", "int", "float", "bool", "none", "any", "bytes", "literal"),
        *("datetime", "date", "uuid", "decimal", "enum"),
    }
)
"""Kinds that one string can hold, such as a path segment or a query value."""


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """One type expression.

    kind: the host's tag ("int", "list", "ref", ...), or "adapted" for what another package checks.
    args: element types: the item of list/set/frozenset/vartuple, (key, value) of dict, the items
        of tuple, the arms of union, what the host makes of an adapted value; empty otherwise.
    data: the values of a literal (tuple), the Enum class of an enum, the class of a ref, the
        adapter.
    checks: constraints as (name, value) pairs; see `constraints`.
    plain: the wire value is the Python value, without conversion.
    has_adapted: another package checks it, or a part of it.
    """

    kind: str
    args: tuple[Type, ...] = ()
    data: Any = None
    checks: tuple[tuple[str, Any], ...] = ()
    plain: bool = field(init=False)
    has_adapted: bool = field(init=False)

    def __post_init__(self) -> None:
        plain = self.kind in _PLAIN_LEAVES or (
            self.kind in _PLAIN_CONTAINERS and all(arg.plain for arg in self.args)
        )
        object.__setattr__(self, "plain", plain)
        adapted = self.kind == "adapted" or any(arg.has_adapted for arg in self.args)
        object.__setattr__(self, "has_adapted", adapted)


STR = Type("str")
ANY = Type("any")
NONE = Type("none")

_I64 = 1 << 63


def is_host_default(kind: Type, default: object) -> bool:
    """Whether the host can send this default as the wire value.

    True only for exact None, bool, int (64 bits), finite float and str, and only when the type
    needs no conversion; the constant is then a wire value.
    """
    if not kind.plain:
        return False
    if default is None or type(default) in (bool, str):
        return True
    if type(default) is int:
        return -_I64 <= default < _I64
    return type(default) is float and math.isfinite(default)


def type_json(kind: Type, ref_id: Callable[[type], str]) -> dict[str, Any]:
    """The type expression as JSON for the manifest; `ref_id` names a class in `defs`."""
    tag = kind.kind
    if tag == "adapted":
        return type_json(kind.args[0], ref_id)
    out: dict[str, Any] = {"t": tag}
    if tag in ("list", "set", "frozenset", "vartuple"):
        out["item"] = type_json(kind.args[0], ref_id)
    elif tag == "dict":
        # Keys of requests are text. Those of results may be anything that JSON has text for.
        key = STR if kind.args[0].kind == "any" else kind.args[0]
        out["key"] = type_json(key, ref_id)
        out["value"] = type_json(kind.args[1], ref_id)
    elif tag == "tuple":
        out["items"] = [type_json(arg, ref_id) for arg in kind.args]
    elif tag == "union":
        out["of"] = [type_json(arg, ref_id) for arg in kind.args]
    elif tag == "literal":
        out["values"] = list(kind.data)
    elif tag == "enum":
        members: list[Enum] = list(kind.data)
        out["name"] = kind.data.__name__
        for base in (str, int, float):
            if issubclass(kind.data, base):
                out["base"] = base.__name__
        # The `value` of a str- or int-based enum is an exact str or int.
        out["values"] = [member.value for member in members]
    elif tag == "ref":
        out["id"] = ref_id(kind.data)
    if kind.checks:
        out["check"] = dict(kind.checks)
    return out
