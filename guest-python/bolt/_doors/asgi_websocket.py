"""WebSockets of an ASGI app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..websockets import WebSocket, WebSocketDisconnect, WebSocketState
from .asgi_scope import websocket_scope
from .client_gone import ClientGone, is_of_leaving

__all__ = ["asgi_socket_handler"]


def asgi_socket_handler(app: Callable[..., Any]) -> Callable[[WebSocket], Any]:
    """The handler of all WebSockets of an ASGI app."""

    async def handle(websocket: WebSocket) -> None:
        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "websocket.close" and message.get("code", 0) is None:
                message = {**message, "code": 1000}
            try:
                await websocket.send(message)
            except WebSocketDisconnect:
                raise ClientGone from None

        try:
            await app(websocket_scope(websocket), websocket.receive, send)
        except Exception as exc:
            # What it raises for a client that is gone is no failure.
            if _is_over(websocket) and is_of_leaving(exc):
                raise WebSocketDisconnect(1006) from exc
            raise

    return handle


def _is_over(websocket: WebSocket) -> bool:
    over = WebSocketState.DISCONNECTED
    return websocket.client_state is over or websocket.application_state is over
