"""Modules of the standard library that open sockets, without a change."""

from __future__ import annotations

import asyncio
import http.client
import smtplib
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest
from tcpfake import TcpHost
from tcpservers import AUTHORITY

Serve = Callable[..., int]
Run = Callable[..., Any]


def context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=AUTHORITY)


# `socket`.


def test_names_of_socket(serve: Serve, host: TcpHost) -> None:
    from socket import create_connection, getaddrinfo
    from socket import socket as kind

    port = serve("echo")
    assert kind is socket.SocketType and kind.__module__ == "socket"
    assert getaddrinfo("db.test", port)[0][4] == ("db.test", port)
    with create_connection(("db.test", port), timeout=5) as s:
        assert isinstance(s, kind) and s.gettimeout() == 5
        s.sendall(b"a")
        assert s.recv(1) == b"a"

    class Own(socket.socket):
        def connect(self, address: Any) -> None:
            self.asked = address
            super().connect(address)

    with Own() as own:
        own.connect(("db.test", port))
        assert own.asked == ("db.test", port)
    number = create_connection(("db.test", port)).detach()
    with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as s:
        s.sendall(b"b")
        assert s.recv(1) == b"b"
    socket.close(number)
    assert not host.lines
    socket.setdefaulttimeout(3)
    try:
        assert socket.socket().gettimeout() == 3
    finally:
        socket.setdefaulttimeout(None)


@pytest.mark.parametrize(
    "call",
    [
        socket.socketpair,
        lambda: socket.create_server(("", 80)),
        lambda: socket.socket(type=socket.SOCK_DGRAM),
        lambda: socket.create_connection(("db.test", 1), source_address=("127.0.0.2", 0)),
    ],
)
def test_what_is_refused(call: Any) -> None:
    with pytest.raises(OSError, match="over TCP, and nothing else"):
        call()


def test_what_goes_wrong(host: TcpHost) -> None:
    with pytest.raises(PermissionError, match=r"--allow-tcp secret\.test:80"):
        socket.create_connection(("secret.test", 80))
    port = closed_port_of(host)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("db.test", port))
    with pytest.raises(urllib.error.URLError, match=r"--allow-tcp secret\.test:443"):
        urllib.request.urlopen("https://secret.test/")
    host.grant("nowhere.test", 80, "")
    with pytest.raises(socket.gaierror, match="cannot be resolved"):
        http.client.HTTPConnection("nowhere.test").request("GET", "/")


def closed_port_of(host: TcpHost) -> int:
    import _socket

    found = _socket.socket()
    found.bind(("127.0.0.1", 0))
    port: int = found.getsockname()[1]
    found.close()
    host.grant("db.test", port)
    return port


# HTTP.


def test_http_client(serve: Serve) -> None:
    port = serve("http")
    client = http.client.HTTPConnection("db.test", port, timeout=10)
    for path in ("/one", "/two"):
        client.request("GET", path)
        assert client.getresponse().read() == f"{path} for db.test:{port}".encode()
    client.request("POST", "/", body=b"a" * 500_000)
    assert client.getresponse().read() == b"A" * 500_000
    client.close()


def test_http_client_with_tls(serve: Serve) -> None:
    port = serve("https")
    client = http.client.HTTPSConnection("db.test", port, timeout=10, context=context())
    client.request("GET", "/safe")
    assert client.getresponse().read() == f"/safe for db.test:{port}".encode()
    client.close()
    client = http.client.HTTPSConnection("db.test", port, timeout=10)
    with pytest.raises(ssl.SSLCertVerificationError):
        client.request("GET", "/safe")


def test_urllib(serve: Serve) -> None:
    port, safe = serve("http"), serve("https")
    with urllib.request.urlopen(f"http://db.test:{port}/moved", timeout=10) as response:
        assert response.read() == f"/page for db.test:{port}".encode()
    with urllib.request.urlopen(f"https://db.test:{safe}/", context=context()) as response:
        assert response.status == 200
    with pytest.raises(urllib.error.URLError, match=r"(?i)certificate"):
        urllib.request.urlopen(f"https://db.test:{safe}/")


# Mail.


def test_smtplib(serve: Serve) -> None:
    message = EmailMessage()
    message["from"], message["to"], message["subject"] = "a@b.test", "c@d.test", "hello"
    message.set_content("a line\n" * 10_000)
    with smtplib.SMTP("db.test", serve("smtp"), timeout=10) as client:
        assert client.starttls(context=context())[0] == 220
        client.login("user", "secret")
        assert client.send_message(message) == {}
        assert client.noop()[0] == 250


# Streams of asyncio.


def test_streams_with_tls(serve: Serve, run: Run) -> None:
    async def main() -> None:
        port = serve("safe")
        made = context()
        made.set_alpn_protocols(["one"])
        reader, writer = await asyncio.open_connection("db.test", port, ssl=made)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "one"
        assert writer.get_extra_info("sslcontext") is made
        writer.close()
        await writer.wait_closed()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("db.test", port, ssl=True)
        safe = made.wrap_socket(
            socket.create_connection(("db.test", port)), server_hostname="db.test"
        )
        with safe, pytest.raises(TypeError, match="SSLSocket"):
            await asyncio.open_connection(sock=safe)

    run(main())
