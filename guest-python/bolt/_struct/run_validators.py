"""Runs the validators of a Struct, field by field in the order of the class."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from .._errors import ValidatorError
from .validators import ValidationInfo

__all__ = ["run_validators", "validate_fields", "validate_record"]


def run_validators(made: Any, absent: tuple[str, ...] = ()) -> Any:
    """Run the validators of a record. Raises ValidatorError from what they raise.

    absent: the fields that the request does not have.
    """
    cls = type(made)
    try:
        values = {name: getattr(made, name) for name in cls.__struct_fields__}
        for name, value in validate_fields(cls, values, absent, _raise).items():
            setattr(made, name, value)
        return validate_record(cls, made)
    except (ValueError, AssertionError) as exc:
        raise ValidatorError from exc


def _raise(name: str, value: Any, exc: BaseException) -> None:
    raise exc


def validate_fields(
    cls: Any,
    values: dict[str, Any],
    absent: Collection[str],
    refuse: Callable[[str, Any, BaseException], None],
) -> dict[str, Any]:
    """The values that the field validators return; `values` has all fields of the record.

    refuse: takes a rejected field, its value and the exception.
    """
    changed: dict[str, Any] = {}
    known: dict[str, Any] = {}
    for name, given in values.items():
        value = given
        try:
            for validator in () if name in absent else cls.__struct_validators__:
                if validator.checks(name):
                    info = (ValidationInfo(name, dict(known)),) if validator.wants_info else ()
                    value = changed[name] = validator.call(cls, value, *info)
        except (ValueError, AssertionError) as exc:
            refuse(name, given, exc)
        else:
            known[name] = value
    return changed


def validate_record(cls: Any, made: Any) -> Any:
    """The record that the validators of the record return."""
    for validator in cls.__struct_validators__:
        if not validator.fields:
            made = validator.call(cls, made)
    return made
