"""Sockets without a transport on the loop of an instance, over a fake host with real sockets."""

import asyncio
import socket as native
from collections.abc import Callable
from typing import Any

import pytest
from tcpfake import TcpHost, host, run
from tcpservers import closed_port, echo, server

from bolt._tcp.sockets import Socket

__all__ = ["host", "run"]

Run = Callable[..., Any]


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def test_sockets_on_the_loop(host: TcpHost, run: Run) -> None:
    async def main(port: int) -> None:
        loop = asyncio.get_running_loop()
        host.grant("db.test", port)
        (found,) = await loop.getaddrinfo("db.test", port, type=native.SOCK_STREAM)
        assert await loop.getnameinfo(("db.test", port)) == ("db.test", str(port))
        with Socket() as s:
            with pytest.raises(ValueError, match="non-blocking"):
                await loop.sock_connect(s, found[4])
            s.setblocking(False)
            await loop.sock_connect(s, found[4])
            await loop.sock_sendall(s, b"hello")
            assert await loop.sock_recv(s, 3) == b"hel"
            buffer = bytearray(10)
            assert await loop.sock_recv_into(s, buffer) == 2
        refused = closed_port()
        host.grant("db.test", refused)
        with Socket() as s:
            s.setblocking(False)
            with pytest.raises(ConnectionRefusedError):
                await loop.sock_connect(s, ("db.test", refused))

    with server(echo) as port:
        run(main(port))


def test_a_socket_becomes_a_stream_and_another_one(host: TcpHost, run: Run) -> None:
    """As aiomysql begins TLS: over a copy of the socket of the first stream."""

    async def main(port: int) -> None:
        host.grant("db.test", port)
        s = Socket()
        s.settimeout(5)
        s.connect(("db.test", port))
        reader, writer = await asyncio.open_connection(sock=s)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        copy = writer.get_extra_info("socket").dup()
        await ended(writer)
        reader, writer = await asyncio.open_connection(sock=copy)
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"
        await ended(writer)

    with server(echo) as port:
        run(main(port))


def test_readers_and_writers(host: TcpHost, run: Run) -> None:
    async def main(port: int) -> None:
        loop = asyncio.get_running_loop()
        host.grant("db.test", port)
        with Socket() as s:
            s.setblocking(False)
            assert s.connect_ex(("db.test", port)) != 0
            opened_now = loop.create_future()

            def write() -> None:
                loop.remove_writer(s)
                opened_now.set_result(s.getsockopt(native.SOL_SOCKET, native.SO_ERROR))

            loop.add_writer(s, write)
            assert await opened_now == 0
            got = []
            all_read = loop.create_future()

            def read(size: int) -> None:
                # It is called again for what is left.
                got.append(s.recv(size))
                if sum(map(len, got)) == 10:
                    all_read.set_result(None)

            loop.add_reader(s.fileno(), read, 3)
            await asyncio.sleep(0.01)
            assert got == []
            s.send(b"0123456789")
            await all_read
            assert b"".join(got) == b"0123456789" and len(got) >= 4
            assert loop.remove_reader(s) and not loop.remove_reader(s)
            loop.add_reader(s, read, 1)
        # It ends with the socket.
        await asyncio.sleep(0.01)

    with server(echo) as port:
        run(main(port))
