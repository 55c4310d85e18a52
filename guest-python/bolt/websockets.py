"""`WebSocket`: a connection with messages in both directions, which a websocket route handles.

    @api.websocket("/echo")
    async def echo(websocket: WebSocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

The names are those of `fastapi.websockets`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

from ._streams import progress
from ._topics import subscription
from ._websockets.endpoint import WebSocketEndpoint
from ._websockets.line import Line
from ._websockets.messages import (
    Message,
    Refusal,
    binary_message,
    check_mode,
    check_subprotocol,
    close_reason,
    header_pairs,
    json_message,
    offered,
    text_message,
)
from ._websockets.sleeping import SleepingSocket
from ._websockets.states import WebSocketDisconnect, WebSocketDisconnected, WebSocketState
from .exceptions import WebSocketException
from .requests import HTTPConnection
from .responses import PlainText, Response
from .topics import Topic, TopicError

__all__ = [
    "SleepingSocket",
    "WebSocket",
    "WebSocketDisconnect",
    "WebSocketDisconnected",
    "WebSocketEndpoint",
    "WebSocketState",
]

_NOT_ACCEPTED = 'WebSocket is not connected. Need to call "accept" first.'
_CLOSED = 'Cannot call "send" once a close message has been sent.'
_GONE = 'Cannot call "receive" once a disconnect message has been received.'


class WebSocket(HTTPConnection):
    """A WebSocket, or a request for one; see also `HTTPConnection`.

    client_state: CONNECTED from `accept` on, DISCONNECTED once the end of the connection has been
        received.
    application_state: CONNECTED from `accept` on, DISCONNECTED after `close`, a refusal, or a
        message that could not be sent.

    One task may send while another one receives.
    """

    _kind = "websocket"

    def __init__(self, wire: tuple[Any, ...], app: Any = None) -> None:
        super().__init__(wire, app)
        self._scheme = {"http": "ws", "https": "wss"}.get(self._scheme, self._scheme)
        self.client_state = WebSocketState.CONNECTING
        self.application_state = WebSocketState.CONNECTING
        self._line = Line(progress.current())
        # What the client gets instead of a WebSocket.
        self._refusal: Any = None
        self._started: Refusal | None = None

    @property
    def scope(self) -> dict[str, Any]:
        """A new ASGI scope of the request. Nothing reads changes to it."""
        return {
            **super().scope,
            "subprotocols": offered(self.headers),
            "extensions": {"websocket.http.response": {}},
        }

    async def accept(
        self,
        subprotocol: str | None = None,
        headers: Iterable[tuple[Any, Any]] | Mapping[str, str] | None = None,
    ) -> None:
        """Accept the request.

        subprotocol: one of those that the client offers in `scope["subprotocols"]`.
        headers: additional headers of the response, as pairs of bytes or str.

        Raises ValueError for another subprotocol, because the client would close the connection,
        and for headers that cannot be sent. Raises WebSocketDisconnect with 1013 if the app has as
        many WebSockets as it may have; the client then gets 503.
        """
        if self.application_state is not WebSocketState.CONNECTING:
            raise self._misplaced("websocket.accept")
        chosen, pairs = check_subprotocol(subprotocol, self.headers), header_pairs(headers)
        self.client_state = WebSocketState.CONNECTED
        if await self._line.accept(chosen, pairs):
            self.application_state = WebSocketState.CONNECTED
            return
        self.client_state = self.application_state = WebSocketState.DISCONNECTED
        self._refusal = PlainText("Service Unavailable", 503)
        raise WebSocketDisconnect(1013, "too many WebSockets")

    def join(self, topic: Topic) -> None:
        """From now on, the host sends the client the events of a topic, in between other messages.

        Data that is a str is sent as a text, and any other data as JSON. Nothing happens if the
        client is gone. Raises TopicError if the WebSocket has 16 topics or the app 1000, and
        RuntimeError before `accept` and after `close`.
        """
        if self._line.flow is None:
            raise WebSocketDisconnected(_NOT_ACCEPTED)
        if self._line.is_closed_here:
            raise WebSocketDisconnected(_CLOSED.replace("send", "join"))
        if not subscription.host("join").join(self._line.request, topic.name):
            raise TopicError(
                f"cannot join the topic {topic.name!r}: a WebSocket has at most 16 topics, "
                "and an app 1000"
            )

    def leave(self, topic: Topic) -> None:
        """The client gets no more events of a topic. Nothing happens if it has not joined it."""
        if self._line.flow is not None and not self._line.is_closed_here:
            subscription.host("leave").leave(self._line.request, topic.name)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close it, or refuse it with 403 before `accept`.

        code: 1000 to 1014 without those that are never sent (1004, 1005, 1006), or 3000 to 4999.
        reason: what the client is told, at most 123 bytes; what is longer is cut.

        Raises ValueError for another code, and RuntimeError if this side has closed it already.
        """
        said = close_reason(code, reason)
        if self.application_state is WebSocketState.CONNECTED:
            self._line.close(code, said, lingers=True)
        elif self.application_state is WebSocketState.CONNECTING:
            self._refusal = PlainText("", 403)
        else:
            raise self._misplaced("websocket.close")
        self.application_state = WebSocketState.DISCONNECTED

    async def send_denial_response(self, response: Response) -> None:
        """Refuse the request with a response, which is sent when the handler has ended."""
        if self.application_state is not WebSocketState.CONNECTING:
            raise self._misplaced("websocket.http.response.start")
        self.application_state = WebSocketState.DISCONNECTED
        self._refusal = response

    async def send_text(self, data: str) -> None:
        """Send a text. It waits while the client has not read enough of what was sent before.

        Raises WebSocketDisconnect if the client is gone.
        """
        await self._send(text_message(data))

    async def send_bytes(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; see `send_text`."""
        await self._send(binary_message(data))

    async def send_json(self, data: Any, mode: str = "text") -> None:
        """Send any value that a handler may return, as JSON; see `send_text`.

        mode: the kind of message, "text" or "binary".
        """
        await self._send(json_message(data, mode))

    async def _send(self, message: Message) -> None:
        if self.application_state is not WebSocketState.CONNECTED:
            raise self._misplaced("websocket.send")
        if not await self._line.send(*message):
            if self._line.is_closed_here:
                # By another task, while this one waited.
                raise WebSocketDisconnected(_CLOSED)
            self.application_state = WebSocketState.DISCONNECTED
            raise WebSocketDisconnect(1006)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message of ASGI, such as `{"type": "websocket.send", "text": "hello"}`."""
        kind = message["type"]
        if self._started is not None and self.application_state is WebSocketState.RESPONSE:
            if kind != "websocket.http.response.body":
                raise self._misplaced(kind)
            if self._started.add(message):
                self.application_state = WebSocketState.DISCONNECTED
                self._refusal = self._started.response()
        elif kind == "websocket.accept":
            await self.accept(message.get("subprotocol"), message.get("headers"))
        elif kind == "websocket.close":
            await self.close(message.get("code", 1000), message.get("reason"))
        elif kind == "websocket.send" and self.application_state is WebSocketState.CONNECTED:
            if message.get("text") is not None:
                await self.send_text(message["text"])
            else:
                await self.send_bytes(message["bytes"])
        elif kind == "websocket.http.response.start":
            await self.send_denial_response(Response())
            self.application_state = WebSocketState.RESPONSE
            self._started = Refusal(message)
        else:
            raise self._misplaced(kind)

    async def receive_text(self) -> str:
        """The next message, a text.

        Raises WebSocketDisconnect when the WebSocket is closed. For a message of the other kind, it
        raises WebSocketException, which closes the WebSocket with 1003 if nothing catches it.
        """
        data = await self._receive()
        if not isinstance(data, str):
            raise WebSocketException(1003, "a text message was expected")
        return data

    async def receive_bytes(self) -> bytes:
        """The next message, bytes; see `receive_text`."""
        data = await self._receive()
        if isinstance(data, str):
            raise WebSocketException(1003, "a binary message was expected")
        return data

    async def receive_json(self, mode: str = "text") -> Any:
        """The next message, parsed as JSON; see `receive_text`. Raises ValueError for other data.

        mode: the kind of message, "text" or "binary".
        """
        check_mode(mode)
        if mode == "text":
            return json.loads(await self.receive_text())
        return json.loads((await self.receive_bytes()).decode())

    async def _receive(self) -> str | bytes:
        # Also after a message that could not be sent, perhaps by another handler: there may be
        # messages that came before the end.
        if self._line.flow is None:
            raise WebSocketDisconnected(_NOT_ACCEPTED)
        if self.client_state is WebSocketState.DISCONNECTED:
            raise WebSocketDisconnected(_GONE)
        data = await self._line.receive()
        if isinstance(data, tuple):
            self.client_state = WebSocketState.DISCONNECTED
            raise WebSocketDisconnect(*data)
        return data

    async def receive(self) -> dict[str, Any]:
        """The next message of ASGI: "websocket.connect", "websocket.receive" or
        "websocket.disconnect".
        """
        if self.client_state is WebSocketState.CONNECTING:
            self.client_state = WebSocketState.CONNECTED
            return {"type": "websocket.connect"}
        if self.client_state is WebSocketState.DISCONNECTED:
            raise WebSocketDisconnected(_GONE)
        if self._line.flow is None:
            raise WebSocketDisconnected(_NOT_ACCEPTED)
        data = await self._line.receive()
        if isinstance(data, str):
            return {"type": "websocket.receive", "text": data}
        if isinstance(data, bytes):
            return {"type": "websocket.receive", "bytes": data}
        self.client_state = WebSocketState.DISCONNECTED
        return {"type": "websocket.disconnect", "code": data[0], "reason": data[1]}

    async def iter_text(self) -> AsyncGenerator[str]:
        """The messages, which are texts, until the WebSocket is closed."""
        try:
            while True:
                yield await self.receive_text()
        except WebSocketDisconnect:
            return

    async def iter_bytes(self) -> AsyncGenerator[bytes]:
        """The messages, which are bytes, until the WebSocket is closed."""
        try:
            while True:
                yield await self.receive_bytes()
        except WebSocketDisconnect:
            return

    async def iter_json(self) -> AsyncGenerator[Any]:
        """The messages, which are texts of JSON, until the WebSocket is closed."""
        try:
            while True:
                yield await self.receive_json()
        except WebSocketDisconnect:
            return

    def _misplaced(self, kind: str) -> RuntimeError:
        """The error for a message that cannot be sent in the current state."""
        if self.application_state is WebSocketState.DISCONNECTED:
            return WebSocketDisconnected(_CLOSED)
        expected = _EXPECTED[self.application_state]
        return RuntimeError(f"Expected ASGI message {expected}, but got {kind!r}")

    def __repr__(self) -> str:
        return f"<WebSocket {self._raw_path}>"


_EXPECTED = {
    WebSocketState.CONNECTING: '"websocket.accept", "websocket.close" or '
    '"websocket.http.response.start"',
    WebSocketState.CONNECTED: '"websocket.send" or "websocket.close"',
    WebSocketState.RESPONSE: '"websocket.http.response.body"',
}
