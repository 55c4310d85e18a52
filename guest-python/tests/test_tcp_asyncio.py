"""Connections of asyncio on the loop of an instance, over a fake host with real sockets."""

import asyncio
import socket as native
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tcpfake import Guest, TcpHost, host, run
from tcpservers import closed_port, echo, server

from bolt._tcp import host as hosts
from bolt._tcp.sockets import Socket

__all__ = ["host", "run"]

Run = Callable[..., Any]


async def opened(host: TcpHost, port: int, **options: Any) -> Any:
    host.grant("db.test", port)
    return await asyncio.open_connection("db.test", port, **options)


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


# Streams.


def test_streams(host: TcpHost, run: Run) -> None:
    async def main(port: int) -> None:
        reader, writer = await opened(host, port)
        writer.write(b"one\ntwo\n")
        await writer.drain()
        assert await reader.readline() == b"one\n"
        assert await reader.readexactly(4) == b"two\n"
        assert writer.get_extra_info("peername") == ("127.0.0.1", port)
        assert isinstance(writer.get_extra_info("socket"), Socket)
        assert writer.get_extra_info("ssl_object") is None
        assert writer.can_write_eof() and writer.transport.is_reading()
        writer.write_eof()
        assert await reader.read() == b""
        await ended(writer)
        assert "closed" in repr(writer.transport)

    with server(echo) as port:
        run(main(port))
    assert not host.lines


def test_more_than_anybody_holds(host: TcpHost, run: Run) -> None:
    data = bytes(range(256)) * 20_000

    async def main(port: int) -> None:
        reader, writer = await opened(host, port)

        async def send() -> None:
            for at in range(0, len(data), 100_000):
                writer.write(data[at : at + 100_000])
                await writer.drain()
                assert writer.transport.get_write_buffer_size() <= 65536
            writer.write_eof()

        sending = asyncio.ensure_future(send())
        assert await reader.read() == data
        await sending
        await ended(writer)

    with server(echo) as port:
        run(main(port))


def test_a_slow_reader_stops_the_server(host: TcpHost, run: Run) -> None:
    total = 4_000_000

    def much(spoken: native.socket) -> None:
        spoken.sendall(bytes(total))

    async def main(port: int) -> None:
        reader, writer = await opened(host, port, limit=10_000)
        while writer.transport.is_reading():
            await asyncio.sleep(0.001)
        held = len(next(iter(host.lines.values())).inbox) + len(reader._buffer)
        assert held < 400_000
        assert len(await reader.read()) == total
        await ended(writer)

    with server(much) as port:
        run(main(port))


def test_many_connections_on_one_loop(host: TcpHost, run: Run) -> None:
    async def one(port: int, number: int) -> bytes:
        reader, writer = await opened(host, port)
        for step in range(5):
            writer.write(b"%d:%d\n" % (number, step))
            answer = await reader.readline()
            assert answer == b"%d:%d\n" % (number, step)
        await ended(writer)
        return answer

    async def main(port: int) -> None:
        answers = await asyncio.gather(*(one(port, number) for number in range(80)))
        assert answers == [b"%d:4\n" % number for number in range(80)]

    with server(echo, times=80) as port:
        run(main(port))


# The end.


def test_a_write_before_close_arrives(host: TcpHost, run: Run) -> None:
    got = []
    go = threading.Event()

    def collects(spoken: native.socket) -> None:
        go.wait(20)
        while data := spoken.recv(65536):
            got.append(data)

    async def main(port: int) -> None:
        _, writer = await opened(host, port)
        writer.write(b"x" * 3_000_000)
        assert writer.transport.get_write_buffer_size() > 0
        go.set()
        await ended(writer)
        while host.closing:
            host.turn(1)

    with server(collects) as port:
        run(main(port))
    assert len(b"".join(got)) == 3_000_000


