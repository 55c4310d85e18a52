"""Filters and checks results by the return annotation or the `response_model` of a route."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, get_type_hints
from uuid import UUID

from .._errors import Unsupported
from .._schema.annotations import model_kind, type_of
from .._schema.models import Field, Model, model_of
from .._schema.types import MISSING, Type
from ..responses import Response
from .serialize import compile_exact, plain

__all__ = ["ResultMismatch", "Shape", "compile_result", "declared_result", "record_filter"]


class ResultMismatch(TypeError):
    """A result does not match its declaration. The client gets a 500; the log gets the text."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Which fields of a result are sent, and under which names; see `RouteOptions`."""

    include: Any = None
    exclude: Any = None
    exclude_none: bool = False
    exclude_unset: bool = False
    exclude_defaults: bool = False
    by_alias: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Shape:
        """The shape for the options of a route."""
        return cls(
            options.get("response_model_include"),
            options.get("response_model_exclude"),
            bool(options.get("response_model_exclude_none")),
            bool(options.get("response_model_exclude_unset")),
            bool(options.get("response_model_exclude_defaults")),
            options.get("response_model_by_alias", True) is not False,
        )

    @property
    def changes_nothing(self) -> bool:
        """Whether it sends all fields under their usual names."""
        return self == Shape()


def declared_result(handler: Callable[..., Any], options: Mapping[str, Any]) -> Type | None:
    """The declared type of a handler's results; None when it declares none that can be checked.

    Raises Unsupported for a `response_model` without a wire form; ignores such an annotation.
    """
    if "response_model" in options:
        model = options["response_model"]
        return None if model is None else type_of(model)
    try:
        annotation = get_type_hints(handler, include_extras=True).get("return", MISSING)
    except Exception:
        # A return annotation need not be resolvable at run time.
        return None
    if annotation is MISSING or annotation is None:
        return None
    try:
        return type_of(annotation)
    except Unsupported:
        return None


def compile_result(kind: Type, shape: Shape) -> Callable[[Any], Any] | None:
    """The function that converts a result to what is sent; None when no conversion is needed.

    Raises Unsupported or NameError for a record that cannot be resolved.
    """
    if _says_nothing(kind) and shape.changes_nothing:
        return None
    convert = _Compiler(shape).of(kind)

    def finish(result: Any) -> Any:
        if isinstance(result, Response):
            return result
        return convert(result, "result")

    sent_whole = kind.kind == "ref" and model_kind(kind.data) in ("struct", "dataclass", "attrs")
    if sent_whole and shape.changes_nothing:
        record, exact = kind.data, compile_exact(kind.data)

        def finish_record(result: Any) -> Any:
            if type(result) is record:
                try:
                    return exact(result)
                except Exception:
                    # A nested value does not match its annotation: convert or reject it.
                    return finish(result)
            return finish(result)

        return finish_record
    return finish


# Classes live as long as the program, so entries are never removed.
_FILTERS: dict[tuple[type, Shape], Callable[[Any], Any]] = {}


def record_filter(cls: type, shape: Shape) -> Callable[[Any], Any]:
    """The function that converts a record of this class to a dict, cached when possible."""
    # `include` and `exclude` may be unhashable.
    if shape.include is not None or shape.exclude is not None:
        return _record_filter(cls, shape)
    found = _FILTERS.get((cls, shape))
    if found is None:
        found = _FILTERS[cls, shape] = _record_filter(cls, shape)
    return found


def _record_filter(cls: type, shape: Shape) -> Callable[[Any], Any]:
    # For a record, `compile_result` never returns None.
    return compile_result(Type("ref", data=cls), shape) or plain


def _says_nothing(kind: Type) -> bool:
    """Whether every JSON value matches the type."""
    if kind.kind in ("any", "none"):
        return True
    if kind.kind == "dict":
        return kind.args[0].kind in ("str", "any") and _says_nothing(kind.args[1])
    return kind.kind == "list" and _says_nothing(kind.args[0])


_Convert = Callable[[Any, str], Any]


def _wrong(value: Any, place: str, wanted: str) -> ResultMismatch:
    return ResultMismatch(
        f"the handler declares {wanted} at {place}, and returned {type(value).__qualname__}"
    )


def _any(value: Any, place: str) -> Any:
    return plain(value)


def _text(value: Any, place: str) -> Any:
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value.value) if isinstance(value, Enum) else str.__str__(value)
    if isinstance(value, bytes):
        return value.decode()
    raise _wrong(value, place, "str")


def _int(value: Any, place: str) -> Any:
    if type(value) is int:
        return value
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, (float, Decimal)) and value == int(value):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise _wrong(value, place, "int")


def _float(value: Any, place: str) -> Any:
    if type(value) is float:
        return value
    if isinstance(value, (int, float, Decimal)):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise _wrong(value, place, "float")


_TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})
_FALSE = frozenset({"false", "0", "no", "off", "f", "n"})


def _bool(value: Any, place: str) -> Any:
    if type(value) is bool:
        return value
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise _wrong(value, place, "bool")


def _none(value: Any, place: str) -> Any:
    if value is not None:
        raise _wrong(value, place, "None")
    return None


def _instance(cls: type, parse: Callable[[str], Any]) -> _Convert:
    def convert(value: Any, place: str) -> Any:
        if not isinstance(value, cls):
            if not isinstance(value, (str, int, float)):
                raise _wrong(value, place, cls.__name__)
            try:
                value = parse(str(value))
            except (ValueError, ArithmeticError):
                raise _wrong(value, place, cls.__name__) from None
        return plain(value)

    return convert


