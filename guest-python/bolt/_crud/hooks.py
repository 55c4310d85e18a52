"""The methods of a class that `crud` decorates: they replace operations, or run around them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from .._callables import kind_of
from .._dependencies.params import hints_of_function, signature_of
from .._errors import Unsupported

__all__ = ["HOOKS", "Hooks", "unknown_hooks"]

HOOKS = ("create", "update", "delete")
"""The operations that may have a `before_` and an `after_`."""

_GIVEN = frozenset({"item", "changes"})


class Hooks:
    """The hooks of an operation.

    parameters: what they take of a request, as handlers do.
    """

    def __init__(self, cls: type, operation: str) -> None:
        self._cls = cls
        self.parameters: dict[str, inspect.Parameter] = {}
        self._taken: dict[str, tuple[str, ...]] = {}
        for name in (f"before_{operation}", f"after_{operation}"):
            method = getattr(cls, name, None)
            if method is not None:
                self._add(name, method)

    def __bool__(self) -> bool:
        return bool(self._taken)

    def _add(self, name: str, method: Any) -> None:
        if kind_of(method) not in ("def", "async"):
            raise Unsupported(f"{name} is a `def` or an `async def` that yields nothing")
        found = dict(list(signature_of(method).parameters.items())[1:])
        hints = hints_of_function(method, found)
        for one, given in found.items():
            if given.kind not in (given.POSITIONAL_OR_KEYWORD, given.KEYWORD_ONLY):
                raise Unsupported(f"the parameter {one!r} of {name} is not taken by name")
            if one not in _GIVEN:
                annotation = hints.get(one, given.empty)
                taken = given.replace(kind=given.KEYWORD_ONLY, annotation=annotation)
                self.parameters.setdefault(one, taken)
        self._taken[name] = tuple(found)

    def begin(self) -> Any:
        """The instance for a request."""
        return self._cls()

    async def run(self, view: Any, name: str, given: Mapping[str, Any], **own: Any) -> Any:
        """Call a hook, if there is one.

        given: what the handler has of the request.
        own: the item, and what changes in it.
        """
        taken = self._taken.get(name)
        if taken is None:
            return None
        values = {**given, **own}
        result = getattr(view, name)(**{one: values[one] for one in taken})
        return await result if inspect.isawaitable(result) else result


def unknown_hooks(cls: type, operations: Iterable[str]) -> list[str]:
    """The methods that look like hooks, and belong to no operation."""
    known = {f"{when}_{one}" for when in ("before", "after") for one in operations if one in HOOKS}
    return [
        name for name in vars(cls) if name.startswith(("before_", "after_")) and name not in known
    ]