def test_abort_and_cancel(host: TcpHost, run: Run) -> None:
    go = threading.Event()

    async def main(port: int) -> None:
        reader, writer = await opened(host, port)
        writer.write(bytes(5_000_000))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await writer.drain()
        task = asyncio.ensure_future(reader.read(1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        writer.transport.abort()
        await writer.wait_closed()
        assert not host.lines
        go.set()

    with server(lambda spoken: go.wait(20)) as port:
        run(main(port))


def test_a_connect_that_is_cancelled(host: TcpHost, run: Run) -> None:
    async def main() -> None:
        # Nobody answers there.
        host.grant("db.test", 81, "192.0.2.1")
        task = asyncio.ensure_future(asyncio.open_connection("db.test", 81))
        await asyncio.sleep(0.01)
        if task.done():
            task.exception()
            return
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert not host.lines and not hosts.waiting


def test_what_fails(host: TcpHost, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(PermissionError, match=r"--allow-tcp secret\.test:1"):
            await asyncio.open_connection("secret.test", 1)
        port = closed_port()
        host.grant("db.test", port)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("db.test", port)
        with pytest.raises(ExceptionGroup):
            await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, "db.test", port, all_errors=True
            )
        loop = asyncio.get_running_loop()
        for options in (
            {},
            {"host": "a", "port": 1, "server_hostname": "a"},
            {"host": "a", "port": 1, "sock": Socket()},
            {"sock": Socket(), "ssl": True},
        ):
            with pytest.raises(ValueError):
                await loop.create_connection(asyncio.Protocol, **options)
        with pytest.raises(TypeError, match="a socket of the sandbox"):
            await loop.create_connection(asyncio.Protocol, sock=object())
        with pytest.raises(TypeError, match=r"ssl\.SSLContext"):
            await loop.create_connection(asyncio.Protocol, "a", 1, ssl=object())
        with pytest.raises(OSError, match="local_addr"):
            await loop.create_connection(asyncio.Protocol, "a", 1, local_addr=("a", 1))

    run(main())


def test_a_server_that_breaks_off(host: TcpHost, run: Run) -> None:
    def breaks(spoken: native.socket) -> None:
        spoken.recv(1)
        spoken.setsockopt(native.SOL_SOCKET, native.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    async def main(port: int) -> None:
        reader, writer = await opened(host, port)
        writer.write(b"ab")
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        with pytest.raises(ConnectionResetError):
            await ended(writer)

    with server(breaks) as port:
        run(main(port))


# Protocols.


class Notes(asyncio.Protocol):
    """Notes its calls."""

    keeps = False

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.is_lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.notes.append("made")

    def data_received(self, data: bytes) -> None:
        self.notes.append(data)

    def eof_received(self) -> bool:
        self.notes.append("eof")
        return self.keeps

    def pause_writing(self) -> None:
        self.notes.append("pause")

    def resume_writing(self) -> None:
        self.notes.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.notes.append(("lost", exc))
        self.is_lost.set_result(None)


def test_what_a_protocol_hears(host: TcpHost, run: Run) -> None:
    go = threading.Event()

    def takes_all(spoken: native.socket) -> None:
        spoken.sendall(b"hi")
        go.wait(20)
        count = 0
        while data := spoken.recv(1 << 20):
            count += len(data)
        assert count == 3_000_000

    async def main(port: int) -> None:
        host.grant("db.test", port)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Notes, "db.test", port)
        assert protocol.notes[0] == "made" and transport.get_protocol() is protocol
        transport.set_write_buffer_limits(high=1000)
        assert transport.get_write_buffer_limits() == (250, 1000)
        with pytest.raises(ValueError, match="must be >= low"):
            transport.set_write_buffer_limits(high=1, low=2)
        transport.writelines([bytes(1_000_000), bytes(2_000_000)])
        assert protocol.notes[-1] == "pause"
        go.set()
        while "resume" not in protocol.notes:
            await asyncio.sleep(0.001)
        with pytest.raises(TypeError):
            transport.write("a")
        transport.write(b"")
        transport.write_eof()
        with pytest.raises(RuntimeError):
            transport.write(b"a")
        await protocol.is_lost
        notes = protocol.notes
        assert notes.index("pause") < notes.index("resume") < notes.index("eof")
        assert b"hi" in notes and notes[-1] == ("lost", None)
        transport.close()
        transport.abort()

    with server(takes_all) as port:
        run(main(port))


class Keeping(Notes):
    """Keeps the connection when the server has ended its side."""

    keeps = True


def test_one_side_may_stay_open(host: TcpHost, run: Run) -> None:
    def ends_first(spoken: native.socket) -> None:
        spoken.shutdown(native.SHUT_WR)
        assert spoken.recv(10) == b"later"

    async def main(port: int) -> None:
        host.grant("db.test", port)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Keeping, "db.test", port)
        while "eof" not in protocol.notes:
            await asyncio.sleep(0.001)
        assert not transport.is_closing()
        transport.write(b"later")
        transport.close()
        await protocol.is_lost

    with server(ends_first) as port:
        run(main(port))


def test_a_protocol_with_a_buffer_of_its_own(host: TcpHost, run: Run) -> None:
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.got = bytearray()
            self.room = bytearray(3)

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.room

        def buffer_updated(self, nbytes: int) -> None:
            self.got += self.room[:nbytes]

    async def main(port: int) -> None:
        host.grant("db.test", port)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Buffered, "db.test", port)
        transport.write(b"0123456789")
        while len(protocol.got) < 10:
            await asyncio.sleep(0.001)
        assert protocol.got == b"0123456789"
        transport.close()

    with server(echo) as port:
        run(main(port))


def test_a_protocol_that_raises_loses_its_connection(host: TcpHost) -> None:
    class Broken(Notes):
        def data_received(self, data: bytes) -> None:
            raise KeyError("broken")

    async def main(port: int) -> None:
        host.grant("db.test", port)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Broken, "db.test", port)
        transport.write(b"a")
        await protocol.is_lost
        assert isinstance(protocol.notes[-1][1], KeyError)

    guest = Guest(host)
    with server(echo) as port:
        guest.run(main(port))
    (told,) = guest.complaints
    assert "data_received() call failed" in told and "KeyError: 'broken'" in told
