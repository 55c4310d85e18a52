"""`_SSLSocket`: TLS of one socket, below `ssl.SSLSocket` of the standard library.

TLS is on the host's connection, so what is read and written here is what the socket itself would
read and write.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any
from weakref import ref

from .connection import Connection, deadline_of
from .errors import system_error
from .tls_errors import SSLWantReadError, SSLWantWriteError

if TYPE_CHECKING:
    from .tls_options import TlsOptions

__all__ = ["TlsSocket"]


class TlsSocket:
    """TLS of one socket.

    context: its settings, at the moment in which TLS is begun.
    """

    session: Any = None
    session_reused = False
    owner: Any = None
    server_side = False

    def __init__(self, context: Any, sock: Any, server_hostname: str | None) -> None:
        self.context = context
        self.server_hostname = server_hostname
        self._socket = ref(sock)
        self._options: TlsOptions | None = None
        self._is_done = False

    def _connection(self) -> Connection:
        socket = self._socket()
        if socket is None:
            raise system_error(errno.EBADF)
        connection: Connection = socket._held().opened()
        return connection

    def _timeout(self) -> float | None:
        socket: Any = self._socket()
        timeout: float | None = socket.gettimeout()
        return timeout

    def do_handshake(self) -> None:
        """Begin TLS, and wait until the server has agreed."""
        if self._is_done:
            return
        connection, timeout = self._connection(), self._timeout()
        if self._options is None:
            options: TlsOptions = self.context.tls_options(self.server_hostname)
            options.begin(connection)
            self._options = options
        if timeout == 0 and not connection.opened():
            raise SSLWantReadError(2, "The operation did not complete (read)")
        try:
            connection.block_opened(deadline_of(timeout))
        except TimeoutError as exc:
            if exc.errno is None:
                raise TimeoutError("The handshake operation timed out") from None
            raise
        self._is_done = True
        self._options.check(connection)

    def read(self, size: int, buffer: Any = None) -> Any:
        """Read at most `size` bytes, into a buffer if there is one."""
        self.do_handshake()
        connection, timeout = self._connection(), self._timeout()
        if buffer is not None:
            with memoryview(buffer) as given, given.cast("B") as view:
                size = min(size, len(view)) if size > 0 else len(view)
                data = self._read(connection, size, timeout)
                view[: len(data)] = data
                return len(data)
        if size < 0:
            raise ValueError("size should not be negative")
        return self._read(connection, size, timeout) if size else b""

    def _read(self, connection: Connection, size: int, timeout: float | None) -> bytes:
        if timeout == 0:
            data = connection.read(size)
            if data is None:
                raise SSLWantReadError(2, "The operation did not complete (read)")
            return data
        try:
            return connection.block_receive(size, deadline_of(timeout))
        except TimeoutError as exc:
            if exc.errno is None:
                raise TimeoutError("The read operation timed out") from None
            raise

    def write(self, data: Any) -> int:
        """Write some bytes; returns how many."""
        self.do_handshake()
        connection, timeout = self._connection(), self._timeout()
        with memoryview(data) as given, given.cast("B") as view:
            if timeout == 0:
                count = connection.write(view)
                if not count and len(view):
                    raise SSLWantWriteError(3, "The operation did not complete (write)")
                return count
            try:
                return connection.block_send(view, deadline_of(timeout))
            except TimeoutError as exc:
                if exc.errno is None:
                    raise TimeoutError("The write operation timed out") from None
                raise

    def pending(self) -> int:
        """How many bytes can be read without waiting."""
        if not self._is_done:
            return 0
        connection = self._connection()
        connection.look()
        return connection.count_ahead()

    def shutdown(self) -> Any:
        """End TLS, and with it what is sent: nothing follows in plain text."""
        self._connection().shutdown()
        return self._socket()

    # What was agreed on.

    def version(self) -> str | None:
        return self._connection().version if self._is_done else None

    def selected_alpn_protocol(self) -> str | None:
        return (self._connection().protocol or None) if self._is_done else None

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The certificate of the server (DER). Its parts are not to be had."""
        if not self._is_done:
            raise ValueError("handshake not done yet")
        if binary_form:
            return self._connection().certificate() or None
        if self._options is not None and not self._options.verify:
            return {}
        raise NotImplementedError(
            "the host has checked the certificate, which is not decoded in the sandbox: "
            "getpeercert(True) returns its bytes"
        )

    def _nothing(self, *args: Any) -> None:
        """The host does not tell."""

    cipher = shared_ciphers = compression = get_channel_binding = group = _nothing
    get_verified_chain = get_unverified_chain = selected_npn_protocol = _nothing

    def verify_client_post_handshake(self) -> None:
        raise NotImplementedError("TLS of a server is not in the sandbox: nothing can listen")
