"""`Socket`: the class `socket.socket` of the sandbox. It connects, and does nothing else."""

from __future__ import annotations

import errno
import io
import socket as standard
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, NoReturn

from . import endpoint as endpoints
from .connection import MOST, Connection, deadline_of
from .endpoint import Endpoint
from .errors import system_error
from .names import checked_port, plain_name

__all__ = ["Socket"]

_FAMILIES = (standard.AF_INET, standard.AF_INET6)
_FLAGS = getattr(standard, "SOCK_NONBLOCK", 0) | getattr(standard, "SOCK_CLOEXEC", 0)
_ANYWHERE = ("", "0.0.0.0", "::")
_KINDS = {
    getattr(standard, "AF_UNIX", -2): "sockets of a path (AF_UNIX)",
    getattr(standard, "AF_NETLINK", -2): "sockets of the kernel (AF_NETLINK)",
}
# What is set there is of no effect, and changes nothing that a program could see. Timeouts would.
_LEVELS = (standard.SOL_SOCKET, standard.IPPROTO_TCP, standard.IPPROTO_IP, standard.IPPROTO_IPV6)
_TIMEOUTS = tuple(
    getattr(standard, name) for name in ("SO_RCVTIMEO", "SO_SNDTIMEO") if hasattr(standard, name)
)


def refused(what: str) -> OSError:
    """The exception for what a socket of the sandbox does not do."""
    return OSError(
        errno.EOPNOTSUPP,
        f"{what}: the sockets of the sandbox connect to servers over TCP, and nothing else",
    )


