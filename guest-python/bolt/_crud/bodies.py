"""The records that `POST` and `PATCH` take: the fields of a model, in which absent ones differ.

The default of a field that may be absent is `ABSENT`, which the host cannot send. So it sends
Ellipsis for such a field, and None for a null.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from .._schema.models import Field, hints_of, model_of
from .._schema.param_functions import Marker
from .._schema.types import MISSING
from .._struct.struct import Struct, StructMeta

__all__ = ["ABSENT", "create_body", "given_in", "update_body"]


class _Absent:
    """The type of ABSENT, so that it prints as a word."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final[Any] = _Absent()
"""The value of a field or a filter that a request does not have."""

# By class, key and operation: an app may have several paths over one model.
_MADE: dict[tuple[type, str, str], type[Struct]] = {}


def create_body(cls: type, key: str) -> type[Struct]:
    """The model without its key, if that has a default.

    A default of None is left to the database, whose own default may be another one.
    """
    items = {item.name: item for item in model_of(cls).fields}
    taken = {name: item for name, item in items.items() if name != key or item.required}
    defaults = {
        name: ABSENT if item.default is None else item.default for name, item in taken.items()
    }
    return _made(cls, key, "Create", taken, defaults)


def update_body(cls: type, key: str) -> type[Struct]:
    """The model without its key, with fields that may all be absent."""
    taken = {item.name: item for item in model_of(cls).fields if item.name != key}
    return _made(cls, key, "Update", taken, dict.fromkeys(taken, ABSENT))


def given_in(body: Any) -> dict[str, Any]:
    """The fields of a body that the request has, or that have a default."""
    values = {name: getattr(body, name) for name in body.__struct_fields__}
    return {name: value for name, value in values.items() if value is not ABSENT}


def _made(
    cls: type, key: str, what: str, taken: dict[str, Field], defaults: dict[str, Any]
) -> type[Struct]:
    found = _MADE.get((cls, key, what))
    if found is not None:
        return found
    hints = hints_of(cls)
    name = f"{cls.__name__}{what}"
    namespace: dict[str, Any] = {
        field: _marker(item, defaults[field]) for field, item in taken.items()
    }
    namespace.update(
        __annotations__={field: hints.get(field, Any) for field in taken},
        __module__=cls.__module__,
        __qualname__=name,
    )
    model: Any = cls
    made: Any = StructMeta(
        name, (Struct,), namespace, forbid_unknown=bool(getattr(model, "__struct_forbid__", False))
    )
    # Those of the record see the whole item, and run when there is one.
    checks = getattr(model, "__struct_validators__", ())
    made.__struct_validators__ = tuple(one for one in checks if one.fields)
    _MADE[cls, key, what] = made
    return made  # type: ignore[no-any-return]


def _marker(item: Field, default: Any) -> Marker:
    """The declaration of a field with another default, and with its name in requests."""
    marker = item.marker or Marker("")
    factory = None if default is ABSENT else item.factory
    checked = marker.validate_default and default is not ABSENT
    return replace(
        marker,
        default=MISSING if factory is not None else default,
        default_factory=factory,
        alias=item.alias or item.name,
        serialization_alias=None,
        validate_default=checked,
    )
