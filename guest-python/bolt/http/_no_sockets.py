"""Replaces functions of other libraries that open sockets with ones that raise a clear error.

The sandbox has no sockets. Without this module a library would fail deep inside with an error
number, or with a missing module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["refuse_sockets"]

SENTENCE = (
    "this app runs in a sandbox without sockets: use bolt.http "
    "(or httpx with bolt.http.HTTPXTransport)"
)

# The functions that open a connection. requests and urllib3 resolve names with `getaddrinfo` before
# they connect by themselves.
_OPENERS = (
    ("urllib.request", "urlopen"),
    ("urllib.request", "OpenerDirector.open"),
    ("http.client", "HTTPConnection.connect"),
    ("http.client", "HTTPSConnection.connect"),
    ("socket", "create_connection"),
    ("socket", "getaddrinfo"),
    ("socket", "socket.connect"),
    ("socket", "socket.connect_ex"),
    ("httpx", "HTTPTransport.__init__"),
    ("httpx", "AsyncHTTPTransport.__init__"),
)


def refuse_sockets() -> None:
    """Make every imported function that opens a connection raise OSError; URLError for urllib.

    The entry calls it after it has imported the app, and after each later import. It ignores
    modules that are not imported, and functions that do not exist.
    """
    urllib_error = getattr(sys.modules.get("urllib.error"), "URLError", OSError)
    for module, path in _OPENERS:
        owner: Any = sys.modules.get(module)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part, None)
        if owner is None or not hasattr(owner, name):
            continue
        try:
            setattr(owner, name, _refusal(urllib_error if module == "urllib.request" else OSError))
        except (AttributeError, TypeError):
            # A class written in C cannot be changed: the application then sees its own error.
            continue


def _refusal(error: Callable[[str], Exception]) -> Callable[..., NoReturn]:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise error(SENTENCE)

    return refuse
