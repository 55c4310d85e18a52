"""A plugin of pytest: what is imported after it is replaced as in the sandbox.

These are `socket`, `select`, and `_ssl` below `ssl`. `test_tcp_suite` runs the files beside it in a
process of their own.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

# The fake host keeps the sockets and the TLS of CPython.
from tcpfake import Guest, TcpHost, tcp_host

from bolt._tcp.patches import install_sockets
from bolt._tcp.tls_finder import TlsFinder

FOLDER = Path(__file__).parent

install_sockets()
for name in ("ssl", "_ssl"):
    sys.modules.pop(name, None)
finder: Any = TlsFinder()
sys.meta_path.insert(0, finder)
import ssl  # noqa: E402

assert "bolt-host" in ssl.OPENSSL_VERSION


@pytest.fixture
def host() -> Iterator[TcpHost]:
    yield from tcp_host()


@pytest.fixture
def run(host: TcpHost) -> Iterator[Callable[..., Any]]:
    guest = Guest(host)
    yield guest.run
    assert guest.complaints == []


@pytest.fixture
def serve(host: TcpHost) -> Iterator[Callable[..., int]]:
    """Start a server of `servers.py` in a process, and grant it by name; the port."""
    with contextlib.ExitStack() as ends:

        def start(kind: str, name: str = "db.test") -> int:
            command = [sys.executable, str(FOLDER / "servers.py"), kind]
            child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            ends.callback(child.wait)
            ends.callback(child.kill)
            assert child.stdout is not None
            port = int(child.stdout.readline())
            ends.callback(child.stdout.close)
            host.grant(name, port)
            return port

        yield start
