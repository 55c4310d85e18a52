"""Finds where in a request the values are that validators or constructors rejected, for the 422.

They run inside compiled conversion code, which does not know where in the request it is. So
`explain` converts the request a second time, step by step, and collects every rejected value with
its location. Only rejected requests pay for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from .._adapters.adapter import Refusal
from .._dependencies.params import Param, field_name, spread_model
from .._schema.models import Field, Model, model_of
from .._schema.types import MISSING, Type
from .._serialization.deserialize import converter
from .._serialization.serialize_checked import to_plain
from .run_validators import validate_fields, validate_record

__all__ = ["explain"]


def explain(params: Sequence[Param], wire: tuple[Any, ...]) -> list[dict[str, Any]]:
    """The errors of all validators, in the format of FastAPI."""
    errors: list[dict[str, Any]] = []
    for param, value in zip(params, wire, strict=True):
        if value is ... or param.source in ("request", "stream"):
            continue
        place: tuple[Any, ...] = ("body" if param.source in ("form", "file") else param.source,)
        if not param.spread and not (param.source == "body" and _whole_body(params, param)):
            place = (*place, param.alias)
        if param.spread and param.type.kind != "adapted":
            _record(_as_sent(param), value, place, errors)
        else:
            _convert(param.type, value, place, errors)
    return errors


def _as_sent(param: Param) -> Model:
    """The record of a parameter that is spread, with the names that its fields have in requests."""
    model = spread_model(param)
    fields = tuple(replace(item, alias=field_name(param, item)) for item in model.fields)
    return replace(model, fields=fields)


def _whole_body(params: Sequence[Param], param: Param) -> bool:
    return not param.marker.embed and sum(one.source == "body" for one in params) == 1


_BAD: Any = object()


def _convert(kind: Type, wire: Any, loc: tuple[Any, ...], errors: list[dict[str, Any]]) -> Any:
    """The object, or _BAD when a validator rejected a value in it."""
    if kind.plain:
        return wire
    tag = kind.kind
    if tag == "adapted":
        found = kind.data.errors(wire)
        errors.extend(_told(one, loc) for one in found)
        # Nothing after it looks at the object.
        return _BAD if found else wire
    if tag == "ref":
        return _record(model_of(kind.data), wire, loc, errors)
    if tag == "union":
        arm, value = wire
        return _convert(kind.args[arm], value, _in_arm(kind, arm, loc), errors)
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


def _in_arm(kind: Type, arm: int, loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """The location in an arm of a union, which has the name of the record, as in the host."""
    chosen, others = kind.args[arm], [one for one in kind.args if one.kind != "none"]
    if len(others) < 2 or chosen.kind != "ref":
        return loc
    model = model_of(chosen.data)
    return (*loc, model.name if model.tag is None else model.tag[1])


def _container(tag: str) -> Callable[[list[Any]], Any]:
    if tag == "vartuple":
        return tuple
    return {"list": list, "set": set, "frozenset": frozenset}[tag]


def _record(model: Model, wire: Any, loc: tuple[Any, ...], errors: list[dict[str, Any]]) -> Any:
    before = len(errors)
    values: dict[str, Any] = {}
    given: dict[str, Any] = {}
    for item, value in zip(model.fields, wire, strict=True):
        if value is ...:
            made = _default(item)
        else:
            made = _convert(item.type, value, (*loc, item.alias or item.name), errors)
            given[item.alias or item.name] = made
        if made is not MISSING and made is not _BAD:
            values[item.name] = made
    if len(errors) > before:
        return _BAD
    if model.kind == "typeddict":
        return values
    absent = [
        item.name
        for item in model.fields
        if item.guarded and (item.alias or item.name) not in given
    ]
    return _validated(model, values, given, absent, loc, errors)


def _default(item: Field) -> Any:
    return item.default if item.factory is None else item.factory()


def _validated(
    model: Model,
    values: dict[str, Any],
    given: dict[str, Any],
    absent: list[str],
    loc: tuple[Any, ...],
    errors: list[dict[str, Any]],
) -> Any:
    """The record. `given`: what the request has of it, under the names there."""
    before = len(errors)
    cls = model.cls

    def refuse(name: str, value: Any, exc: BaseException) -> None:
        errors.append(_refusal(exc, (*loc, _alias(model, name)), value))

    if model.kind == "struct" and not cls.__struct_custom_init__:
        values.update(validate_fields(cls, values, absent, refuse))
        if len(errors) > before:
            return _BAD
    try:
        made = cls(**values)
        if model.kind == "struct":
            if cls.__struct_custom_init__:
                found = {name: getattr(made, name) for name in cls.__struct_fields__}
                for name, value in validate_fields(cls, found, absent, refuse).items():
                    setattr(made, name, value)
            made = made if len(errors) > before else validate_record(cls, made)
    except (ValueError, AssertionError) as exc:
        errors.append(_refusal(exc, loc, given))
    return _BAD if len(errors) > before else made


def _alias(model: Model, name: str) -> str:
    return next((item.alias for item in model.fields if item.name == name), "") or name


def _told(one: Refusal, loc: tuple[Any, ...]) -> dict[str, Any]:
    """An error of another package, as FastAPI sends it."""
    out = {"type": one.type, "loc": [*loc, *one.path], "msg": one.msg, "input": _shown(one.input)}
    if one.ctx is not None:
        # The exception of a validator is in it, of which FastAPI sends the attributes.
        out["ctx"] = {
            name: {} if isinstance(value, BaseException) else _shown(value)
            for name, value in one.ctx.items()
        }
    return out


def _shown(value: Any) -> Any:
    try:
        return to_plain(value)
    except (TypeError, ValueError):
        return None


def _refusal(exc: BaseException, loc: tuple[Any, ...], value: Any) -> dict[str, Any]:
    kind, words = ("value_error", "Value error")
    if isinstance(exc, AssertionError):
        kind, words = ("assertion_error", "Assertion failed")
    return {"type": kind, "loc": list(loc), "msg": f"{words}, {exc}", "input": _shown(value)}
