"""`AppContext`: what an application applies to all its routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .exception_handling import ExceptionHandlers
from .lifespan import Lifespan
from .middleware import Middleware

__all__ = ["AppContext"]


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
