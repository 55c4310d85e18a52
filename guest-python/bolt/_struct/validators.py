"""`field_validator` and `model_validator`: checks that an application writes for its Structs.

They run after the host has checked types and constraints; see also `validation_errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Literal, TypeVar

__all__ = ["ValidationInfo", "field_validator", "model_validator"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ValidationInfo:
    """What a validator gets besides the value.

    field_name: the field that it validates.
    data: the values of the fields that the class declares before it.
    """

    field_name: str
    data: dict[str, Any]


def field_validator(
    *fields: str, mode: Literal["after"] = "after"
) -> Callable[[_Function], _Function]:
    """Declares a method of a Struct that checks a field and returns its new value.

    The method takes the class and the value, and a `ValidationInfo` if it has a third parameter. A
    ValueError or a failed assertion becomes a 422. There is no mode "before", because the host has
    converted the values already.

    fields: names; "*" for all. A validator of "*" or with a ValidationInfo runs after the other
        field validators, in order with the model validators.
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
    """Declares a method of a Struct that checks the record and returns `self`."""
    _only_after(mode)

    def mark(function: _Function) -> _Function:
        target: Any = getattr(function, "__func__", function)
        target.__bolt_validates__ = ()
        return function

    return mark


def _required(function: Any) -> int:
    """The number of required arguments of a function."""
    code = getattr(function, "__code__", None)
    return 0 if code is None else code.co_argcount - len(function.__defaults__ or ())


def _one_by_one(
    function: Any, fields: tuple[str, ...], alone: bool, wants_info: bool
) -> Callable[[Any], Any]:
    """A model validator that calls the field validator `function` for each of `fields`.

    Its exception has the attribute `__bolt_fields__`: the rejected fields, each with its exception.
    """

    def validate(record: Any) -> Any:
        cls = type(record)
        names = cls.__struct_fields__
        rejected: list[tuple[str, BaseException]] = []
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
                rejected.append((name, exc))
        if rejected:
            first: Any = rejected[0][1]
            first.__bolt_fields__ = rejected
            raise first
        return record

    update_wrapper(validate, function)
    vars(validate)["__bolt_validates__"] = ()
    return validate


def _only_after(mode: str) -> None:
    if mode != "after":
        raise TypeError(
            f"a validator with mode={mode!r} is not supported: values are checked and converted "
            "by the host before Python sees them; use mode='after'"
        )
