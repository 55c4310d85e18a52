"""What stands around the handlers of an application, and holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .failures import ExceptionHandlers, Middleware
from .lifespan import Lifespan

__all__ = ["Surroundings"]


@dataclass(slots=True, eq=False)
class Surroundings:
    """The application, as its routes see it.

    app: what `request.app` is.
    life: its lifespan, or None.
    overrides: what is called in place of dependencies.
    """

    app: Any
    life: Lifespan | None = None
    failures: ExceptionHandlers = field(default_factory=ExceptionHandlers)
    middleware: Middleware = field(default_factory=Middleware)
    overrides: dict[Any, Callable[..., Any]] = field(default_factory=dict)
