"""Converts results to plain values (None, bool, int, float, str, list, dict) with compiled code.

A table maps the exact type of an object to its function. For speed, the functions neither track
where in the result they are nor detect cycles. When one fails, the caller repeats the conversion
with `serialize_checked.to_plain`, which does both and raises an exception that names the place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from .._adapters.registry import dump_of
from .._errors import Unsupported
from .._schema.annotations import model_kind, type_of
from .._schema.models import Model, hints_of, model_of
from .._schema.types import Type
from .codegen import Source, is_identifier

__all__ = [
    "FIELD_BUDGET",
    "RECORDS",
    "RECORD_KINDS",
    "compile_plain",
    "moment",
    "plain",
    "record_names",
]

RECORDS: dict[type, Callable[[Any], Any]] = {}
"""The compiled functions of the records that were serialized so far."""

# Fields of these types are sent without conversion. `any` is among them because it most often holds
# plain data; when it does not, marshal fails and `serialize_checked` converts the result.
_AS_IS = frozenset({"str", "int", "float", "bool", "none", "any", "literal"})
# Without NamedTuple, which is sent as a tuple.
RECORD_KINDS = frozenset({"struct", "dataclass", "attrs"})
_KEYS_AS_IS = frozenset({"str", "int", "float", "bool"})

FIELD_BUDGET = 150
"""Beyond this many fields no further records are inlined; as in deserialize.py."""


def plain(value: Any) -> Any:
    """The plain form of any value that a handler may return.

    Raises an exception of any type when there is none; its text may be of no use.
    """
    convert = _TABLE.get(type(value))
    if convert is None:
        convert = _learn(type(value))
    return convert(value)


def _same(value: Any) -> Any:
    return value


def _items(value: Any) -> list[Any]:
    return [
        item if (convert := _TABLE.get(type(item))) is _same else (convert or plain)(item)
        for item in value
    ]


def _pairs(value: Any) -> dict[Any, Any]:
    return {
        key if type(key) is str else _key(key): item
        if (convert := _TABLE.get(type(item))) is _same
        else (convert or plain)(item)
        for key, item in value.items()
    }


def _key(key: Any) -> Any:
    made = plain(key)
    if _TABLE.get(type(made)) is not _same:
        raise TypeError("a key that JSON cannot hold")
    return made


def moment(value: datetime) -> str:
    """ISO 8601, with "Z" for UTC."""
    text = value.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def _enum(value: Any) -> Any:
    return plain(value.value)


_TABLE: dict[type, Callable[[Any], Any]] = {
    str: _same,
    int: _same,
    float: _same,
    bool: _same,
    type(None): _same,
    list: _items,
    tuple: _items,
    set: _items,
    frozenset: _items,
    dict: _pairs,
    bytes: bytes.decode,
    # Unbound methods: a single call, which raises for a value of another type.
    datetime: moment,
    date: date.isoformat,
    time: time.isoformat,
    UUID: UUID.__str__,
    Decimal: Decimal.__str__,
}

# The bases of classes that are not in the table, in order. Enum is first because a member of a
# str-based enum is also a str.
_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (Enum, _enum),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (list, _items),
    (tuple, _items),
    (set, _items),
    (frozenset, _items),
    (Mapping, _pairs),
    (bytes, bytes.decode),
    (datetime, moment),
    (date, date.isoformat),
    (time, time.isoformat),
    (UUID, UUID.__str__),
    (Decimal, Decimal.__str__),
)


def _learn(cls: type) -> Callable[[Any], Any]:
    dump = dump_of(cls)
    if dump is not None:
        _TABLE[cls] = dump
        return dump
    if model_kind(cls) in RECORD_KINDS:
        return compile_plain(cls)
    for base, convert in _BASES:
        if issubclass(cls, base):
            _TABLE[cls] = convert
            return convert
    raise TypeError(f"{cls.__qualname__} has no plain form")


def compile_plain(cls: type) -> Callable[[Any], Any]:
    """The function that converts an instance of a record to a dict of its fields."""
    made = _TABLE.get(cls)
    if made is None:
        writer = _Writer(cls)
        made = _TABLE[cls] = RECORDS[cls] = writer.build()
    return made


def _output_fields(cls: Any) -> list[tuple[str, str, Type]]:
    """Name, key and type of the fields; `unknown` where an annotation has no wire type."""
    try:
        model: Model | None = model_of(cls)
    except (Unsupported, NameError, TypeError):
        model = None
    found = model.sent if model is not None else ()
    declared = {item.name: item.type for item in found}
    names = record_names(cls)
    if len(declared) == len(names):
        return [(item.name, item.out or item.name, item.type) for item in found]
    try:
        hints = hints_of(cls)
    except Exception:
        hints = {}
    return [(name, name, declared.get(name) or _type_or_any(hints.get(name))) for name in names]


def record_names(cls: Any) -> tuple[str, ...]:
    """The names of the attributes that a record sends."""
    if cls.__dict__.get("__struct_fields__") is not None:
        fields: tuple[str, ...] = cls.__struct_fields__
        return fields
    attributes = cls.__dict__.get("__attrs_attrs__")
    if attributes is not None:
        return tuple(item.name for item in attributes)
    return tuple(item.name for item in dataclasses.fields(cls))


# Values of this type are converted by their run-time type.
_UNKNOWN = Type("unknown")


def _type_or_any(annotation: Any) -> Type:
    if annotation is None:
        return _UNKNOWN
    try:
        return type_of(annotation)
    except (Unsupported, NameError):
        return _UNKNOWN


class _Writer:
    """Writes the expression that creates the dict of a record, with nested records inline.

    The inlined code of a record is guarded by a check that the object is of the declared class.
    """

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.source = Source()
        self.fields = 0

    def build(self) -> Callable[[Any], Any]:
        text = self.record(self.cls, "self", (self.cls,))
        self.source.line(f"return {text}")
        return self.source.build("to_plain", "self", f"{self.cls.__qualname__}._to_plain")

    def record(self, cls: type, name: str, stack: tuple[type, ...]) -> str:
        """The expression for the dict of the record in the local `name`."""
        fields = _output_fields(cls)
        self.fields += len(fields) + 1
        parts = []
        tag = getattr(cls, "__struct_tag__", None)
        if tag is not None and tag[0] not in (key for _, key, _ in fields):
            parts.append(f"{self.source.constant(tag[0])}: {self.source.constant(tag[1])}")
        for field, key, kind in fields:
            # Only identifiers may enter the source.
            written = repr(key) if is_identifier(key) else self.source.constant(key)
            parts.append(f"{written}: {self.value(kind, f'{name}.{field}', stack)}")
        return f"{{{', '.join(parts)}}}"

    def value(self, kind: Type, source: str, stack: tuple[type, ...]) -> str:
        """The expression for one value; `source` is a local or an attribute of one."""
        constant = self.source.constant
        if _goes_as_is(kind):
            return source
        match kind.kind:
            case "list" | "vartuple":
                item = self.source.local()
                return f"[{self.value(kind.args[0], item, stack)} for {item} in {source}]"
            case "dict" if kind.args[0].kind in _KEYS_AS_IS:
                key, item = self.source.local(), self.source.local()
                inner = self.value(kind.args[1], item, stack)
                return f"{{{key}: {inner} for {key}, {item} in {source}.items()}}"
            case "union":
                arms = [arm for arm in kind.args if arm.kind != "none"]
                if len(arms) == 1 and len(kind.args) == 2:
                    name, test = self._named(source)
                    inner = self.value(arms[0], name, stack)
                    return f"(None if {test} is None else {inner})"
            case "enum":
                return f"{source}._value_"
            case "datetime":
                return f"{constant(moment)}({source})"
            case "date":
                return f"{source}.isoformat()"
            # These raise for values of another type, for which str() would succeed.
            case "uuid":
                return f"{constant(UUID.__str__)}({source})"
            case "decimal":
                return f"{constant(Decimal.__str__)}({source})"
            case "ref" if model_kind(kind.data) in RECORD_KINDS:
                return self._ref(kind.data, source, stack)
        return f"{constant(plain)}({source})"

    def _ref(self, cls: type, source: str, stack: tuple[type, ...]) -> str:
        if cls in stack or self.fields > FIELD_BUDGET:
            if model_kind(cls) == "struct":
                return f"{source}._to_plain()"
            return f"{self.source.constant(plain)}({source})"
        name, test = self._named(source)
        made = self.record(cls, name, (*stack, cls))
        constant = self.source.constant
        # An instance of a subclass is sent with the fields of the declared class only.
        other = f"{constant(plain)}({name})"
        return f"({made} if {constant(isinstance)}({test}, {constant(cls)}) else {other})"

    def _named(self, source: str) -> tuple[str, str]:
        """A local that holds `source`, and an expression that assigns it on first use."""
        if "." not in source:
            return source, source
        name = self.source.local()
        return name, f"({name} := {source})"


def _goes_as_is(kind: Type) -> bool:
    """Whether marshal accepts values of this type without conversion."""
    if kind.kind in _AS_IS:
        return True
    if kind.kind == "dict":
        return kind.args[0].kind in _KEYS_AS_IS and _goes_as_is(kind.args[1])
    if kind.kind == "ref":
        return _is_plain_typeddict(kind.data)
    if kind.kind in ("list", "tuple", "vartuple", "union"):
        return all(_goes_as_is(arg) for arg in kind.args)
    return False


def _is_plain_typeddict(cls: type) -> bool:
    # Only flat ones: for a recursive TypedDict this function would not terminate.
    if model_kind(cls) != "typeddict":
        return False
    try:
        fields = model_of(cls).fields
    except (Unsupported, NameError, TypeError):
        return False
    return all(item.type.kind in _AS_IS for item in fields)
