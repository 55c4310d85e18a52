"""Parameters whose value the SDK creates: `Request`, `WebSocket`, `BackgroundTasks` and others."""

from __future__ import annotations

from typing import Any

from .._errors import Unsupported
from ..background import BackgroundTasks
from ..requests import HTTPConnection, Request
from ..responses import Response
from ..websockets import WebSocket

__all__ = ["injected_kind"]

_KINDS: dict[Any, str] = {
    Request: "request",
    WebSocket: "websocket",
    HTTPConnection: "connection",
    BackgroundTasks: "background",
    Response: "response",
}


def injected_kind(annotation: Any, is_socket: bool) -> str | None:
    """The name of the injected object, by annotation; None for an ordinary parameter.

    is_socket: the route is a websocket route, whose "request" is the WebSocket. Raises Unsupported
    for what the route does not have.
    """
    try:
        kind = _KINDS.get(annotation)
    except TypeError:  # an unhashable annotation
        return None
    if kind == "request" and is_socket:
        raise Unsupported(_NO_REQUEST)
    if kind == "websocket" and not is_socket:
        raise Unsupported(_NO_SOCKET)
    return "request" if kind in ("websocket", "connection") else kind


_NO_REQUEST = (
    "a websocket route has a WebSocket and no Request; "
    "a dependency for both kinds of routes takes an HTTPConnection"
)
_NO_SOCKET = (
    "only a websocket route has a WebSocket; "
    "a dependency for both kinds of routes takes an HTTPConnection"
)
