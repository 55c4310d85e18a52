"""`WebSocketEndpoint`: a class whose methods are called for the events of a socket that sleeps."""

from __future__ import annotations

__all__ = ["WebSocketEndpoint"]


class WebSocketEndpoint:
    """A WebSocket that sleeps: between two messages only the host has it, and no interpreter.

        @api.websocket("/feed/{room}")
        class Feed(WebSocketEndpoint):
            async def on_connect(self, socket: SleepingSocket, room: str) -> None:
                socket.attachment = {"room": room}
                socket.join(news)

            async def on_message(self, socket: SleepingSocket, message: str) -> None:
                await news.publish({"room": socket.attachment["room"], "text": message})

            async def on_disconnect(self, socket: SleepingSocket, code: int, reason: str) -> None:
                ...

    Each method may be missing, and is a `def` or an `async def`. `on_connect` has the parameters of
    a websocket handler; when it has ended, the WebSocket is open, unless it was refused. The others
    have only these parameters. The annotation of the message says what it may be: `str`, `bytes`,
    both, or any type that a body may have, which is read from JSON.

    Each call has a new object of the class, perhaps in another interpreter, or of a later version
    of the app. So nothing that is set on `self` is there in the next call, but the attachment is.
    The calls for a WebSocket are made one after the other.
    """
