"""`ConnectingLoop`: the methods of an event loop that connect to servers and resolve names."""

from __future__ import annotations

from typing import Any

from .._tcp import asyncio_connect as connecting
from .._tcp import names, watching
from .unsupported_loop import UnsupportedLoop

__all__ = ["ConnectingLoop"]


class ConnectingLoop(UnsupportedLoop):
    """A loop whose connections are those of the host. Names stand for themselves."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        return await connecting.connect(self, protocol_factory, *args, **options)

    async def start_tls(
        self, transport: Any, protocol: Any, sslcontext: Any, **options: Any
    ) -> Any:
        return await connecting.start_tls(transport, protocol, sslcontext, **options)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await connecting.sock_connect(sock, address)

    async def sock_recv(self, sock: Any, nbytes: int) -> bytes:
        return await connecting.sock_recv(sock, nbytes)

    async def sock_recv_into(self, sock: Any, buf: Any) -> int:
        return await connecting.sock_recv_into(sock, buf)

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        await connecting.sock_sendall(sock, data)

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        return names.getaddrinfo(host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        return names.getnameinfo(sockaddr, flags)

    def add_reader(  # type: ignore[override]
        self, fd: Any, callback: Any, *args: Any
    ) -> None:
        watching.watch(self, fd, "read", callback, args)

    def remove_reader(self, fd: Any) -> bool:
        return watching.unwatch(fd, "read")

    def add_writer(  # type: ignore[override]
        self, fd: Any, callback: Any, *args: Any
    ) -> None:
        watching.watch(self, fd, "write", callback, args)

    def remove_writer(self, fd: Any) -> bool:
        return watching.unwatch(fd, "write")
