"""Compiles, for each type, the function that converts wire values to Python objects.

The function builds nested records inline instead of with a call per level: it unpacks the wire
tuple by assignment patterns such as `(v1, (v2, v3)) = wire`, which is the fastest way in CPython.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

from .._datastructures.uploads import UploadFile
from .._errors import ValidatorError
from .._schema.models import Field, Model, model_of
from .._schema.types import Type
from .codegen import Source, is_identifier

__all__ = ["Emitter", "converter", "model_converter"]

# Beyond this many fields a function calls the converters of further records instead of inlining
# them; otherwise the code of records that refer to each other would grow exponentially.
_FIELD_BUDGET = 150

_IMMUTABLE = (str, int, float, bool, bytes, type(None))

# What pydantic turns into a 422 when a constructor raises it.
_REFUSALS = (ValueError, AssertionError)

_BUILDERS: dict[str, Callable[..., Any]] = {"set": set, "frozenset": frozenset, "vartuple": tuple}


def _make_datetime(wire: tuple[int, int, int, int, int, int, int, int | None]) -> datetime:
    year, month, day, hour, minute, second, micro, offset = wire
    if offset is None:
        return datetime(year, month, day, hour, minute, second, micro)
    zone = UTC if offset == 0 else timezone(timedelta(seconds=offset))
    return datetime(year, month, day, hour, minute, second, micro, zone)


# The records whose converters are being compiled, each with the namespaces that will need the
# finished converter: a recursive record refers to a function that does not exist yet.
_BUILDING: dict[type, list[tuple[dict[str, Any], str]]] = {}
_CONVERTERS: dict[type, Callable[[Any], Any]] = {}


def converter(kind: Type) -> Callable[[Any], Any] | None:
    """The function that converts a wire value of this type to the Python object.

    None when the two are the same. Raises Unsupported or NameError for a record that cannot be
    resolved.
    """
    if kind.plain:
        return None
    if kind.kind == "ref":
        return model_converter(kind.data)
    return _build(kind, f"convert {kind.kind}", ())


def model_converter(cls: type) -> Callable[[Any], Any]:
    """The converter of a record class: from the tuple of its fields' wire values."""
    made = _CONVERTERS.get(cls)
    if made is not None:
        return made
    _BUILDING[cls] = []
    try:
        made = _build(Type("ref", data=cls), f"{cls.__qualname__}._from_wire", ())
    finally:
        waiting = _BUILDING.pop(cls)
    for namespace, name in waiting:
        namespace[name] = made
    _CONVERTERS[cls] = made
    return made


def _build(kind: Type, qualname: str, stack: tuple[type, ...]) -> Callable[[Any], Any]:
    source = Source()
    emitter = Emitter(source, stack)
    pattern, finish = emitter.bind(kind)
    source.line(f"{pattern} = wire")
    source.line(f"return {finish()}")
    return source.build("convert", "wire", qualname)


