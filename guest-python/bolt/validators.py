"""Checks that an application writes for its records, and the 422 when they refuse a request.

The host has checked types and constraints before. A validator that refuses raises out of compiled
code that does not know where in the request it is; `explain` then does the conversion once more,
step by step, and finds every refusal with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Literal, TypeVar

from .convert import converter
from .models import Field, Model, model_of
from .params import Param
from .strict import to_plain
from .types import MISSING, Type

__all__ = ["ValidationInfo", "explain", "field_validator", "model_validator"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ValidationInfo:
    """What a validator is told besides the value.

    field_name: the field that it looks at.
    data: the fields that stand before it in the class, with their values.
    """

    field_name: str
    data: dict[str, Any]


def field_validator(
    *fields: str, mode: Literal["after"] = "after"
) -> Callable[[_Function], _Function]:
    """A method of a Struct that checks a field, and returns what it shall be.

    It takes the class and the value, and a `ValidationInfo` if it has a third parameter; a
    ValueError or a failed assertion becomes a 422. Values have their type already, so there is no
    mode "before".

    fields: names; "*" for all. One for all and one with a ValidationInfo look at a record after
        the others, in their order and that of the model validators.
    """
    _only_after(mode)
    if not fields or not all(isinstance(name, str) for name in fields):
        raise TypeError("field_validator names its fields: @field_validator('name')")

    def mark(function: _Function) -> _Function:
        target: Any = getattr(function, "__func__", function)
        alone = isinstance(function, staticmethod)
        wants_info = _required(target) > (1 if alone else 2)
        if wants_info or "*" in fields:
            made: Any = _one_by_one(target, fields, alone, wants_info)
            return made  # type: ignore[no-any-return]
        target.__bolt_validates__ = fields
        return function

    return mark


def model_validator(*, mode: Literal["after"] = "after") -> Callable[[_Function], _Function]:
    """A method of a Struct that checks the whole, and returns `self`; see `field_validator`."""
    _only_after(mode)

    def mark(function: _Function) -> _Function:
        target: Any = getattr(function, "__func__", function)
        target.__bolt_validates__ = ()
        return function

    return mark


def _required(function: Any) -> int:
    """How many arguments a function has to be given."""
    code = getattr(function, "__code__", None)
    return 0 if code is None else code.co_argcount - len(function.__defaults__ or ())


def _one_by_one(
    function: Any, fields: tuple[str, ...], alone: bool, wants_info: bool
) -> Callable[[Any], Any]:
    """A validator of whole records that has `function` look at their fields.

    What it raises has `__bolt_fields__`: each field that was refused, and why.
    """

    def look(record: Any) -> Any:
        cls = type(record)
        names = cls.__struct_fields__
        refused: list[tuple[str, BaseException]] = []
        for name in names if "*" in fields else fields:
            value = getattr(record, name)
            arguments = [value] if alone else [cls, value]
            if wants_info:
                before = names[: names.index(name)]
                data = {other: getattr(record, other) for other in before}
                arguments.append(ValidationInfo(name, data))
            try:
                setattr(record, name, function(*arguments))
            except (ValueError, AssertionError) as exc:
                refused.append((name, exc))
        if refused:
            first: Any = refused[0][1]
            first.__bolt_fields__ = refused
            raise first
        return record

    update_wrapper(look, function)
    vars(look)["__bolt_validates__"] = ()
    return look


def _only_after(mode: str) -> None:
    if mode != "after":
        raise TypeError(
            f"a validator with mode={mode!r} is not supported: values are checked and converted "
            "by the host before Python sees them; use mode='after'"
        )


def explain(params: Sequence[Param], wire: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Every refusal of a validator, as FastAPI tells it."""
    errors: list[dict[str, Any]] = []
    for param, value in zip(params, wire, strict=True):
        if value is ... or param.source == "request":
            continue
        place: tuple[Any, ...] = ("body" if param.source in ("form", "file") else param.source,)
        if not param.spread and not (param.source == "body" and _whole_body(params, param)):
            place = (*place, param.alias)
        _convert(param.type, value, place, errors)
    return errors


