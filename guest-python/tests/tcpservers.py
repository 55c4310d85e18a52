"""Servers for the tests of connections: on loopback, in threads, with CPython's sockets and TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "tls"
AUTHORITY = FOLDER / "authority.pem"
# A key and the certificate of `localhost`, `db.test` and 127.0.0.1, which the authority has signed.
SERVER = FOLDER / "server.pem"


def server_context(*protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SERVER)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


@contextlib.contextmanager
def server(
    handle: Callable[[socket.socket], Any],
    tls: ssl.SSLContext | None = None,
    times: int = 1,
    family: int = socket.AF_INET,
) -> Iterator[int]:
    """A server that takes some connections; the port. What its handler raises fails the test."""
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    listener.listen(200)
    listener.settimeout(20)
    failed: list[BaseException] = []

    def one(taken: socket.socket) -> None:
        try:
            taken.settimeout(20)
            with tls.wrap_socket(taken, server_side=True) if tls else taken as spoken:
                handle(spoken)
        except BaseException as exc:
            failed.append(exc)

    def loop() -> None:
        threads = []
        try:
            for _ in range(times):
                taken, _ = listener.accept()
                threads.append(threading.Thread(target=one, args=(taken,)))
                threads[-1].start()
        except BaseException as exc:
            failed.append(exc)
        for thread in threads:
            thread.join()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join()
        listener.close()
    if failed:
        raise failed[0]


def echo(spoken: socket.socket) -> None:
    while data := spoken.recv(65536):
        spoken.sendall(data)


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