class Socket:
    """A TCP socket over a connection of the host, with the methods of CPython's."""

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        self._closed = False
        self._io_refs = 0
        self._timeout = standard.getdefaulttimeout()
        self._family = standard.AF_INET if family == -1 else family
        self._proto = max(proto, 0)
        self._fileno = -1
        if fileno is not None:
            self._endpoint = endpoints.adopt(fileno)
            self._fileno = fileno
            return
        kind = standard.SOCK_STREAM if type == -1 else int(type) & ~_FLAGS
        if kind != standard.SOCK_STREAM:
            raise refused("UDP" if kind == standard.SOCK_DGRAM else f"sockets of type {kind}")
        if self._family not in _FAMILIES:
            raise refused(_KINDS.get(self._family, f"sockets of family {self._family}"))
        if type != -1 and int(type) & getattr(standard, "SOCK_NONBLOCK", 0):
            self._timeout = 0.0
        self._endpoint = Endpoint()
        self._fileno = endpoints.add(self._endpoint)

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *args: object) -> None:
        if not self._closed:
            self.close()

    def __repr__(self) -> str:
        closed = "[closed] " if self._closed else ""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        found = f"<{name} {closed}fd={self.fileno()}, family={int(self._family)}"
        connection = self._endpoint.connection
        if self._fileno != -1 and connection is not None and connection.peer:
            found += f", laddr={self.getsockname()}, raddr={self.getpeername()}"
        return found + ">"

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    @property
    def family(self) -> standard.AddressFamily:
        return standard.AddressFamily(self._family)

    @property
    def type(self) -> standard.SocketKind:
        return standard.SOCK_STREAM

    @property
    def proto(self) -> int:
        return self._proto

    @property
    def timeout(self) -> float | None:
        return self._timeout

    def _held(self) -> Endpoint:
        if self._fileno == -1:
            raise system_error(errno.EBADF)
        return self._endpoint

    @contextmanager
    def _waiting(self, flags: int = 0) -> Iterator[float | None]:
        """The deadline of what has to wait; what does not block raises BlockingIOError."""
        without = self._timeout == 0 or flags & getattr(standard, "MSG_DONTWAIT", 0)
        try:
            yield monotonic() if without else deadline_of(self._timeout)
        except TimeoutError as exc:
            if without and exc.errno is None:
                raise system_error(errno.EAGAIN) from None
            raise

    # How long it waits.

    def settimeout(self, value: float | None) -> None:
        if value is not None:
            value = float(value)
            if not value >= 0:
                raise ValueError("Timeout value out of range")
        self._timeout = value

    def gettimeout(self) -> float | None:
        return self._timeout

    def setblocking(self, flag: bool) -> None:
        self._timeout = None if flag else 0.0

    def getblocking(self) -> bool:
        return self._timeout != 0

    # Opening and closing.

    def connect(self, address: Any) -> None:
        endpoint = self._held()
        name, port = self._target(address)
        endpoint.progress()
        if endpoint.connection is not None:
            raise system_error(errno.EISCONN if endpoint.is_open else errno.EALREADY)
        if endpoint.error:
            error, endpoint.error = endpoint.error, 0
            raise system_error(error)
        endpoint.connection = connection = Connection(name, port)
        try:
            if self._timeout == 0 and not connection.opened():
                raise system_error(errno.EINPROGRESS)
            connection.block_opened(deadline_of(self._timeout))
        except BlockingIOError:
            raise
        except BaseException as exc:
            endpoint.fail(exc if isinstance(exc, OSError) else OSError())
            endpoint.error = 0
            raise
        endpoint.is_open = True

    def connect_ex(self, address: Any) -> int:
        try:
            self.connect(address)
        except standard.gaierror:
            raise
        except TimeoutError as exc:
            return exc.errno or errno.EAGAIN
        except OSError as exc:
            if exc.errno is None:
                raise
            return exc.errno
        return 0

    def _target(self, address: Any) -> tuple[str, int]:
        if not isinstance(address, tuple) or len(address) < 2:
            raise TypeError(f"an address is a tuple (host, port), not {address!r}")
        return plain_name(address[0]), checked_port(address[1])

    def close(self) -> None:
        self._closed = True
        if self._io_refs <= 0:
            self._real_close()

    def _real_close(self) -> None:
        number, self._fileno = self._fileno, -1
        if number != -1:
            endpoints.release(number, self._endpoint)

    def _decref_socketios(self) -> None:
        if self._io_refs > 0:
            self._io_refs -= 1
        if self._closed:
            self.close()

    def __del__(self) -> None:
        if getattr(self, "_fileno", -1) != -1:
            # Another socket may have the connection, which is closed when nothing refers to it.
            self._endpoint.holders -= 1

    def detach(self) -> int:
        number, self._fileno = self._fileno, -1
        self._closed = True
        if number != -1:
            endpoints.give_up(number, self._endpoint)
        return number

    def dup(self) -> Socket:
        endpoint = self._held()
        copy = type(self)(self._family, self.type, self._proto, endpoints.add(endpoint))
        endpoint.holders -= 1
        copy.settimeout(self._timeout)
        return copy

    def shutdown(self, how: int) -> None:
        endpoint = self._held()
        connection = endpoint.opened()
        if how in (standard.SHUT_RD, standard.SHUT_RDWR):
            endpoint.is_deaf = True
        if how in (standard.SHUT_WR, standard.SHUT_RDWR):
            connection.shutdown()

    # What it is.

    def fileno(self) -> int:
        return self._fileno

    def getpeername(self) -> tuple[Any, ...]:
        return endpoints.address(self._held().opened().peer)

    def getsockname(self) -> tuple[Any, ...]:
        endpoint = self._held()
        if endpoint.is_open and endpoint.connection is not None:
            return endpoints.address(endpoint.connection.local)
        return ("0.0.0.0", 0) if self._family == standard.AF_INET else ("::", 0, 0, 0)

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        endpoint = self._held()
        if level == standard.SOL_SOCKET and option == standard.SO_ERROR:
            endpoint.progress()
            error, endpoint.error = endpoint.error, 0
            return error
        if level == standard.SOL_SOCKET and option == standard.SO_TYPE:
            return int(standard.SOCK_STREAM)
        return endpoint.options.get((level, option), bytes(size) if size else 0)

    def setsockopt(self, level: int, option: int, value: Any, length: int = 0) -> None:
        if level not in _LEVELS or (level == standard.SOL_SOCKET and option in _TIMEOUTS):
            raise OSError(errno.ENOPROTOOPT, "this option is not there: `settimeout` sets timeouts")
        self._held().options[level, option] = value

    def get_inheritable(self) -> bool:
        return False

    def set_inheritable(self, inheritable: bool) -> None:
        """Ignore it: there are no processes."""

    # Reading.

    def recv(self, size: int, flags: int = 0) -> bytes:
        if size < 0:
            raise ValueError("negative buffersize in recv")
        return self._receive(size, flags)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            if nbytes < 0 or nbytes > len(view):
                raise ValueError("buffer too small, or a negative size, in recv_into")
            data = self._receive(nbytes or len(view), flags)
            view[: len(data)] = data
            return len(data)

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Any]:
        return self.recv(size, flags), None

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        return self.recv_into(buffer, nbytes, flags), None

    def _receive(self, size: int, flags: int) -> bytes:
        endpoint = self._held()
        connection = endpoint.opened()
        if endpoint.is_deaf or not size:
            return b""
        with self._waiting(flags) as deadline:
            if flags & standard.MSG_PEEK:
                while not connection.look():
                    connection.block(deadline)
                # What a read would raise is raised by this one, which takes nothing.
                return connection.ahead(size) or connection.block_receive(size)
            data = connection.block_receive(size, deadline)
            if flags & getattr(standard, "MSG_WAITALL", 0):
                while data and len(data) < size:
                    more = connection.block_receive(size - len(data), deadline)
                    if not more:
                        break
                    data += more
        return data

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        reads, writes = "r" in mode or "w" not in mode, "w" in mode
        if not set(mode) <= set("rwb"):
            raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
        if buffering == 0 and "b" not in mode:
            raise ValueError("unbuffered streams must be binary")
        owner: Any = self
        raw = standard.SocketIO(owner, ("rw" if writes else "r") if reads else "w")
        self._io_refs += 1
        if buffering == 0:
            return raw
        size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
        buffered: Any
        if reads and writes:
            buffered = io.BufferedRWPair(raw, raw, size)
        else:
            buffered = io.BufferedReader(raw, size) if reads else io.BufferedWriter(raw, size)
        if "b" in mode:
            return buffered
        text = io.TextIOWrapper(buffered, encoding, errors, newline)
        text.mode = mode  # type: ignore[misc]
        return text

    # Writing.

    def send(self, data: Any, flags: int = 0) -> int:
        connection = self._held().opened()
        with (
            memoryview(data) as given,
            given.cast("B") as view,
            self._waiting(flags) as deadline,
        ):
            return connection.block_send(view, deadline)

    def sendall(self, data: Any, flags: int = 0) -> None:
        connection = self._held().opened()
        with (
            memoryview(data) as given,
            given.cast("B") as view,
            self._waiting(flags) as deadline,
        ):
            sent = 0
            while sent < len(view):
                sent += connection.block_send(view[sent:], deadline)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        if self._timeout == 0:
            raise ValueError("non-blocking sockets are not supported")
        file.seek(offset)
        sent = 0
        while count is None or sent < count:
            data = file.read(MOST if count is None else min(MOST, count - sent))
            if not data:
                break
            self.sendall(data)
            sent += len(data)
        return sent

    _sendfile_use_send = sendfile

    def sendto(self, data: Any, *rest: Any) -> NoReturn:
        raise refused("sendto")

    # What a server does.

    def bind(self, address: Any) -> None:
        """Accept an address that means any, because it changes nothing."""
        if not isinstance(address, tuple) or address[0] not in _ANYWHERE or address[1]:
            raise refused(f"bind to {address!r}")

    def listen(self, backlog: int = 0) -> NoReturn:
        raise refused("listen")

    def accept(self) -> NoReturn:
        raise refused("accept")