_LEAVES: dict[str, _Convert] = {
    "any": _any,
    "str": _text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "none": _none,
    "bytes": _any,
    "datetime": _instance(datetime, datetime.fromisoformat),
    "date": _instance(date, date.fromisoformat),
    "uuid": _instance(UUID, UUID),
    "decimal": _instance(Decimal, Decimal),
}


class _Compiler:
    """Builds the function for a type from the functions for its parts."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.records: dict[type, _Convert] = {}

    def of(self, kind: Type, picked: Any = None, left_out: Any = None) -> _Convert:
        """The function for a type. `picked` and `left_out` are nested `include` and `exclude`."""
        if picked is None and left_out is None and not self.records:
            picked, left_out = self.shape.include, self.shape.exclude
        leaf = _LEAVES.get(kind.kind)
        if leaf is not None:
            return leaf
        match kind.kind:
            case "list" | "set" | "frozenset" | "vartuple":
                return self._items(self.of(kind.args[0], picked, left_out))
            case "tuple":
                return self._tuple([self.of(arg, picked, left_out) for arg in kind.args])
            case "dict":
                return self._dict(self.of(kind.args[0]), self.of(kind.args[1], picked, left_out))
            case "union":
                return self._union([self.of(arg, picked, left_out) for arg in kind.args])
            case "ref":
                return self._ref(kind.data, picked, left_out)
            case "literal":
                return self._literal(kind.data)
            case "enum":
                return self._enum(kind.data)
        return _any

    def _items(self, item: _Convert) -> _Convert:
        def convert(value: Any, place: str) -> Any:
            if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Collection):
                raise _wrong(value, place, "a list")
            return [item(one, f"{place}[{index}]") for index, one in enumerate(value)]

        return convert

    def _tuple(self, items: list[_Convert]) -> _Convert:
        def convert(value: Any, place: str) -> Any:
            if not isinstance(value, (list, tuple)) or len(value) != len(items):
                raise _wrong(value, place, f"a tuple of {len(items)}")
            pairs = enumerate(zip(items, value, strict=True))
            return [item(one, f"{place}[{index}]") for index, (item, one) in pairs]

        return convert

    def _dict(self, key: _Convert, item: _Convert) -> _Convert:
        def convert(value: Any, place: str) -> Any:
            if not isinstance(value, Mapping):
                raise _wrong(value, place, "a dict")
            return {
                key(name, place): item(one, f"{place}[{name!r}]") for name, one in value.items()
            }

        return convert

    def _union(self, arms: list[_Convert]) -> _Convert:
        def convert(value: Any, place: str) -> Any:
            if value is None and _none in arms:
                return None
            for arm in arms:
                try:
                    return arm(value, place)
                except ResultMismatch:
                    continue
            raise _wrong(value, place, "another type")

        return convert

    def _literal(self, values: tuple[Any, ...]) -> _Convert:
        def convert(value: Any, place: str) -> Any:
            if value not in values:
                raise _wrong(value, place, f"one of {values!r}")
            return plain(value)

        return convert

    def _enum(self, cls: type[Enum]) -> _Convert:
        def convert(value: Any, place: str) -> Any:
            try:
                return plain(cls(value).value)
            except ValueError:
                raise _wrong(value, place, cls.__name__) from None

        return convert

    def _ref(self, cls: type, picked: Any, left_out: Any) -> _Convert:
        known = self.records.get(cls)
        if known is not None and picked is None and left_out is None:
            return known
        model = model_of(cls)
        fields: list[tuple[Field, str, _Convert]] = []

        def convert(value: Any, place: str) -> Any:
            return self._record(model, fields, value, place)

        # Registered before its fields, because the record may be recursive.
        self.records[cls] = convert
        for item in model.fields:
            if _picks(picked, item.name, True) and not _leaves_out(left_out, item.name):
                inner = self.of(item.type, _below(picked, item.name), _below(left_out, item.name))
                key = item.out or item.name if self.shape.by_alias else item.name
                fields.append((item, key, inner))
        return convert

    def _record(
        self, model: Model, fields: list[tuple[Field, str, _Convert]], value: Any, place: str
    ) -> Any:
        shape = self.shape
        mapping = isinstance(value, Mapping)
        if not mapping and isinstance(value, (str, int, float, list, tuple, set, type(None))):
            raise _wrong(value, place, model.name)
        out = {} if model.tag is None else {model.tag[0]: model.tag[1]}
        for item, key, convert in fields:
            if mapping:
                found = value.get(item.name, MISSING)
                if found is MISSING and item.alias:
                    found = value.get(item.alias, MISSING)
            else:
                found = getattr(value, item.name, MISSING)
            if found is MISSING:
                if item.required:
                    raise ResultMismatch(
                        f"the handler declares {model.name} at {place}, "
                        f"and what it returned has no {item.name!r}"
                    )
                if shape.exclude_unset or model.kind == "typeddict":
                    continue
                found = item.default if item.factory is None else item.factory()
            elif shape.exclude_unset and not mapping and _is_default(item, found):
                continue
            if shape.exclude_none and found is None:
                continue
            if shape.exclude_defaults and _is_default(item, found):
                continue
            out[key] = convert(found, f"{place}.{item.name}")
        return out


def _is_default(item: Field, value: Any) -> bool:
    if item.required:
        return False
    return bool(value == (item.default if item.factory is None else item.factory()))


def _picks(wanted: Any, name: str, otherwise: bool) -> bool:
    return otherwise if wanted is None else name in wanted


def _leaves_out(wanted: Any, name: str) -> bool:
    if wanted is None or name not in wanted:
        return False
    # `{"user": {"password"}}` excludes only a part of the field.
    return not isinstance(wanted, Mapping) or wanted[name] in (True, ...)


def _below(wanted: Any, name: str) -> Any:
    if not isinstance(wanted, Mapping):
        return None
    inner = wanted.get(name)
    return None if inner in (None, True, ...) else inner
