"""Whether the host can answer a route with a query of its own, and what it needs for that."""

from __future__ import annotations

from typing import Any

from .._routing.route import Route
from .operation import Operation

__all__ = ["query_of"]


def query_of(route: Route) -> dict[str, Any] | None:
    """The entry "query" of a route in the manifest; None if Python has to answer.

    The route is compiled.
    """
    operation: Any = route.handler
    if not isinstance(operation, Operation) or not _is_alone(route, operation):
        return None
    return operation.numbered({param.name: place for place, param in enumerate(route.params)})


def _is_alone(route: Route, operation: Operation) -> bool:
    """Whether nothing of the author runs before or after the handler."""
    plan, handlers = route.plan, route.context.exception_handlers
    return (
        plan.middleware is None
        # A lifespan may make the table.
        and not plan.lifespans
        and sum(1 for _ in plan.root.walk()) == 1
        and all(handlers.find(exc) is None for exc in operation.outcomes)
    )
