"""`Incoming`: the response of an exchange, as the bytes that a server would have sent."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from .._errors import ProtocolError, RequestError
from .._exchange import Exchange

__all__ = ["Incoming", "Raised", "ResponseFile"]

# The exception that a client raises for that of the host; True once the response has begun.
Raised = Callable[[RequestError, bool], Exception]


class Incoming(io.RawIOBase):
    """A file with the response in the format of HTTP/1.1, for clients that parse it themselves.

    They decide by the headers where the body ends, so the body is framed as its headers say. A
    body that breaks off ends early if it has a frame, as it does when a connection is closed.

    exchange: belongs to the file from now on.
    """

    def __init__(self, exchange: Exchange, raised: Raised) -> None:
        self._exchange = exchange
        self._raised = raised
        self._bytes = self._serialized()
        self._rest = memoryview(b"")
        self._error: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the bytes that are there; waits in the host while there are none."""
        into = memoryview(buffer).cast("B")
        while not self._rest:
            part = self._next()
            if part is None:
                return 0
            self._rest = memoryview(part)
        taken = min(len(into), len(self._rest))
        into[:taken] = self._rest[:taken]
        self._rest = self._rest[taken:]
        return taken

    def readall(self) -> bytes:
        """Read up to the end."""
        parts = [bytes(self._rest)]
        self._rest = memoryview(b"")
        while (part := self._next()) is not None:
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        """End the exchange."""
        super().close()
        self._exchange.close()

    def _next(self) -> bytes | None:
        # An error remains: a client that reads on must not take the rest for the end.
        if self._error is not None:
            raise self._error
        try:
            return next(self._bytes, None)
        except Exception as exc:
            self._error = exc
            self._exchange.close()
            raise

    def _serialized(self) -> Iterator[bytes]:
        try:
            head = self._exchange.block_head()
        except RequestError as exc:
            raise self._raised(exc, False) from exc
        yield _head(head["status"], head["headers"])
        names = {name.lower(): value for name, value in head["headers"]}
        is_chunked = "chunked" in names.get("transfer-encoding", "").lower()
        ending = b"0\r\n\r\n"
        try:
            while (part := self._exchange.block_part()) is not None:
                yield b"%x\r\n%b\r\n" % (len(part), part) if is_chunked else part
        except RequestError as exc:
            if not isinstance(exc, ProtocolError) or not (is_chunked or "content-length" in names):
                raise self._raised(exc, True) from exc
            # `http.client` takes an end between two chunks for that of the body.
            ending = b"1\r\n"
        self._exchange.close()
        if is_chunked:
            yield ending


class ResponseFile(io.BufferedReader):
    """The file that a client gets: `Incoming` with a buffer."""

    def flush(self) -> None:
        """Do nothing. The collector may close the file before the response that flushes it."""


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
