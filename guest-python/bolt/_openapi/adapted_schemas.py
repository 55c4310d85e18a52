"""Schemas that pydantic and msgspec make, which name their models together.

How a model is named depends on all of them: two of one name, or one that differs in responses. So
the document is made twice: the first time says which schemas it needs.
"""

from __future__ import annotations

import copy
from typing import Any

from .._adapters.adapter import Adapter

__all__ = ["AdaptedSchemas"]

_TEMPLATE = "#/components/schemas/{name}"


class AdaptedSchemas:
    """The schemas of adapters, and the components that they refer to.

    components: by their names; empty until they are made.
    """

    def __init__(self) -> None:
        self.components: dict[str, dict[str, Any]] = {}
        self._wanted: dict[tuple[int, bool], Adapter] = {}
        self._made: dict[tuple[int, bool], dict[str, Any]] = {}

    def of(self, adapter: Adapter, out: bool) -> dict[str, Any]:
        """The schema of values, in responses or not; an empty one before they are made."""
        key = (id(adapter), out)
        self._wanted[key] = adapter
        return copy.deepcopy(self._made.get(key, {}))

    def make(self) -> bool:
        """Make the schemas that were asked for. False if there are none."""
        by_class: dict[type[Adapter], list[tuple[tuple[int, bool], Adapter]]] = {}
        for key, adapter in self._wanted.items():
            by_class.setdefault(type(adapter), []).append((key, adapter))
        for cls, wanted in by_class.items():
            pairs = [(adapter, key[1]) for key, adapter in wanted]
            made, components = cls.schemas(pairs, _TEMPLATE)
            self._made.update(zip((key for key, _ in wanted), made, strict=True))
            self.components.update(components)
        for schema in (*self._made.values(), *self.components.values()):
            _without_null_defaults(schema)
        return bool(self._wanted)


def _without_null_defaults(schema: Any) -> None:
    """Omit defaults of None, as FastAPI does: that such a value may be absent is said elsewhere."""
    if isinstance(schema, dict):
        if "default" in schema and schema["default"] is None:
            del schema["default"]
        for value in schema.values():
            _without_null_defaults(value)
    elif isinstance(schema, list):
        for value in schema:
            _without_null_defaults(value)
