"""How far a WebSocket is, and the exceptions that say it is closed."""

from __future__ import annotations

from enum import Enum

__all__ = ["WebSocketDisconnect", "WebSocketDisconnected", "WebSocketState"]


class WebSocketState(Enum):
    """How far one side of a WebSocket is. RESPONSE: it is being refused with a response."""

    CONNECTING = 0
    CONNECTED = 1
    DISCONNECTED = 2
    RESPONSE = 3


class WebSocketDisconnect(Exception):
    """The WebSocket is closed: the client has closed it, is gone, or the host has closed it.

    code, reason: those of the one who closed it; 1006 if the connection is lost, and when something
        is sent to a client that is gone.
    """

    def __init__(self, code: int = 1000, reason: str | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason or ""


class WebSocketDisconnected(RuntimeError):
    """A WebSocket is used before it is accepted, or after it is closed."""


# A traceback names them by the path that an author imports them from.
for _public in (WebSocketState, WebSocketDisconnect, WebSocketDisconnected):
    _public.__module__ = "bolt.websockets"
