"""TLS of asyncio on the loop of an instance, over a fake host with real sockets and real TLS."""

import asyncio
import socket as native
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tcpfake import TcpHost, host, run
from tcpservers import AUTHORITY, echo, server, server_context

from bolt._tcp.tls_context import TlsContext
from bolt._tcp.tls_errors import SSLCertVerificationError, SSLError
from bolt._tcp.transport import TcpTransport

__all__ = ["host", "run"]

Run = Callable[..., Any]


def tls_context(*protocols: str) -> Any:
    """A context of the sandbox that trusts the authority of the tests."""
    made = TlsContext(16)
    made.load_verify_locations(AUTHORITY)
    made._set_alpn_protocols(b"".join(bytes([len(p)]) + p.encode() for p in protocols))
    return made


async def opened(host: TcpHost, port: int, **options: Any) -> Any:
    host.grant("db.test", port)
    return await asyncio.open_connection("db.test", port, **options)


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def test_tls_from_the_beginning(host: TcpHost, run: Run) -> None:
    async def main(port: int) -> None:
        reader, writer = await opened(host, port, ssl=tls_context("pg", "h2"))
        writer.write(b"x" * 300_000)
        assert await reader.readexactly(300_000) == b"x" * 300_000
        told = writer.get_extra_info("ssl_object")
        assert told.version() == "TLSv1.3" and told.selected_alpn_protocol() == "h2"
        assert told.getpeercert(True).startswith(b"\x30\x82") and told.cipher() is None
        with pytest.raises(NotImplementedError):
            told.getpeercert()
        assert not writer.can_write_eof()
        with pytest.raises(NotImplementedError):
            writer.write_eof()
        await ended(writer)
        (options,) = host.tls
        assert options["server_name"] == "db.test" and options["verify"] and options["check_name"]
        assert not options["roots"] and "BEGIN CERTIFICATE" in options["ca"]

    with server(echo, server_context("h2")) as port:
        run(main(port))


def test_tls_without_a_context_trusts_the_roots_of_the_host(host: TcpHost, run: Run) -> None:
    def fails(spoken: native.socket) -> None:
        with pytest.raises(OSError):
            server_context().wrap_socket(spoken, server_side=True)

    async def main(port: int) -> None:
        with pytest.raises(SSLCertVerificationError):
            await opened(host, port, ssl=True)
        (options,) = host.tls
        assert options == {
            "server_name": "db.test",
            "verify": True,
            "check_name": True,
            "roots": True,
            "ca": None,
            "alpn": [],
        }

    with server(fails) as port:
        run(main(port))


def test_another_name_is_refused(host: TcpHost, run: Run) -> None:
    def fails(spoken: native.socket) -> None:
        with pytest.raises(OSError):
            server_context().wrap_socket(spoken, server_side=True)

    async def main(port: int) -> None:
        with pytest.raises(SSLCertVerificationError, match=r"other\.test"):
            await opened(host, port, ssl=tls_context(), server_hostname="other.test")

    with server(fails) as port:
        run(main(port))


def test_tls_begins_later(host: TcpHost, run: Run) -> None:
    def starts(spoken: native.socket) -> None:
        assert spoken.recv(100) == b"STARTTLS\n"
        spoken.sendall(b"ready\n")
        with server_context().wrap_socket(spoken, server_side=True) as safe:
            echo(safe)

    async def main(port: int) -> None:
        reader, writer = await opened(host, port)
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"ready\n"
        loop = asyncio.get_running_loop()
        for wrong in (True, object()):
            with pytest.raises(TypeError):
                await loop.start_tls(writer.transport, asyncio.Protocol(), wrong)
        with pytest.raises(TypeError, match="not supported"):
            await loop.start_tls(asyncio.Transport(), asyncio.Protocol(), tls_context())
        with pytest.raises(ValueError, match="check_hostname"):
            await loop.start_tls(writer.transport, asyncio.Protocol(), tls_context())
        await writer.start_tls(tls_context(), server_hostname="db.test")
        writer.write(b"safe")
        assert await reader.readexactly(4) == b"safe"
        assert isinstance(writer.transport, TcpTransport)
        assert writer.get_extra_info("sslcontext") is not None
        await ended(writer)

    with server(starts) as port:
        run(main(port))


def test_tls_that_does_not_come(host: TcpHost, run: Run) -> None:
    go = threading.Event()

    async def main(port: int) -> None:
        with pytest.raises(ConnectionAbortedError, match="takes too long"):
            await opened(host, port, ssl=tls_context(), ssl_handshake_timeout=0.05)
        go.set()

    with server(lambda spoken: go.wait(20)) as port:
        run(main(port))


def test_a_server_without_tls(host: TcpHost, run: Run) -> None:
    async def main(port: int) -> None:
        with pytest.raises(SSLError):
            await opened(host, port, ssl=tls_context())

    with server(lambda spoken: spoken.sendall(b"HTTP/1.1 400 no\r\n\r\n" * 10)) as port:
        run(main(port))


def test_a_protocol_hears_nothing_of_tls_that_fails(host: TcpHost, run: Run) -> None:
    heard = []

    class Notes(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            heard.append("made")

        def connection_lost(self, exc: Exception | None) -> None:
            heard.append("lost")

    async def main(port: int) -> None:
        host.grant("db.test", port)
        loop = asyncio.get_running_loop()
        with pytest.raises(SSLError):
            await loop.create_connection(Notes, "db.test", port, ssl=tls_context())
        await asyncio.sleep(0.01)

    with server(lambda spoken: spoken.sendall(b"in plain text, whoever asks\r\n")) as port:
        run(main(port))
    assert heard == []


def test_bytes_from_before_tls_are_not_taken_for_what_follows(host: TcpHost, run: Run) -> None:
    def injects(spoken: native.socket) -> None:
        spoken.sendall(b"ready\nand more in plain text\n")
        spoken.recv(65536)

    async def main(port: int) -> None:
        reader, writer = await opened(host, port)
        assert await reader.readline() == b"ready\n"
        # They are in the reader already, which is a fault of this protocol and not of TLS.
        with pytest.raises((SSLError, OSError)):
            await writer.start_tls(tls_context(), server_hostname="db.test")

    with server(injects) as port:
        run(main(port))
