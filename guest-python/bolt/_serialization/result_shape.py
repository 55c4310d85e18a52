"""`Shape`: which fields of a result are sent, and under which names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Shape", "below", "leaves_out", "picks"]


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


def picks(wanted: Any, name: str) -> bool:
    """Whether `include` has a field."""
    return wanted is None or name in wanted


def leaves_out(wanted: Any, name: str) -> bool:
    """Whether `exclude` has a whole field: `{"user": {"password"}}` excludes a part of it."""
    if wanted is None or name not in wanted:
        return False
    return not isinstance(wanted, Mapping) or wanted[name] in (True, ...)


def below(wanted: Any, name: str) -> Any:
    """The `include` or `exclude` for what is inside a field."""
    if not isinstance(wanted, Mapping):
        return None
    inner = wanted.get(name)
    return None if inner in (None, True, ...) else inner
