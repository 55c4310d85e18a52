"""`WebSocketTestSession`: a WebSocket of the test client, with the methods of Starlette's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import httpx

from ..websockets import WebSocketDisconnect
from .websocket_wire import Refused, Wire

__all__ = ["WebSocketDenialResponse", "WebSocketTestSession"]

# Of a response that accepts, what is not from the handler.
_HANDSHAKE = frozenset({b"connection", b"upgrade", b"date", b"server"})
_FAILED = 1011


class WebSocketDenialResponse(httpx.Response, WebSocketDisconnect):  # type: ignore[misc]
    """The response to a request that the application, or the host, did not accept."""

    code = 1006
    reason = ""


class WebSocketTestSession:
    """A WebSocket, which is open in a `with` block.

    request: the request for it, as httpx has built it.
    raise_failure: raises what the log of the server says about a response, if it says something.

    accepted_subprotocol: the one that the handler has accepted, or None.
    extra_headers: the headers of the response that are not part of the handshake.
    response: the response that accepts.
    """

    def __init__(
        self,
        request: httpx.Request,
        timeout: float | None,
        raise_failure: Callable[[httpx.Response], None],
    ) -> None:
        self.accepted_subprotocol: str | None = None
        self.extra_headers: list[tuple[bytes, bytes]] | None = None
        self._request = request
        self._timeout = timeout
        self._raise_failure = raise_failure

    def __enter__(self) -> WebSocketTestSession:
        request = self._request
        headers = [pair for pair in request.headers.raw if pair[0].lower() != b"connection"]
        url = request.url
        if url.scheme != "http":
            raise ValueError(f"the test client connects to http:// addresses, not to {url}")
        try:
            target = url.raw_path.decode("ascii")
            self._wire = Wire(url.host, url.port or 80, target, headers, self._timeout)
        except Refused as refused:
            response = WebSocketDenialResponse(
                refused.status, headers=refused.headers, content=refused.body, request=request
            )
            if refused.status == 500:
                self._raise_failure(response)
            raise response from None
        self.response = httpx.Response(101, headers=self._wire.headers, request=request)
        self.accepted_subprotocol = self.response.headers.get("sec-websocket-protocol")
        self.extra_headers = [
            pair
            for pair in self._wire.headers
            if pair[0] not in _HANDSHAKE and not pair[0].startswith(b"sec-websocket-")
        ]
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            with contextlib.suppress(TimeoutError):
                self._wire.close(1000, "")
                while self._wire.receive() is not None:
                    pass
        finally:
            self._wire.drop()
        if exc[0] is None:
            self._check_end()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message of ASGI: "websocket.receive" or "websocket.disconnect"."""
        if message["type"] == "websocket.disconnect":
            self.close(message.get("code", 1000), message.get("reason"))
        else:
            text = message.get("text")
            self._wire.send(message["bytes"] if text is None else text)

    def send_text(self, data: str) -> None:
        """Send a text."""
        self._wire.send(data)

    def send_bytes(self, data: bytes) -> None:
        """Send bytes."""
        self._wire.send(data)

    def send_json(self, data: Any, mode: str = "text") -> None:
        """Send a value as JSON. mode: the kind of message, "text" or "binary"."""
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        self._wire.send(text if mode == "text" else text.encode())

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close it. What the server sends until it has read this can still be received."""
        self._wire.close(code, reason or "")

    def receive(self) -> dict[str, Any]:
        """The next message of ASGI: "websocket.send" or "websocket.close".

        Raises HandlerError if the handler has failed, and TimeoutError when none comes within the
        timeout of the client.
        """
        data = self._wire.receive()
        if data is None:
            self._check_end()
            code, reason = self._wire.closed or (1006, "")
            return {"type": "websocket.close", "code": code, "reason": reason}
        return {"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data}

    def receive_text(self) -> str:
        """The next message, a text.

        Raises WebSocketDisconnect when it is closed, KeyError for bytes, and as `receive` does.
        """
        text: str = self._message()["text"]
        return text

    def receive_bytes(self) -> bytes:
        """The next message, bytes; see `receive_text`."""
        data: bytes = self._message()["bytes"]
        return data

    def receive_json(self, mode: str = "text") -> Any:
        """The next message, parsed as JSON; see `receive_text`."""
        return json.loads(self.receive_text() if mode == "text" else self.receive_bytes())

    def _message(self) -> dict[str, Any]:
        message = self.receive()
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message["code"], message["reason"])
        return message

    def _check_end(self) -> None:
        if self._wire.closed is not None and self._wire.closed[0] == _FAILED:
            self._raise_failure(self.response)
