"""Parameters whose value the SDK creates: `Request`, `BackgroundTasks` and `Response`."""

from __future__ import annotations

from typing import Any

from ..background import BackgroundTasks
from ..requests import Request
from ..responses import Response

__all__ = ["injected_kind"]

_KINDS: dict[Any, str] = {Request: "request", BackgroundTasks: "background", Response: "response"}


def injected_kind(annotation: Any) -> str | None:
    """The name of the injected object, by annotation; None for an ordinary parameter."""
    try:
        return _KINDS.get(annotation)
    except TypeError:  # an unhashable annotation
        return None
