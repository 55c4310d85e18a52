"""Parameters that the SDK makes rather than the request: told by their annotation."""

from __future__ import annotations

from typing import Any

from .background import BackgroundTasks
from .request import Request
from .responses import Response

__all__ = ["special_kind"]

_KINDS: dict[Any, str] = {Request: "request", BackgroundTasks: "background", Response: "response"}


def special_kind(annotation: Any) -> str | None:
    """ "request", "background" or "response", or None for an ordinary parameter."""
    try:
        return _KINDS.get(annotation)
    except TypeError:  # an unhashable annotation
        return None
