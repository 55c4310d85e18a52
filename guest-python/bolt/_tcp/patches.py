"""Replaces what `socket` and `select` open and wait for, and adds what `import ssl` needs.

Call it before the app is imported, which may import the names. What needs a listener, a path or a
datagram raises an OSError that says so.
"""

from __future__ import annotations

import select
import selectors
import socket
import sys
from typing import Any, NoReturn

from . import endpoint, names, selecting
from .sockets import Socket, refused
from .tls_finder import TlsFinder

__all__ = ["install_sockets"]

_close: Any = socket.close


def install_sockets() -> None:
    """Make `socket.socket` and everything around it those of the host, for good."""
    Socket.__name__ = Socket.__qualname__ = "socket"
    Socket.__module__ = "socket"
    theirs: Any = socket
    theirs.socket = theirs.SocketType = Socket
    for name in names.__all__:
        if hasattr(socket, name):
            setattr(socket, name, getattr(names, name))
    theirs.close = _close_number
    theirs.fromfd = _from_number
    for name in ("create_server", "socketpair", "send_fds", "recv_fds", "dup"):
        if hasattr(socket, name):
            setattr(socket, name, _refusal(name))
    theirs = select
    theirs.select, theirs.poll = selecting.select, selecting.Poll
    selectors.SelectSelector._select = staticmethod(selecting.select)  # type: ignore[attr-defined]
    kind = getattr(selectors, "PollSelector", None)
    if kind is not None:
        kind._selector_cls = selecting.Poll
    if not any(isinstance(finder, TlsFinder) for finder in sys.meta_path):
        # The last one: a `_ssl` that exists is found before.
        sys.meta_path.append(TlsFinder())


def _close_number(fd: int) -> None:
    """Close a descriptor, as `socket.close` does."""
    if endpoint.find(fd) is None:
        _close(fd)
    else:
        endpoint.release(fd, endpoint.adopt(fd))


def _from_number(fd: int, family: int, type: int, proto: int = 0) -> Socket:
    """Another socket for a connection, as `socket.fromfd` makes it."""
    found = Socket(family, type, proto, fd)
    copy = found.dup()
    found.detach()
    return copy


def _refusal(name: str) -> Any:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise refused(name)

    return refuse