class Emitter:
    """Writes conversion code into a Source.

    Its basic operation is `bind`: it returns the assignment target for a wire value, and a function
    to call after the assignment is written. That function writes the statements that the conversion
    needs, and returns the expression for the Python object.
    """

    def __init__(self, source: Source, stack: tuple[type, ...] = ()) -> None:
        self.source = source
        # Records being inlined, outermost first: a recursive record needs a call.
        self.stack = stack
        self._fields = 0

    def bind(self, kind: Type) -> tuple[str, Callable[[], str]]:
        """The assignment target for a wire value of this type, and the writer of its object."""
        if not kind.plain:
            if kind.kind == "ref":
                return self._bind_ref(kind)
            if kind.kind == "tuple":
                return self._bind_items(kind.args)
        name = self.source.local()
        return name, lambda: self.value(kind, name)

    def bind_optional(
        self, kind: Type, default: Callable[[], str] | None
    ) -> tuple[str, Callable[[], str]]:
        """As `bind`, for a value that may be absent, which the host sends as Ellipsis.

        `default` returns the expression for the default, or is None when the value is required.
        """
        if default is None:
            return self.bind(kind)
        name = self.source.local()

        def finish() -> str:
            source = self.source
            source.line(f"if {name} is ...:")
            source.indent()
            source.line(f"{name} = {default()}")
            source.dedent()
            if not kind.plain:
                source.line("else:")
                source.indent()
                source.line(f"{name} = {self.value(kind, name)}")
                source.dedent()
            return name

        return name, finish

    def value(self, kind: Type, name: str) -> str:
        """The expression for the object whose wire value is the local `name`."""
        if kind.plain:
            return name
        constant = self.source.constant
        match kind.kind:
            case "enum":
                return f"{constant(tuple(kind.data))}[{name}]"
            case "datetime":
                return f"{constant(_make_datetime)}({name})"
            case "date":
                return f"{constant(date)}(*{name})"
            case "uuid":
                return f"{constant(UUID)}(int={name})"
            case "decimal":
                return f"{constant(Decimal)}({name})"
            case "adapted":
                return f"{constant(kind.data.converter())}({name})"
            case "upload":
                return f"{constant(UploadFile)}({name})"
            case "set" | "frozenset" | "vartuple":
                items = name if kind.args[0].plain else self._list(kind.args[0], name)
                return f"{constant(_BUILDERS[kind.kind])}({items})"
            case "list":
                return self._list(kind.args[0], name)
            case "dict":
                return self._dict(kind.args[0], kind.args[1], name)
            case "union":
                return self._union(kind.args, name)
        if kind.kind == "ref" and not self._inlines(kind.data):
            return f"{self._function(kind.data)}({name})"
        pattern, finish = self.bind(kind)
        self.source.line(f"{pattern} = {name}")
        return finish()

    def default(self, value: Any, factory: Callable[[], Any] | None) -> str:
        """The expression for a default. Each evaluation creates a new mutable default."""
        if factory is not None:
            return "[]" if factory is list else f"{self.source.constant(factory)}()"
        return self.default_object(value)

    def default_object(self, value: Any) -> str:
        """The expression for a default value: the value itself, or a copy of a container."""
        constant = self.source.constant
        if type(value) not in (list, dict, set):
            return constant(value)
        if not value:
            return f"{constant(type(value))}()"
        inner = value.values() if type(value) is dict else value
        if all(type(item) in _IMMUTABLE for item in inner):
            return f"{constant(value)}.copy()"
        return f"{constant(copy.deepcopy)}({constant(value)})"

    # Containers

    def _list(self, item: Type, name: str) -> str:
        """A list of converted items: a comprehension if a single expression converts an item."""
        source = self.source
        before = len(source.lines)
        pattern, finish = self.bind(item)
        out, push = source.local(), source.local()
        source.line(f"{out} = []")
        source.line(f"{push} = {out}.append")
        source.line(f"for {pattern} in {name}:")
        source.indent()
        body = len(source.lines)
        expression = finish()
        if len(source.lines) == body:
            source.dedent()
            del source.lines[before:]
            return f"[{expression} for {pattern} in {name}]"
        source.line(f"{push}({expression})")
        source.dedent()
        return out

    def _dict(self, key: Type, value: Type, name: str) -> str:
        source = self.source
        key_pattern, finish_key = self.bind(key)
        value_pattern, finish_value = self.bind(value)
        out = source.local()
        source.line(f"{out} = {{}}")
        source.line(f"for {key_pattern}, {value_pattern} in {name}.items():")
        source.indent()
        key_expression = finish_key()
        source.line(f"{out}[{key_expression}] = {finish_value()}")
        source.dedent()
        return out

    def _union(self, arms: tuple[Type, ...], name: str) -> str:
        """The wire value is (arm, value); plain arms need no branch."""
        source = self.source
        tag, value = source.local(), source.local()
        source.line(f"{tag}, {value} = {name}")
        word = "if"
        for index, arm in enumerate(arms):
            if not arm.plain:
                source.line(f"{word} {tag} == {index}:")
                source.indent()
                source.line(f"{value} = {self.value(arm, value)}")
                source.dedent()
                word = "elif"
        return value

    def _bind_items(self, kinds: tuple[Type, ...]) -> tuple[str, Callable[[], str]]:
        parts = [self.bind(kind) for kind in kinds]
        pattern = "".join(f"{target}, " for target, _ in parts)
        return f"({pattern})", lambda: f"({''.join(f'{finish()}, ' for _, finish in parts)})"

    # Records

    def _inlines(self, cls: type) -> bool:
        return cls not in self.stack and self._fields < _FIELD_BUDGET

    def _function(self, cls: type) -> str:
        """The name of a record's converter in the namespace of this function."""
        waiting = _BUILDING.get(cls)
        if waiting is None or cls in _CONVERTERS:
            return self.source.constant(model_converter(cls))
        name = f"C{len(self.source.namespace)}"
        waiting.append((self.source.namespace, name))
        self.source.namespace[name] = None
        return name

    def _bind_ref(self, kind: Type) -> tuple[str, Callable[[], str]]:
        cls = kind.data
        if not self._inlines(cls):
            name = self.source.local()
            return name, lambda: f"{self._function(cls)}({name})"
        model = model_of(cls)
        # One more than the fields, so that records without fields also count.
        self._fields += len(model.fields) + 1
        outer = self.stack
        self.stack = (*outer, cls)
        try:
            parts = [self._bind_field(model, item) for item in model.fields]
        finally:
            self.stack = outer

        def finish() -> str:
            self.stack = (*outer, cls)
            try:
                return self._construct(model, parts)
            finally:
                self.stack = outer

        # `()` is a valid assignment target, so a record without fields needs no special case.
        return f"({''.join(f'{target}, ' for target, _ in parts)})", finish

    def _bind_field(self, model: Model, item: Field) -> tuple[str, Callable[[], str]]:
        if item.required or item.host_fills:
            return self.bind(item.type)
        if model.kind == "typeddict":
            name = self.source.local()
            # `_construct_dict` handles the absent key.
            return name, lambda: name
        return self.bind_optional(item.type, lambda: self.default(item.default, item.factory))

    def _construct(self, model: Model, parts: list[tuple[str, Callable[[], str]]]) -> str:
        finishers = [finish for _, finish in parts]
        if model.kind == "typeddict":
            return self._construct_dict(model, finishers)
        source = self.source
        cls = source.constant(model.cls)
        out = source.local()
        if model.kind == "struct" and not model.cls.__struct_custom_init__:
            absent = self._absent(model, parts)
            # Sets the slots as __init__ would, but without the cost of a call with keywords.
            source.line(f"{out} = {source.constant(object.__new__)}({cls})")
            for item, finish in zip(model.fields, finishers, strict=True):
                source.line(f"{out}.{item.name} = {finish()}")
            self._validate(model, out, absent)
            return out
        absent = self._absent(model, parts)
        positional, keywords = [], []
        for item, finish in zip(model.fields, finishers, strict=True):
            expression = finish()
            if item.keyword:
                keywords.append(f"{item.name}={expression}")
            else:
                positional.append(expression)
        # A statement of its own: the constructor may have side effects and must run once.
        made = f"{out} = {cls}({', '.join(positional + keywords)})"
        if not model.refuses:
            source.line(made)
            return out
        source.line("try:")
        source.line(f"    {made}")
        source.line(f"except {source.constant(_REFUSALS)} as refusal:")
        source.line(f"    raise {source.constant(ValidatorError)} from refusal")
        self._validate(model, out, absent)
        return out

    def _absent(self, model: Model, parts: list[tuple[str, Callable[[], str]]]) -> str:
        """The expression for the names of the fields that the request does not have.

        Only of fields for whose validators that matters. It is written before they get defaults.
        """
        pairs = zip(model.fields, parts, strict=True)
        asked = [(item.name, part[0]) for item, part in pairs if item.guarded and not item.required]
        if not asked:
            return "()"
        source, absent = self.source, self.source.local()
        source.line(f"{absent} = ()")
        for name, target in asked:
            # Ellipsis stands for an absent value, so its target is a single name.
            source.line(f"if {target} is ...:")
            source.line(f"    {absent} += ({name!r},)")
        return absent

    def _validate(self, model: Model, out: str, absent: str) -> None:
        if model.kind == "struct" and model.cls.__struct_validators__:
            run = self.source.constant(model.cls.__struct_run__)
            self.source.line(f"{out} = {run}({out}, {absent})")

    def _construct_dict(self, model: Model, finishers: list[Callable[[], str]]) -> str:
        source = self.source
        # A key of a TypedDict may be any string, so it may have to go through the namespace.
        pairs = [
            (item, self._key(item.name), finish())
            for item, finish in zip(model.fields, finishers, strict=True)
        ]
        out = source.local()
        required = ", ".join(f"{key}: {value}" for item, key, value in pairs if item.required)
        source.line(f"{out} = {{{required}}}")
        for item, key, name in pairs:
            if not item.required:
                source.line(f"if {name} is not ...:")
                source.indent()
                source.line(f"{out}[{key}] = {self.value(item.type, name)}")
                source.dedent()
        return out

    def _key(self, name: str) -> str:
        return f"{name!r}" if name.isascii() and is_identifier(name) else self.source.constant(name)
