"""Runs the validators of a Struct, field by field in the order of the class."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from .._errors import ValidatorError
from .validators import ValidationInfo, Validator

__all__ = ["run_validators", "validate_fields", "validate_record"]


# Of a class: its validated fields, each with its validators in order. Classes live as long as the
# program, so entries are never removed.
_Plan = list[tuple[str, list[Validator]]]
_PLANS: dict[type, _Plan] = {}


def _plan(cls: Any) -> _Plan:
    made = []
    for name in cls.__struct_fields__:
        checks = [validator for validator in cls.__struct_validators__ if validator.checks(name)]
        if checks:
            made.append((name, checks))
    _PLANS[cls] = made
    return made


def run_validators(made: Any, absent: tuple[str, ...] = ()) -> Any:
    """Run the validators of a record. Raises ValidatorError from what the first of them raises.

    absent: the fields that the request does not have.
    """
    cls = type(made)
    try:
        plan = _PLANS.get(cls)
        for name, validators in _plan(cls) if plan is None else plan:
            if name in absent:
                continue
            value = getattr(made, name)
            for validator in validators:
                if validator.wants_info:
                    value = validator.call(cls, value, ValidationInfo(name, _before(made, name)))
                else:
                    value = validator.call(cls, value)
            setattr(made, name, value)
        return validate_record(cls, made)
    except (ValueError, AssertionError) as exc:
        raise ValidatorError from exc


def _before(made: Any, name: str) -> dict[str, Any]:
    """The fields that the class declares before one."""
    names = type(made).__struct_fields__
    return {other: getattr(made, other) for other in names[: names.index(name)]}


def validate_fields(
    cls: Any,
    values: dict[str, Any],
    absent: Collection[str],
    refuse: Callable[[str, Any, BaseException], None],
) -> dict[str, Any]:
    """As `run_validators` for the fields, but it goes on after one is rejected.

    Returns the values that changed. `values` has all fields of the record.

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
