"""`TcpTransport`: a transport of asyncio over a socket of the sandbox, plain or with TLS.

The host calls after progress, and the transport then reads and writes as much as there is room for,
in a callback of the loop. TLS begins in place: the transport stays the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from . import host as hosts
from .connection import MOST, Connection
from .sockets import Socket
from .tls_options import TlsOptions

__all__ = ["TcpTransport"]

_HIGH = 64 * 1024
# Reads of one callback: other tasks run in between.
_READS = 16


class TcpTransport(asyncio.Transport):
    """A connection that is open, for a protocol.

    socket: has the connection, and is closed with the transport.
    """

    def __init__(self, loop: Any, socket: Socket, protocol: Any) -> None:
        connection = socket._held().opened()
        self._told = {
            "socket": socket,
            "peername": socket.getpeername(),
            "sockname": socket.getsockname(),
        }
        super().__init__(self._told)
        self._loop = loop
        self._socket = socket
        self._connection: Connection = connection
        self._context = copy_context()
        self._buffer = bytearray()
        self._high, self._low = _HIGH, _HIGH // 4
        self._is_paused = self._is_writer_paused = self._is_scheduled = False
        self._is_made = self._is_closing = self._is_lost = self._has_ended = False
        self._eof = self._has_sent_eof = False
        self._drained: asyncio.Future[None] | None = None
        # While TLS is begun, nothing is read or written.
        self._is_held = False
        self._is_tls = bool(connection.version)
        self.set_protocol(protocol)
        hosts.waiting.setdefault(connection.number, []).append(self._news)

    def __repr__(self) -> str:
        state = "closed" if self._is_lost else "closing" if self._is_closing else "open"
        return f"<{type(self).__name__} {state} {self._socket!r}>"

    def begin(self) -> None:
        """Tell the protocol, and start to read."""
        self._call(self._begin)

    def _begin(self) -> None:
        if self._is_lost:
            return
        self._is_made = True
        self._protocol.connection_made(self)
        self._schedule()

    def _call(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._loop.call_soon(function, *arguments, context=self._context)
        self._loop.rouse()

    def _schedule(self) -> None:
        if not self._is_scheduled and not self._is_lost:
            self._is_scheduled = True
            self._call(self._progress)

    def _news(self) -> None:
        """The connection has progressed. The loop runs after all news are told."""
        if not self._is_scheduled and not self._is_lost:
            self._is_scheduled = True
            self._loop.call_soon(self._progress, context=self._context)

    def _progress(self) -> None:
        self._is_scheduled = False
        if self._is_lost or self._is_held:
            return
        try:
            self._flush()
        except OSError as exc:
            self._lose(exc)
        try:
            self._read()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._complain("Fatal error: protocol.data_received() call failed.", exc)
            self._lose(exc)

    def _complain(self, message: str, exc: BaseException) -> None:
        told = {"message": message, "exception": exc}
        self._loop.call_exception_handler({**told, "transport": self, "protocol": self._protocol})

    # The protocol.

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol
        self._is_buffered = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> Any:
        return self._protocol

    # Reading.

    def is_reading(self) -> bool:
        return not self._is_closing and not self._is_paused

    def pause_reading(self) -> None:
        if not self._is_closing:
            self._is_paused = True

    def resume_reading(self) -> None:
        if self._is_paused and not self._is_closing:
            self._is_paused = False
            self._schedule()

    def _read(self) -> None:
        for _ in range(_READS):
            if self._is_paused or self._is_closing or self._has_ended or self._is_held:
                return
            try:
                data = self._connection.read(MOST)
            except OSError as exc:
                self._lose(exc)
                return
            if data is None:
                return
            if not data:
                self._end()
            elif self._is_buffered:
                self._deliver(data)
            else:
                self._protocol.data_received(data)
        self._schedule()

    def _deliver(self, data: bytes) -> None:
        """Give data to a protocol that has a buffer of its own."""
        rest = memoryview(data)
        while rest:
            buffer = self._protocol.get_buffer(len(rest))
            with memoryview(buffer) as given, given.cast("B") as room:
                if not room:
                    raise RuntimeError("get_buffer() returned an empty buffer")
                count = min(len(room), len(rest))
                room[:count] = rest[:count]
            self._protocol.buffer_updated(count)
            rest = rest[count:]

    def _end(self) -> None:
        self._has_ended = True
        # As in CPython, a protocol keeps a plain connection open after the server's end, or closes.
        if not self._protocol.eof_received() or self._is_tls:
            self.close()

    # Writing.

    def write(self, data: Any) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data: expecting a bytes-like instance, got {type(data).__name__}")
        if self._eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._is_lost or self._is_closing or not data:
            return
        with memoryview(data) as given, given.cast("B") as view:
            sent = 0
            if not self._buffer and not self._is_held:
                try:
                    sent = self._connection.write(view)
                except OSError as exc:
                    self._lose(exc)
                    return
            self._buffer += view[sent:]
        if len(self._buffer) > self._high and not self._is_writer_paused:
            self._is_writer_paused = True
            self._tell("pause_writing")

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def _flush(self) -> None:
        if self._buffer:
            with memoryview(self._buffer) as view:
                sent = self._connection.write(view)
            del self._buffer[:sent]
        if self._is_writer_paused and len(self._buffer) <= self._low:
            self._is_writer_paused = False
            self._tell("resume_writing")
        if self._buffer:
            return
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._is_closing:
            self._lose(None)
        elif self._eof and not self._has_sent_eof:
            self._has_sent_eof = True
            self._connection.shutdown()

    def _tell(self, name: str) -> None:
        """Call the protocol, whose errors end nothing."""
        try:
            getattr(self._protocol, name)()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._complain(f"protocol.{name}() failed", exc)

    def can_write_eof(self) -> bool:
        return not self._is_tls

    def write_eof(self) -> None:
        if self._is_tls:
            raise NotImplementedError("TLS has no end of one side")
        if not self._eof and not self._is_closing:
            self._eof = True
            self._schedule()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        high = (_HIGH if low is None else 4 * low) if high is None else high
        low = high // 4 if low is None else low
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    # The end.

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        if not self._buffer:
            self._call(self._lose, None)

    def abort(self) -> None:
        self._buffer.clear()
        self._is_closing = True
        self._call(self._lose, None)

    def _lose(self, exc: BaseException | None) -> None:
        """Close the connection and tell the protocol, once."""
        if self._is_lost:
            return
        self._is_lost = self._is_closing = True
        self._buffer.clear()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        calls = hosts.waiting.get(self._connection.number, [])
        if self._news in calls:
            calls.remove(self._news)
        if not calls:
            hosts.waiting.pop(self._connection.number, None)
        self._call(self._tell_lost, exc)

    def _tell_lost(self, exc: BaseException | None) -> None:
        try:
            if self._is_made:
                self._protocol.connection_lost(exc)
        finally:
            self._socket.close()

    # TLS.

    async def start_tls(
        self, options: TlsOptions, context: Any = None, timeout: float | None = None
    ) -> None:
        """Begin TLS, and return when the server has agreed. What fails closes the connection."""
        try:
            if self._buffer:
                self._drained = self._loop.create_future()
                await self._drained
            if self._is_lost or self._is_closing:
                raise ConnectionAbortedError("the connection was closed before TLS")
            self._is_held = True
            options.begin(self._connection)
            try:
                async with asyncio.timeout(timeout or 60.0):
                    await self._connection.until_opened()
            except TimeoutError as exc:
                if exc.errno is not None:
                    raise
                raise ConnectionAbortedError("the TLS handshake takes too long") from None
            options.check(self._connection)
        except BaseException as exc:
            self._is_held = False
            self._lose(exc if isinstance(exc, OSError) else None)
            raise
        self._is_held = False
        self._is_tls = True
        self._told["sslcontext"] = context if context is not None else True
        self._told["ssl_object"] = TlsInfo(self._connection)
        self._schedule()


class TlsInfo:
    """What was agreed on, as the `ssl_object` of a transport tells."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def version(self) -> str:
        """The version of TLS."""
        return self._connection.version

    def selected_alpn_protocol(self) -> str | None:
        """What was agreed on by ALPN."""
        return self._connection.protocol or None

    def getpeercert(self, binary_form: bool = False) -> bytes | None:
        """The certificate of the server (DER). Its parts are not to be had."""
        if not binary_form:
            raise NotImplementedError(
                "the certificate is not decoded in the sandbox: getpeercert(True) returns its bytes"
            )
        return self._connection.certificate() or None

    def cipher(self) -> None:
        """The host does not tell."""

    compression = cipher
