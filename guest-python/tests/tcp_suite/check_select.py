"""`select`, `poll` and selectors for sockets of a host, and for descriptors of the system."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from tcpfake import TcpHost

Serve = Callable[..., int]


def connected(port: int) -> socket.socket:
    return socket.create_connection(("db.test", port), timeout=10)


def test_select(serve: Serve) -> None:
    port = serve("late")
    with connected(port) as one, connected(port) as two:
        assert select.select([one, two.fileno()], [], [], 0) == ([], [], [])
        assert select.select([], [one, two], [one], 0) == ([], [one, two], [])
        one.send(b"1")
        assert select.select([two, one], [], [], 10) == ([one], [], [])
        # It takes nothing.
        assert select.select([one], [], [], 0)[0] == [one]
        assert one.recv(10) == b"1"
        start = time.monotonic()
        assert select.select([one, two], [], [], 0.05) == ([], [], [])
        assert time.monotonic() - start >= 0.04
        two.send(b"2")
        assert select.select([two.fileno()], [], []) == ([two.fileno()], [], [])
        one.shutdown(socket.SHUT_WR)
        assert select.select([one], [], [], 10)[0] == [one] and one.recv(1) == b""
    with pytest.raises(ValueError, match="negative"):
        select.select([one], [], [], 0)


def test_room(serve: Serve) -> None:
    with connected(serve("echo")) as s:
        s.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                s.send(bytes(100_000))
        assert select.select([], [s], [], 0)[1] == []
        sent = 0
        while not sent:
            readable, writable, _ = select.select([s], [s], [], 10)
            assert readable or writable
            if readable:
                assert s.recv(65536)
            if writable:
                with contextlib.suppress(BlockingIOError):
                    sent = s.send(b"a")


def test_a_connect_that_does_not_block(serve: Serve, host: TcpHost) -> None:
    port = serve("echo")
    with socket.socket() as s:
        s.setblocking(False)
        assert s.connect_ex(("db.test", port)) != 0
        assert select.select([], [s], [], 10)[1] == [s]
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        s.send(b"a")
    with socket.socket() as s:
        s.setblocking(False)
        assert s.connect_ex(("secret.test", 1)) != 0
        assert select.select([s], [s], [], 10)[1] == [s]


def test_poll(serve: Serve) -> None:
    port = serve("echo")
    with connected(port) as s:
        poll: Any = select.poll()
        poll.register(s, select.POLLIN)
        assert poll.poll(0) == []
        poll.modify(s, select.POLLIN | select.POLLOUT)
        assert poll.poll(1000) == [(s.fileno(), select.POLLOUT)]
        s.send(b"a")
        poll.modify(s.fileno(), select.POLLIN)
        assert poll.poll() == [(s.fileno(), select.POLLIN)]
        poll.unregister(s)
        assert poll.poll(1) == []
        for call in (lambda: poll.unregister(s), lambda: poll.modify(s, 0)):
            with pytest.raises((KeyError, OSError)):
                call()
        poll.register(s)
        number = s.fileno()
    assert poll.poll(0) == [(number, select.POLLNVAL)]


@pytest.mark.parametrize("kind", [selectors.SelectSelector, selectors.PollSelector])
def test_selectors(serve: Serve, kind: Any) -> None:
    with connected(serve("echo")) as s, kind() as selector:
        selector.register(s, selectors.EVENT_READ, "mine")
        assert selector.select(0) == []
        s.send(b"a")
        ((key, events),) = selector.select(10)
        assert (key.fileobj, key.data, events) == (s, "mine", selectors.EVENT_READ)


def test_descriptors_of_the_system(serve: Serve) -> None:
    reader, writer = os.pipe()
    try:
        assert select.select([reader], [writer], [], 0) == ([], [writer], [])
        with connected(serve("late")) as s:
            assert select.select([reader, s], [], [], 0.02) == ([], [], [])
            os.write(writer, b"a")
            assert select.select([s, reader], [], [], 10) == ([reader], [], [])
            poll: Any = select.poll()
            poll.register(reader, select.POLLIN)
            assert poll.poll(0) == [(reader, select.POLLIN)]
            poll.register(s, select.POLLIN)
            assert poll.poll(10) == [(reader, select.POLLIN)]
            s.send(b"a")
            os.read(reader, 1)
            assert poll.poll(10_000) == [(s.fileno(), select.POLLIN)]
            poll.unregister(reader)
    finally:
        os.close(reader)
        os.close(writer)
    # Its pipes are looked at by a selector.
    done = subprocess.run(
        [sys.executable, "-c", "print(input() * 2)"],
        input="a",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "aa\n"
