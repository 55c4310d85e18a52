"""What a framework finds out about a handler at its first call, found out before the snapshot.

FastAPI reads the source of a handler then, for errors that name its line. In a fresh interpreter
each call is a first one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

__all__ = ["know_handlers"]

_CHECKS = ("_is_gen_callable", "_is_async_gen_callable", "_is_coroutine_callable")


def know_handlers(app: Any) -> None:
    """Have the framework of an app learn what it will ask of its handlers. None is called."""
    if any(cls.__module__ == "fastapi.applications" for cls in type(app).__mro__):
        # These functions are FastAPI's own, and may change: without them it only takes longer.
        with suppress(Exception):
            for dependant in _dependants(app.routes):
                _know(dependant)


def _dependants(routes: Any) -> Iterator[Any]:
    """What the handlers of routes, also of included routers, depend on; the handlers as well."""
    all_of = getattr(sys.modules["fastapi.routing"], "iter_route_contexts", iter)
    left = [getattr(route, "dependant", None) for route in all_of(routes)]
    while left:
        dependant = left.pop()
        if dependant is not None:
            yield dependant
            left.extend(dependant.dependencies)


def _know(dependant: Any) -> None:
    if dependant.call is not None:
        sys.modules["fastapi.routing"]._extract_endpoint_context(dependant.call)
        for name in _CHECKS:
            getattr(sys.modules["fastapi.dependencies.models"], name)(dependant.call)
