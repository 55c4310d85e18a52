"""Requests to other servers: `from bolt import http`.

In an `async def` handler::

    response = await http.get("https://example.com/items", params={"page": 2})
    items = response.raise_for_status().json()

    async with http.stream("GET", url) as response:
        async for line in response.aiter_lines():
            ...

    return await http.proxy("GET", url)     # the host sends the body on

A `def` handler uses `http.sync.get(url)` or `http.Client`. Names and meanings are those of httpx.
The host makes the connections, and only to servers that its egress rules allow. `Options` describes
the options of a request.

In the sandbox, requests, urllib3, httpx and the clients of Python go through the host too: `_doors`
changes them when they are imported. `HTTPXTransport` does so for one client of httpx elsewhere.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import _exchange, sync
from ._client import AsyncClient, Client
from ._errors import (
    AccessDenied,
    ConnectError,
    HTTPError,
    InvalidURL,
    ProtocolError,
    RequestError,
    ResponseNotRead,
    StreamClosed,
    StreamConsumed,
    StreamError,
    TimeoutException,
    TooLarge,
    TooManyRedirects,
)
from ._headers import Headers
from ._proxy import ProxyResponse
from ._request import Options, Request
from ._response import HTTPStatusError, Response

if TYPE_CHECKING:
    from ._transport import HTTPXTransport as HTTPXTransport

# Without HTTPXTransport: `from bolt.http import *` must work when httpx is not installed.
__all__ = [
    "AccessDenied",
    "AsyncClient",
    "Client",
    "ConnectError",
    "HTTPError",
    "HTTPStatusError",
    "Headers",
    "InvalidURL",
    "Options",
    "ProtocolError",
    "ProxyResponse",
    "Request",
    "RequestError",
    "Response",
    "ResponseNotRead",
    "StreamClosed",
    "StreamConsumed",
    "StreamError",
    "TimeoutException",
    "TooLarge",
    "TooManyRedirects",
    "delete",
    "get",
    "head",
    "install",
    "options",
    "patch",
    "post",
    "proxy",
    "put",
    "request",
    "stream",
    "sync",
]

# Tracebacks name these classes by the path that an author imports them from.
for _name in __all__:
    _public = globals().get(_name)
    if isinstance(_public, type) and issubclass(_public, Exception):
        _public.__module__ = __name__

_client = AsyncClient()

request = _client.request
stream = _client.stream
proxy = _client.proxy
get = _client.get
options = _client.options
head = _client.head
post = _client.post
put = _client.put
patch = _client.patch
delete = _client.delete


def install(host: Any) -> None:
    """Send all requests through `host`, an object like the module `wit_world.imports.http`.

    The build calls it after it has imported the app. A test may call it with an object that has the
    same functions and classes; None removes the host.
    """
    _exchange.install(host)
    for url in ("http://[::1]/", "http://\u00fc/"):
        # `urlsplit` imports modules for such a host name, and at run time no files exist.
        with suppress(ImportError):
            urlsplit(url)
    if host is not None and "httpx" in sys.modules:
        # A handler may be the first to use it, and at run time no files exist to import.
        from . import _transport as _transport


def __getattr__(name: str) -> Any:
    if name == "HTTPXTransport":
        from ._transport import HTTPXTransport

        return HTTPXTransport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
