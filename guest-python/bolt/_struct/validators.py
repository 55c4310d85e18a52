"""`field_validator` and `model_validator`: checks that an application writes for its Structs.

They run after the host has checked types and constraints; see also `validation_errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

__all__ = ["ValidationInfo", "Validator", "field_validator", "model_validator", "validators_of"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ValidationInfo:
    """What a validator gets besides the value.

    field_name: the field that it validates.
    data: the values of the fields that the class declares before it.
    """

    field_name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Validator:
    """A method of a Struct that validates.

    name: that of the method; a subclass overrides it by this name.
    fields: the names of fields, or "*"; none for a validator of the record.
    call: of the class and the value, and of a ValidationInfo if `wants_info`.
    """

    name: str
    fields: tuple[str, ...]
    call: Callable[..., Any]
    wants_info: bool = False

    def checks(self, field: str) -> bool:
        """Whether it validates a field."""
        return field in self.fields or "*" in self.fields


def validators_of(namespace: dict[str, Any], inherited: Iterable[Validator]) -> list[Validator]:
    """The validators of a class, with those of its base that it does not override."""
    found = {validator.name: validator for validator in inherited}
    for name, value in namespace.items():
        function = getattr(value, "__func__", value)
        fields = getattr(function, "__bolt_validates__", None)
        if fields is not None:
            alone = not fields or isinstance(value, staticmethod)
            call = _without_class(function) if alone else function
            info = bool(fields) and _required(function) > (1 if alone else 2)
            found[name] = Validator(name, fields, call, info)
        elif name in found:
            del found[name]
    return list(found.values())


def _without_class(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda cls, *arguments: function(*arguments)


def field_validator(
    *fields: str, mode: Literal["after"] = "after"
) -> Callable[[_Function], _Function]:
    """Declares a method of a Struct that checks a field and returns its new value.

    The method takes the class and the value, and a `ValidationInfo` if it has a third parameter. A
    ValueError or a failed assertion becomes a 422. There is no mode "before", because the host has
    converted the values already.

    It does not run for a field that the request does not have, so it does not see the default,
    unless the field is declared with `Field(validate_default=True)`.

    fields: names; "*" for all.
    """
    _only_after(mode)
    if not fields or not all(isinstance(name, str) for name in fields):
        raise TypeError("field_validator names its fields: @field_validator('name')")

    def mark(function: _Function) -> _Function:
        target: Any = getattr(function, "__func__", function)
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


def _only_after(mode: str) -> None:
    if mode != "after":
        raise TypeError(
            f"a validator with mode={mode!r} is not supported: values are checked and converted "
            "by the host before Python sees them; use mode='after'"
        )
