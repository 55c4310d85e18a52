"""`ProxyResponse`: the response of another server, which the host sends on to the client."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

from .._responses.streaming import StreamingResponse
from ._response import Response

__all__ = ["ProxyResponse"]

# They are of one connection, and the host sets those of the other one (RFC 9110, 7.6.1).
_OF_CONNECTION = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


class ProxyResponse(StreamingResponse):
    """The response of another server, with its status, its headers and its body.

    The host sends the body on as it arrives, as slowly as the client reads it: no part of it enters
    the sandbox, and the handler and its interpreter are done. The body is not decoded.

    upstream: a response whose body was not read. It must be of a request that was sent whole,
        otherwise the interpreter passes the parts on. The response takes it over: leaving
        `http.stream` does not close it.
    status_code: None for that of `upstream`.
    headers: replace those of `upstream` with the same names. Headers of its connection, such as
        `transfer-encoding`, are left out.
    background: a BackgroundTask or BackgroundTasks, to run after the host has taken over the body.

    Middleware may read or replace `body_iterator`, and then the body passes through the sandbox.

    Raises StreamConsumed or StreamClosed if the body of `upstream` cannot be read any more.
    """

    def __init__(
        self,
        upstream: Response,
        status_code: int | None = None,
        headers: dict[str, str] | None = None,
        background: Any = None,
    ) -> None:
        self._begin(status_code or upstream.status_code, headers, background)
        hops = upstream.headers.get("connection", "").lower().split(",")
        left_out = {*map(str.strip, hops), *self.headers, *_OF_CONNECTION}
        for name, value in upstream.headers.multi_items():
            if name not in left_out:
                self.headers.append(name, value)
        self.content_type = None
        self.proxied = upstream._moved()

    def __getattr__(self, name: str) -> AsyncIterable[bytes]:
        if name != "body_iterator":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.body_iterator = self.proxied.aiter_bytes()
        return self.body_iterator
