"""The types of parameters, and what the host makes of those that another package checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from .._adapters.registry import adapter_for
from .._schema.annotations import type_of
from .._schema.constraints import checks_of, constrained
from .._schema.param_functions import Marker
from .._schema.types import ANY, Type

__all__ = ["declared_type", "sent_type"]


def declared_type(annotation: Any, metadata: list[Any]) -> Type:
    """The type of a parameter. Raises Unsupported.

    metadata: what its `Annotated` holds besides its marker.
    """
    adapter = adapter_for(Annotated[(annotation, *metadata)]) if metadata else None
    if adapter is None:
        kind = type_of(annotation)
        known = metadata
    else:
        kind = Type("adapted", (ANY,), adapter)
        # The package does not know the SDK's declarations.
        known = [extra for extra in metadata if isinstance(extra, Marker)]
    for extra in known:
        # The constraints of `Field` apply as those of `annotated_types` do.
        kind = constrained(kind, checks_of(extra))
    return kind


def sent_type(kind: Type, source: str, spread: bool, name_of: Callable[[str], str]) -> Type:
    """The type with what the host makes of its values.

    name_of: the name in the request of a field of a model that is spread.
    """
    if kind.kind != "adapted" or source in ("body", "file"):
        return kind
    if spread:
        # Most apps have no such models.
        from .._adapters.spread import spread_type

        return spread_type(kind.data, name_of)
    several = kind.data.shape == "sequence"
    return Type("adapted", (Type("list", (ANY,)) if several else ANY,), kind.data.of_texts())
