"""`Wire`: a blocking WebSocket client, with nothing but the standard library: RFC 6455."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import selectors
import socket
import struct
import threading
from http.client import HTTPResponse
from time import monotonic

__all__ = ["Refused", "Wire"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_FINAL, _MASKED = 0x80, 0x80
# What a connection ends with that breaks off.
_LOST = (1006, "")

Headers = list[tuple[bytes, bytes]]


class _Unbuffered:
    """A socket whose file reads no further than it is asked to."""

    def __init__(self, socket: socket.socket) -> None:
        self._socket = socket

    def makefile(self, mode: str) -> io.RawIOBase:
        """The file that `HTTPResponse` reads."""
        return self._socket.makefile("rb", buffering=0)


class Refused(Exception):
    """The server answers with another status than 101."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


class Wire:
    """A connection after the handshake.

    host, port: where to connect.
    target: the path and the query.
    headers: those of the request, besides what the handshake needs.
    timeout: the longest wait for the server, in seconds; None for no limit.

    timeout: the longest that `receive` waits.
    headers: those of the response.
    closed: the code and the reason of the end, once it has come.

    Raises Refused.
    """

    def __init__(
        self, host: str, port: int, target: str, headers: Headers, timeout: float | None
    ) -> None:
        self.closed: tuple[int, str] | None = None
        self.timeout = timeout
        self._is_closing = False
        self._buffer = bytearray()
        # The message of which some fragments have come.
        self._kind = 0
        self._parts: list[bytes] = []
        # Pongs are sent by the thread that receives.
        self._sending = threading.Lock()
        self._socket = socket.create_connection((host, port), timeout)
        try:
            self._shake_hands(target, headers)
        except BaseException:
            self._socket.close()
            raise
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)

    def _shake_hands(self, target: str, headers: Headers) -> None:
        key = base64.b64encode(os.urandom(16))
        lines = [b"GET " + target.encode("ascii") + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in headers]
        lines += [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"]
        lines += [b"Sec-WebSocket-Key: " + key, b"", b""]
        self._socket.sendall(b"\r\n".join(lines))
        response = HTTPResponse(_Unbuffered(self._socket), method="GET")  # type: ignore[arg-type]
        response.begin()
        self.headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in response.getheaders()
        ]
        if response.status != 101:
            response.fp = io.BufferedReader(response.fp)
            raise Refused(response.status, self.headers, response.read())
        accepted = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        if dict(self.headers).get(b"sec-websocket-accept") != accepted:
            raise ConnectionError("the server's answer is no handshake of a WebSocket")

    def send(self, data: str | bytes) -> None:
        """Send a message."""
        if isinstance(data, str):
            self._send(_TEXT, data.encode())
        else:
            self._send(_BINARY, bytes(data))

    def receive(self) -> str | bytes | None:
        """The next message, or None at the end.

        Raises TimeoutError when it has not come within the timeout. Pings do not prolong it.
        """
        deadline = None if self.timeout is None else monotonic() + self.timeout
        while self.closed is None:
            try:
                is_final, found, data = self._frame(deadline)
            except TimeoutError:
                raise
            except OSError:
                self._end(_LOST)
                break
            if found == _CLOSE:
                code = struct.unpack("!H", data[:2])[0] if data else 1005
                self._end((code, data[2:].decode()))
            elif found == _PING:
                self._send(_PONG, data)
            elif found != _PONG:
                self._kind = found or self._kind
                self._parts.append(data)
                if is_final:
                    whole = b"".join(self._parts)
                    self._parts.clear()
                    return whole.decode() if self._kind == _TEXT else whole
        return None

    def close(self, code: int, reason: str) -> None:
        """Say that no more messages will be sent. Those of the server may still be received."""
        if not self._is_closing:
            self._is_closing = True
            self._send(_CLOSE, struct.pack("!H", code) + reason.encode())

    def drop(self) -> None:
        """Close the connection."""
        self._selector.close()
        self._socket.close()

    def _end(self, closed: tuple[int, str]) -> None:
        if closed != _LOST:
            self.close(closed[0] if closed[0] != 1005 else 1000, "")
        self.closed = closed

    def _frame(self, deadline: float | None) -> tuple[bool, int, bytes]:
        """The next frame. Nothing of it is taken before all of it has come."""
        self._need(2, deadline)
        first, size = self._buffer[:2]
        start = {126: 4, 127: 10}.get(size, 2)
        self._need(start, deadline)
        if start > 2:
            size = int.from_bytes(self._buffer[2:start], "big")
        self._need(start + size, deadline)
        data = bytes(self._buffer[start : start + size])
        del self._buffer[: start + size]
        return bool(first & _FINAL), first & 0x0F, data

    def _need(self, size: int, deadline: float | None) -> None:
        while len(self._buffer) < size:
            # The timeout of the socket stays as it is: another thread may be sending.
            left = None if deadline is None else max(0, deadline - monotonic())
            if not self._selector.select(left):
                raise TimeoutError("the server has sent no message within the client's timeout")
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the connection broke off")
            self._buffer += data

    def _send(self, kind: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", _FINAL | kind, _MASKED | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", _FINAL | kind, _MASKED | 126, size)
        else:
            head = struct.pack("!BBQ", _FINAL | kind, _MASKED | 127, size)
        mask = os.urandom(4)
        repeated = (mask * (size // 4 + 1))[:size]
        masked = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
        try:
            with self._sending:
                self._socket.sendall(head + mask + masked.to_bytes(size, "big"))
        except TimeoutError:
            raise
        except OSError:
            # The server has closed the connection. What it has sent before can be received.
            self._is_closing = True