def _whole_body(params: Sequence[Param], param: Param) -> bool:
    return not param.marker.embed and sum(one.source == "body" for one in params) == 1


_BAD: Any = object()


def _convert(kind: Type, wire: Any, loc: tuple[Any, ...], errors: list[dict[str, Any]]) -> Any:
    """The object, or _BAD when something in it was refused."""
    if kind.plain:
        return wire
    tag = kind.kind
    if tag == "ref":
        return _record(model_of(kind.data), wire, loc, errors)
    if tag == "union":
        arm, value = wire
        return _convert(kind.args[arm], value, loc, errors)
    if tag in ("list", "set", "frozenset", "vartuple"):
        found = [
            _convert(kind.args[0], item, (*loc, index), errors) for index, item in enumerate(wire)
        ]
        return _BAD if any(item is _BAD for item in found) else _container(tag)(found)
    if tag == "tuple":
        found = [
            _convert(one, item, (*loc, index), errors)
            for index, (one, item) in enumerate(zip(kind.args, wire, strict=True))
        ]
        return _BAD if any(item is _BAD for item in found) else tuple(found)
    if tag == "dict":
        pairs = {
            _convert(kind.args[0], key, loc, errors): _convert(
                kind.args[1], value, (*loc, key), errors
            )
            for key, value in wire.items()
        }
        return _BAD if any(value is _BAD for value in pairs.values()) else pairs
    convert = converter(kind)
    return wire if convert is None else convert(wire)


def _container(tag: str) -> Callable[[list[Any]], Any]:
    if tag == "vartuple":
        return tuple
    return {"list": list, "set": set, "frozenset": frozenset}[tag]


def _record(model: Model, wire: Any, loc: tuple[Any, ...], errors: list[dict[str, Any]]) -> Any:
    before = len(errors)
    values: dict[str, Any] = {}
    for item, value in zip(model.fields, wire, strict=True):
        if value is ...:
            made = _default(item)
        else:
            made = _convert(item.type, value, (*loc, item.alias or item.name), errors)
        if made is not MISSING and made is not _BAD:
            values[item.name] = made
    if len(errors) > before:
        return _BAD
    if model.kind == "typeddict":
        return values
    return _validated(model, values, loc, errors)


def _default(item: Field) -> Any:
    return item.default if item.factory is None else item.factory()


def _validated(
    model: Model, values: dict[str, Any], loc: tuple[Any, ...], errors: list[dict[str, Any]]
) -> Any:
    before = len(errors)
    cls = model.cls
    validators = getattr(cls, "__struct_validators__", ())
    for fields, call in validators:
        for name in fields:
            if name not in values:
                continue
            try:
                values[name] = call(cls, values[name])
            except (ValueError, AssertionError) as exc:
                errors.append(_refusal(exc, (*loc, _alias(model, name)), values[name]))
    if len(errors) > before:
        return _BAD
    made = cls(**values)
    for fields, call in validators:
        if not fields:
            try:
                made = call(cls, made)
            except (ValueError, AssertionError) as exc:
                refused = getattr(exc, "__bolt_fields__", None)
                if refused is None:
                    errors.append(_refusal(exc, loc, values))
                for name, why in refused or ():
                    place = (*loc, _alias(model, name))
                    errors.append(_refusal(why, place, getattr(made, name)))
                return _BAD
    return made


def _alias(model: Model, name: str) -> str:
    return next((item.alias for item in model.fields if item.name == name), "") or name


def _refusal(exc: BaseException, loc: tuple[Any, ...], value: Any) -> dict[str, Any]:
    kind, words = ("value_error", "Value error")
    if isinstance(exc, AssertionError):
        kind, words = ("assertion_error", "Assertion failed")
    try:
        shown = to_plain(value)
    except (TypeError, ValueError):
        shown = None
    return {"type": kind, "loc": list(loc), "msg": f"{words}, {exc}", "input": shown}
