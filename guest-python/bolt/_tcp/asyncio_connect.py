"""What an event loop does with the host's connections, apart from the loop itself."""

from __future__ import annotations

import asyncio
import socket as standard
import sys
from collections.abc import Callable
from typing import Any

from .connection import Connection
from .names import getaddrinfo, plain_name
from .sockets import Socket, refused
from .tls_options import TlsOptions
from .transport import TcpTransport

__all__ = ["connect", "sock_connect", "sock_recv", "sock_recv_into", "sock_sendall", "start_tls"]


async def connect(
    loop: Any,
    protocol_factory: Callable[[], Any],
    host: Any = None,
    port: Any = None,
    *,
    ssl: Any = None,
    family: int = 0,
    proto: int = 0,
    flags: int = 0,
    sock: Any = None,
    local_addr: Any = None,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    happy_eyeballs_delay: float | None = None,
    interleave: int | None = None,
    all_errors: bool = False,
) -> tuple[TcpTransport, Any]:
    """`loop.create_connection`."""
    if not ssl:
        for name, value in (
            ("server_hostname", server_hostname),
            ("ssl_handshake_timeout", ssl_handshake_timeout),
            ("ssl_shutdown_timeout", ssl_shutdown_timeout),
        ):
            if value is not None:
                raise ValueError(f"{name} is only meaningful with ssl")
    elif server_hostname is None:
        if not host:
            raise ValueError("You must set server_hostname when using ssl without a host")
        server_hostname = host
    options = tls_options(ssl, server_hostname) if ssl else None
    if sock is None:
        if host is None and port is None:
            raise ValueError("host and port was not specified and no sock specified")
        if local_addr is not None:
            raise refused("local_addr")
        sock = await _connected(host, port, family, proto, flags, all_errors)
    else:
        if host is not None or port is not None:
            raise ValueError("host/port and sock can not be specified at the same time")
        _checked(sock)
    try:
        protocol = protocol_factory()
        transport = TcpTransport(loop, sock, protocol)
    except BaseException:
        sock.close()
        raise
    if options is not None:
        context = None if ssl is True else ssl
        await transport.start_tls(options, context, ssl_handshake_timeout)
    made = loop.create_future()
    transport.begin()
    loop.call_soon(_settle, made)
    try:
        # `connection_made` has been called when this returns.
        await made
    except BaseException:
        transport.close()
        raise
    return transport, protocol


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _connected(
    host: Any, port: Any, family: int, proto: int, flags: int, all_errors: bool
) -> Socket:
    """A socket that is connected."""
    found = getaddrinfo(host, port, family, standard.SOCK_STREAM, proto, flags)
    socket = Socket(found[0][0], found[0][1], found[0][2])
    socket.setblocking(False)
    try:
        await sock_connect(socket, found[0][4])
    except OSError as exc:
        socket.close()
        if all_errors:
            raise ExceptionGroup("create_connection failed", [exc]) from None
        raise
    except BaseException:
        socket.close()
        raise
    return socket


def _checked(sock: Any) -> Socket:
    """A socket of the sandbox. Raises TypeError or ValueError for others."""
    if not isinstance(sock, Socket):
        raise TypeError(f"a socket of the sandbox is expected, not {sock!r}")
    module: Any = sys.modules.get("ssl")
    if module is not None and isinstance(sock, module.SSLSocket):
        raise TypeError("Socket cannot be of type SSLSocket")
    return sock


def tls_options(ssl: Any, server_hostname: str | None) -> TlsOptions:
    """What the host is told, for True or an `ssl.SSLContext`."""
    if ssl is True:
        return TlsOptions(server_hostname or "", check_name=bool(server_hostname))
    if not hasattr(ssl, "tls_options"):
        raise TypeError(f"sslcontext is expected to be an instance of ssl.SSLContext, got {ssl!r}")
    if ssl.check_hostname and not server_hostname:
        raise ValueError("check_hostname requires server_hostname")
    options: TlsOptions = ssl.tls_options(plain_name(server_hostname) if server_hostname else None)
    return options


async def start_tls(
    transport: Any,
    protocol: Any,
    sslcontext: Any,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
) -> TcpTransport:
    """`loop.start_tls`. The transport that it returns is the same one."""
    if server_side:
        raise refused("TLS of a server")
    if sslcontext is True or not hasattr(sslcontext, "tls_options"):
        raise TypeError(
            f"sslcontext is expected to be an instance of ssl.SSLContext, got {sslcontext!r}"
        )
    if not isinstance(transport, TcpTransport):
        raise TypeError(f"transport {transport!r} is not supported by start_tls()")
    options = tls_options(sslcontext, server_hostname)
    transport.set_protocol(protocol)
    await transport.start_tls(options, sslcontext, ssl_handshake_timeout)
    return transport


# Sockets without a transport.


def _unblocking(sock: Any) -> Socket:
    if _checked(sock).gettimeout() != 0:
        raise ValueError("the socket must be non-blocking")
    return sock  # type: ignore[no-any-return]


async def sock_connect(sock: Any, address: Any) -> None:
    """`loop.sock_connect`."""
    endpoint = _unblocking(sock)._held()
    try:
        sock.connect(address)
    except BlockingIOError:
        connection = endpoint.connection
        if connection is None:
            raise
        try:
            await connection.until_opened()
        except OSError as exc:
            endpoint.fail(exc)
            endpoint.error = 0
            raise
        endpoint.is_open = True


def _connection(sock: Any) -> Connection:
    return _unblocking(sock)._held().opened()


async def sock_recv(sock: Any, size: int) -> bytes:
    """`loop.sock_recv`."""
    return await _connection(sock).receive(size)


async def sock_recv_into(sock: Any, buffer: Any) -> int:
    """`loop.sock_recv_into`."""
    with memoryview(buffer) as given, given.cast("B") as view:
        data = await _connection(sock).receive(len(view))
        view[: len(data)] = data
        return len(data)


async def sock_sendall(sock: Any, data: Any) -> None:
    """`loop.sock_sendall`."""
    await _connection(sock).send(data)
