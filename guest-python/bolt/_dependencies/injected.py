"""Parameters whose value the SDK creates: `Request`, `WebSocket`, `BackgroundTasks` and others."""

from __future__ import annotations

from typing import Any, Literal

from .._errors import Unsupported
from ..background import BackgroundTasks
from ..requests import HTTPConnection, Request
from ..responses import Response
from ..websockets import SleepingSocket, WebSocket

__all__ = ["RouteKind", "injected_kind"]

RouteKind = Literal["http", "socket", "sleeper"]
"""Of a websocket route, a function has "socket" and a WebSocketEndpoint "sleeper"."""

_KINDS: dict[Any, str] = {
    Request: "request",
    WebSocket: "websocket",
    SleepingSocket: "sleeping",
    HTTPConnection: "connection",
    BackgroundTasks: "background",
    Response: "response",
}


def injected_kind(annotation: Any, route: RouteKind) -> str | None:
    """The name of the injected object, by annotation; None for an ordinary parameter.

    route: the kind of route; "request" is its Request, WebSocket or SleepingSocket. Raises
        Unsupported for what the route does not have.
    """
    try:
        kind = _KINDS.get(annotation)
    except TypeError:  # an unhashable annotation
        return None
    if kind in _OWN and kind != _OWN_OF[route]:
        raise Unsupported(f"{_REFUSALS[route, kind]}; {_FOR_BOTH}")
    return "request" if kind in _OWN or kind == "connection" else kind


_OWN_OF = {"http": "request", "socket": "websocket", "sleeper": "sleeping"}
_OWN = frozenset(_OWN_OF.values())
_FOR_BOTH = "a dependency for both kinds of routes takes an HTTPConnection"
_ONLY_ENDPOINT = "only a WebSocketEndpoint has a SleepingSocket"
_REFUSALS = {
    ("http", "websocket"): "only a websocket route has a WebSocket",
    ("http", "sleeping"): _ONLY_ENDPOINT,
    ("socket", "request"): "a websocket route has a WebSocket and no Request",
    ("socket", "sleeping"): _ONLY_ENDPOINT,
    ("sleeper", "request"): "a WebSocketEndpoint has a SleepingSocket and no Request",
    ("sleeper", "websocket"): "a WebSocketEndpoint has a SleepingSocket and no WebSocket",
}
