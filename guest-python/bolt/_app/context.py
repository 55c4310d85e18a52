"""`AppContext`: what an application applies to all its routes, and to those of mounted ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..requests import Request
from .exception_handling import ExceptionHandlers
from .lifespan import Lifespan
from .middleware import Middleware

__all__ = ["AppContext", "around_all"]


@dataclass(slots=True, eq=False)
class AppContext:
    """The state of an application that its routes read when they are compiled.

    A route refers to this object and not to the application, so that the modules do not import each
    other.

    app: the value of `request.app`.
    """

    app: Any
    lifespan: Lifespan | None = None
    exception_handlers: ExceptionHandlers = field(default_factory=ExceptionHandlers)
    middleware: Middleware = field(default_factory=Middleware)
    dependency_overrides: dict[Any, Callable[..., Any]] = field(default_factory=dict)


def around_all(contexts: tuple[AppContext, ...], status: int) -> Callable[..., Any] | None:
    """The middleware of nested applications, as `Middleware.around`; None if there is none.

    contexts: the outermost first. The request is that of the application whose middleware runs.
    """
    own = contexts[-1].app
    layers = [(one.app, one.middleware.around(status)) for one in contexts if one.middleware]
    if not layers:
        return None
    if layers[0][0] is own:
        return layers[0][1]

    async def around(request: Request, endpoint: Any) -> Any:
        async def inside(index: int, request: Request) -> Any:
            if index == len(layers):
                request.app = own
                return await endpoint(request)
            request.app, layer = layers[index]
            return await layer(request, lambda later: inside(index + 1, later))

        return await inside(0, request)

    return around
