"""Sockets do not exist in the sandbox: what would open one says so, and says what to use.

Without this a library fails deep inside with an error number, or with a missing module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["refuse_urllib"]

SENTENCE = (
    "this app runs in a sandbox without sockets: use bolt.http "
    "(or httpx with bolt.http.HTTPXTransport)"
)

# Where a connection begins: module, and the function in it. requests and urllib3 look names up with
# `getaddrinfo` first, and then connect by themselves.
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


def refuse_urllib() -> None:
    """Let all that the app imported and that would open a connection raise OSError at once.

    For urllib it is a URLError. Called after the app is imported, and after each import that comes
    later; what is not imported, or lacks the function, is left alone.
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
            # A class that cannot be changed, as those written in C: its own error must do.
            continue


def _refusal(error: Callable[[str], Exception]) -> Callable[..., NoReturn]:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise error(SENTENCE)

    return refuse
