"""Compiles the conversion of results that have exactly their declared types.

The code checks the class and the constraints of every value, and raises NotExact for any other
value, which `result_compiler` then converts or rejects.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from .._schema.annotations import model_kind
from .._schema.models import model_of
from .._schema.types import Type
from .codegen import Source, is_identifier
from .result_checks import condition_of
from .result_leaves import CLASSES
from .serialize import FIELD_BUDGET, RECORD_KINDS, moment

__all__ = ["NotExact", "compile_exact"]

_AS_IS = frozenset({"str", "int", "float", "bool", "none"})
_CONTAINERS: dict[str, type] = {
    **{"list": list, "vartuple": tuple, "tuple": tuple, "dict": dict},
    **{"set": set, "frozenset": frozenset},
}
_CONVERT: dict[str, Callable[[Any], Any]] = {
    "bytes": bytes.decode,
    "datetime": moment,
    "date": date.isoformat,
    "uuid": UUID.__str__,
    "decimal": Decimal.__str__,
}


class NotExact(Exception):
    """A value of a result does not have exactly its declared type."""


class _NoCode(Exception):
    """No code can decide whether a value has exactly this type."""


def _not_exact(value: Any) -> Any:
    raise NotExact


def compile_exact(kind: Type) -> tuple[Callable[[Any], Any], Collection[type]] | None:
    """The function for results of a type, and the classes of results to call it with.

    None if there is no code for the type.
    """
    writer = _Writer()
    try:
        whole = _classes(kind)
        text = writer.value(kind, "value", ())
    except _NoCode:
        return None
    writer.source.line(f"return {text}")
    return writer.source.build("exact", "value", f"exact {kind.kind}"), whole


def _classes(kind: Type) -> frozenset[type]:
    """The classes of values that can match a type exactly."""
    if kind.kind == "union":
        return frozenset().union(*(_classes(arm) for arm in kind.args))
    if kind.kind == "literal":
        return frozenset(type(value) for value in kind.data)
    if kind.kind == "enum":
        return frozenset({kind.data})
    if kind.kind == "ref":
        # A named tuple is no record here, because it is sent as a list.
        found = {"typeddict": dict, "namedtuple": None}.get(model_kind(kind.data) or "", kind.data)
    else:
        found = CLASSES.get(kind.kind) or _CONTAINERS.get(kind.kind)
    if found is None:
        raise _NoCode
    return frozenset({found})


@dataclass(frozen=True, slots=True)
class _Case:
    """One class that a value may have.

    condition: follows the test of the class; "" or begins with " and ".
    body: the expression for what is sent.
    """

    cls: type
    condition: str
    body: str


class _Writer:
    """Writes the expression for a value, with nested records inline."""

    def __init__(self) -> None:
        self.source = Source()
        self.fields = 0

    def value(self, kind: Type, source: str, stack: tuple[type, ...]) -> str:
        """The expression for a value; `source` is a local, or an expression to evaluate once."""
        if _is_any(kind):
            # Most often it is plain data. If not, the encoder of the reply finds out.
            return source
        constant = self.source.constant
        name, first = self._named(source)
        try:
            cases = self._cases(kind, name, stack)
        except _NoCode:
            if not stack:
                raise
            # The other values of a record need no other way.
            return f"{constant(_not_exact)}({source})"
        text = f"{constant(_not_exact)}({name})"
        for index, case in reversed(list(enumerate(cases))):
            # The test that is evaluated first gives the name its value.
            tested = first if index == 0 else name
            test = f"{constant(type)}({tested}) is {constant(case.cls)}{case.condition}"
            text = f"({case.body} if {test} else {text})"
        return text

    def _named(self, source: str) -> tuple[str, str]:
        """A local that holds `source`, and an expression that assigns it on first use."""
        if is_identifier(source):
            return source, source
        name = self.source.local()
        return name, f"({name} := {source})"

    def _cases(self, kind: Type, name: str, stack: tuple[type, ...]) -> list[_Case]:
        constant, tag = self.source.constant, kind.kind
        checks = condition_of(kind, name, constant)
        if tag in _AS_IS:
            return [_Case(CLASSES[tag], checks, name)]
        if tag in _CONVERT:
            finite = f" and {constant(Decimal.is_finite)}({name})" if tag == "decimal" else ""
            return [_Case(CLASSES[tag], finite + checks, f"{constant(_CONVERT[tag])}({name})")]
        match tag:
            case "union":
                several = sum(arm.kind != "none" for arm in kind.args) > 1
                if several and _is_vague(kind):
                    # The value fits, but another arm may fit better.
                    raise _NoCode
                return [case for arm in kind.args for case in self._cases(arm, name, stack)]
            case "literal":
                return self._literal(kind.data, name)
            case "enum":
                return [_Case(kind.data, "", f"{name}._value_")]
            case "list" | "vartuple" | "set" | "frozenset":
                item = self.source.local()
                inner = self.value(kind.args[0], item, stack)
                return [_Case(_CONTAINERS[tag], checks, f"[{inner} for {item} in {name}]")]
            case "tuple":
                items = [
                    self.value(arg, f"{name}[{index}]", stack)
                    for index, arg in enumerate(kind.args)
                ]
                return [_Case(tuple, f" and len({name}) == {len(items)}", f"[{', '.join(items)}]")]
            case "dict":
                key, item = self.source.local(), self.source.local()
                pair = [self.value(kind.args[0], key, stack), self.value(kind.args[1], item, stack)]
                body = f"{{{': '.join(pair)} for {key}, {item} in {name}.items()}}"
                return [_Case(dict, checks, body)]
            case "ref" if model_kind(kind.data) in RECORD_KINDS:
                return [_Case(kind.data, "", self._record(kind.data, name, stack))]
            case "ref" if model_kind(kind.data) == "typeddict":
                return [_Case(dict, "", self._typeddict(kind.data, name, stack))]
        raise _NoCode

    def _literal(self, values: tuple[Any, ...], name: str) -> list[_Case]:
        constant = self.source.constant
        by_class: dict[type, list[Any]] = {}
        for value in values:
            by_class.setdefault(type(value), []).append(value)
        return [
            _Case(cls, f" and {name} in {constant(frozenset(found))}", name)
            for cls, found in by_class.items()
        ]

    def _record(self, cls: type, name: str, stack: tuple[type, ...]) -> str:
        """The expression for the dict of the record in the local `name`."""
        if cls in stack or self.fields > FIELD_BUDGET:
            return f"{self.source.constant(_not_exact)}({name})"
        model = model_of(cls)
        self.fields += len(model.sent) + 1
        parts = []
        if model.tag is not None:
            parts.append(": ".join(self.source.constant(part) for part in model.tag))
        for item in model.sent:
            key = item.out or item.name
            # Only identifiers may enter the source.
            written = repr(key) if is_identifier(key) else self.source.constant(key)
            value = self.value(item.type, f"{name}.{item.name}", (*stack, cls))
            parts.append(f"{written}: {value}")
        return f"{{{', '.join(parts)}}}"

    def _typeddict(self, cls: type, name: str, stack: tuple[type, ...]) -> str:
        fields = model_of(cls).fields
        if cls in stack or not all(item.required for item in fields):
            raise _NoCode
        self.fields += len(fields) + 1
        parts = []
        for item in fields:
            # A missing key raises KeyError, which has the same effect as NotExact.
            key = self.source.constant(item.name)
            parts.append(f"{key}: {self.value(item.type, f'{name}[{key}]', (*stack, cls))}")
        return f"{{{', '.join(parts)}}}"


def _is_any(kind: Type) -> bool:
    arms = kind.args if kind.kind == "union" else (kind,)
    return any(arm.kind == "any" for arm in arms) and all(
        arm.kind in ("any", "none") for arm in arms
    )


def _is_vague(kind: Type) -> bool:
    """Whether a value that fits may be no exact match: it has an `Any`, or is a TypedDict."""
    if kind.kind == "ref":
        return model_kind(kind.data) == "typeddict"
    return kind.kind == "any" or any(_is_vague(arg) for arg in kind.args)
