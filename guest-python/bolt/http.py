"""Requests to other servers: `from bolt import http`.

In an `async def` handler::

    answer = await http.get("https://example.com/items", params={"page": 2})
    items = answer.raise_for_status().json()

    async with http.stream("GET", url) as answer:
        async for line in answer.aiter_lines():
            ...

In a `def` handler `http.sync.get(url)` and `http.Client`. Names and meanings are those of httpx;
the host makes the connections, and only to where the app is allowed to connect. The options of a
request are told by `Options`. A program written for httpx goes on with it:
`httpx.AsyncClient(transport=http.HTTPXTransport())`.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import httpexchange
from . import httpsync as sync
from .httpclient import AsyncClient, Client
from .httperrors import (
    AccessDenied,
    ConnectError,
    HTTPError,
    HTTPStatusError,
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
from .httpexchange import on_news, waiting
from .httpheaders import Headers
from .httprefuse import refuse_urllib
from .httprequest import Options, Request
from .httpresponse import Response

if TYPE_CHECKING:
    from .httptransport import HTTPXTransport as HTTPXTransport

# Not HTTPXTransport: `from bolt.http import *` must work without httpx.
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
    "on_news",
    "options",
    "patch",
    "post",
    "put",
    "refuse_urllib",
    "request",
    "stream",
    "sync",
    "waiting",
]

_client = AsyncClient()

request = _client.request
stream = _client.stream
get = _client.get
options = _client.options
head = _client.head
post = _client.post
put = _client.put
patch = _client.patch
delete = _client.delete


def install(host: Any) -> None:
    """Send all requests through `host`, the generated module `wit_world.imports.http`.

    Called once when the component is built, after the app is imported. A test may call it with an
    object that has the same functions and classes; None takes it away again.
    """
    httpexchange.install(host)
    for url in ("http://[::1]/", "http://\u00fc/"):
        # It imports modules for such names when it meets the first one.
        with suppress(ImportError):
            urlsplit(url)
    if host is not None and "httpx" in sys.modules:
        # A handler may be the first to ask for it, and then nothing can be imported any more.
        from . import httptransport as httptransport


def __getattr__(name: str) -> Any:
    if name == "HTTPXTransport":
        from .httptransport import HTTPXTransport

        return HTTPXTransport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
