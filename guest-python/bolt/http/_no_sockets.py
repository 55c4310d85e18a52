"""Replaces functions of other libraries that open sockets with ones that raise a clear error.

The sandbox has no sockets. Without this module a library would fail deep inside with an error
number, or with a missing module.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

__all__ = ["refuse_sockets"]

SENTENCE = (
    "this app runs in a sandbox without sockets: use bolt.http, "
    "or a client that goes through it: requests, urllib3, httpx, urllib.request"
)

# The functions that open a connection.
_OPENERS = (
    ("socket", "create_connection"),
    ("socket", "getaddrinfo"),
    ("socket", "socket.connect"),
    ("socket", "socket.connect_ex"),
)


def refuse_sockets() -> None:
    """Make every imported function that opens a connection raise OSError.

    The entry calls it after it has imported the app, and after each later import. It ignores
    modules that are not imported, and functions that do not exist.
    """
    for module, path in _OPENERS:
        owner: Any = sys.modules.get(module)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part, None)
        if owner is None or not hasattr(owner, name):
            continue
        try:
            setattr(owner, name, _refuse)
        except (AttributeError, TypeError):
            # A class written in C cannot be changed: the application then sees its own error.
            continue


def _refuse(*args: object, **kwargs: object) -> NoReturn:
    raise OSError(SENTENCE)
