"""Servers that are programs of their own: whether they are there, their ports and their user."""

from __future__ import annotations

import _socket
import contextlib
import os
import pwd
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest


def program(name: str) -> str:
    """The path of a program, which may not be installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    with contextlib.closing(_socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def is_listening(port: int) -> bool:
    with contextlib.closing(_socket.socket()) as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def listening(child: Any, port: int) -> Iterator[bool]:
    """Wait until it listens. False if it has ended, as without what it needs."""
    try:
        end = time.monotonic() + 20
        while not is_listening(port) and child.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        yield child.poll() is None
    finally:
        child.kill()
        child.wait()


def as_somebody() -> dict[str, Any]:
    """Postgres does not run as root."""
    if os.geteuid():
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
