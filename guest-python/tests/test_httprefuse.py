"""Functions that the sandbox refuses, and modules that `bolt.http` does not import."""

import subprocess
import sys

import pytest

from bolt.http._no_sockets import refuse_sockets

SENTENCE = "this app runs in a sandbox without sockets: use bolt.http"


def test_sockets_are_refused() -> None:
    program = f"""
import socket
from bolt.http._no_sockets import refuse_sockets
with socket.socket() as s:
    refuse_sockets()
    refuse_sockets()
    for ask in (
        lambda: socket.create_connection(("127.0.0.1", 9)),
        lambda: socket.getaddrinfo("localhost", 9),
        lambda: s.connect(("127.0.0.1", 9)),
    ):
        try:
            ask()
        except OSError as exc:
            assert {SENTENCE!r} in str(exc), exc
            print(type(exc).__name__)
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert found.stderr == ""
    assert found.stdout.split() == ["OSError"] * 3


def test_refusing_needs_nothing_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sealed:
        __slots__ = ()

        def __getattr__(self, name: str) -> int:
            return 1

    monkeypatch.setitem(sys.modules, "socket", Sealed())
    refuse_sockets()
    monkeypatch.delitem(sys.modules, "socket")
    refuse_sockets()


def test_it_imports_without_httpx() -> None:
    program = """
import sys
sys.modules["httpx"] = None
from bolt import http
from bolt.http import *
assert "bolt.http._transport" not in sys.modules
assert "urllib.request" not in sys.modules and "http.client" not in sys.modules
try:
    http.HTTPXTransport
except ImportError as exc:
    print(exc)
try:
    http.nothing
except AttributeError as exc:
    print(exc)
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert found.stderr == ""
    first, second = found.stdout.splitlines()
    assert first.startswith("HTTPXTransport needs httpx")
    assert second == "module 'bolt.http' has no attribute 'nothing'"
