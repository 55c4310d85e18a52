"""`Wire`: stands for the socket of a connection; the host's client is at its other end.

Clients of HTTP/1.1 write requests to a socket and read responses from it, each in its own way:
some replace the request's methods, some the response's. So the doors leave all of that to the
client, and read the request that it writes.
"""

from __future__ import annotations

from typing import Any

from .._exchange import Exchange
from .._headers import OF_CONNECTION, Headers
from .._request import Request, to_wire
from .incoming import Incoming, Raised, ResponseFile
from .outgoing import Outgoing

__all__ = ["PROXY", "Wire"]

PROXY = "the host makes the connections of an app, so the app cannot use a proxy"
# A body up to this length is sent as a whole.
_WHOLE = 256 * 1024
_BUFFER = 8192
_PORTS = {"http": 80, "https": 443}


class Wire:
    """One connection of a client. It blocks the interpreter while the host is waiting.

    scheme: "https" if the host speaks TLS with the server.
    timeout: seconds or None, for the head of a response and for each part of it.
    raised: makes the client's exceptions.

    The host has a pool of connections of its own, so no connection belongs to a wire: it can always
    be used again.
    """

    def __init__(
        self, scheme: str, host: str, port: int, timeout: float | None, raised: Raised
    ) -> None:
        if not host.isascii():
            host = host.encode("idna").decode()
        if ":" in host:
            host = f"[{host.strip('[]')}]"
        self._origin = f"{scheme}://{host}"
        if port != _PORTS[scheme]:
            self._origin += f":{port}"
        self._timeout = timeout
        self._raised = raised
        self._begin()

    def _begin(self) -> None:
        self._outgoing = Outgoing()
        self._exchange: Exchange | None = None
        # The body, as long as it is not sent.
        self._held = bytearray()

    # The request.

    def sendall(self, data: Any) -> None:
        """Take bytes of a request. It is sent when it is complete, and a long body in parts.

        Raises OSError for a request that only a proxy understands. What the host refuses is raised
        where the response is read.
        """
        asked = self._outgoing
        self._held += asked.feed(memoryview(data).tobytes())
        if asked.headers is None:
            return
        if self._exchange is None:
            in_parts = asked.is_chunked or len(self._held) > _WHOLE
            if not in_parts and not asked.is_complete:
                return
            self._start(asked.headers, more=in_parts)
            if not in_parts:
                return
        assert self._exchange is not None
        body, self._held = bytes(self._held), bytearray()
        # A server may ignore the rest of a body, and then so does the exchange.
        self._exchange.block_write(body)
        if asked.is_complete:
            self._exchange.block_write(None)

    def send(self, data: Any) -> int:
        """As `sendall`. Returns the number of bytes."""
        self.sendall(data)
        return memoryview(data).nbytes

    def _start(self, headers: Headers, more: bool) -> None:
        asked = self._outgoing
        if not asked.target.startswith("/"):
            raise OSError(f"{asked.target!r} is not a path: {PROXY}")
        # The body is there: no server has to be asked for its leave.
        for name in (*OF_CONNECTION, "host", "expect"):
            headers.pop(name, None)
        if not more:
            headers.pop("content-length", None)
        timeout = self.gettimeout()
        request = Request(asked.method, self._origin + asked.target, headers, timeout=timeout)
        body = b"" if more else bytes(self._held)
        self._exchange = Exchange(request.head(), to_wire(body), more)

    # The response.

    @property
    def is_sent(self) -> bool:
        """Whether the request is complete."""
        return self._exchange is not None and self._outgoing.is_complete

    def makefile(self, mode: str = "rb", *_: Any, **__: Any) -> ResponseFile:
        """The response to the request that was sent. The next request may follow."""
        exchange = self._exchange
        if exchange is None or not self.is_sent:
            raise OSError("there is no response to read: the request is not complete")
        self._begin()
        return ResponseFile(Incoming(exchange, self._raised), _BUFFER)

    # What clients ask of sockets besides.

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    def setsockopt(self, *_: Any) -> None:
        """Do nothing: the connection is the host's."""

    def shutdown(self, how: int) -> None:
        """As `close`."""
        self.close()

    def close(self) -> None:
        """Give up a request whose response nobody reads. A response can be read to its end."""
        if self._exchange is not None:
            self._exchange.close()
        self._begin()
