"""What to write instead of a model or a row of SQLAlchemy or Django where neither can be sent.

The attributes that both have had for long are read, and neither package is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._schema.annotations import is_database_model

__all__ = ["advice_for", "instead_of_row", "sync_call"]

# The classes of the SDK whose `sync` has the same methods, and how an author calls their objects.
_WITH_SYNC = {"Database": "db", "Store": "store"}


def _is_row(value: Any) -> bool:
    """Whether it is a row of SQLAlchemy, which is also no tuple."""
    return isinstance(getattr(value, "_mapping", None), Mapping)


def advice_for(value: Any, place: str) -> str | None:
    """A clause for a value of a result that has no declared type; None for other values."""
    cls = type(value)
    if is_database_model(cls):
        name = cls.__qualname__
        return (
            f"{place} is an instance of the model {name}; declare the type of the result, "
            f"such as `-> {name}` or `-> list[{name}]`"
        )
    if instead_of_row(value):
        return (
            f"{place} is a row of instances; write `session.scalars(...)` instead of "
            "`session.execute(...)`, and declare the result, such as `-> list[Author]`"
        )
    if _is_row(value):
        return (
            f"{place} is a row of a query; declare the type of the result, such as "
            "`-> list[Author]` for a model Author, or return `row._asdict()`"
        )
    model: Any = getattr(value, "model", None)
    if hasattr(value, "query") and is_database_model(model):
        name = model.__qualname__
        return f"{place} is a query of the model {name}; declare the result `-> list[{name}]`"
    return None


def instead_of_row(value: Any) -> str:
    """A clause for a row that has instances and not their columns; "" for anything else."""
    row = value._mapping if _is_row(value) else value
    if isinstance(row, Mapping) and any(is_database_model(type(one)) for one in row.values()):
        return (
            ": a row of instances is no instance, so write `session.scalars(...)` "
            "instead of `session.execute(...)`"
        )
    return ""


def sync_call(qualname: str) -> str:
    """A clause that says how a `def` handler calls a method of a database or store, or ""."""
    cls, _, method = qualname.partition(".")
    name = _WITH_SYNC.get(cls)
    return f", or `{name}.sync.{method}(...)` in a `def` handler" if name and method else ""
