"""`Outgoing`: reads the request that a client of HTTP/1.1 writes to its connection."""

from __future__ import annotations

from .._headers import Headers

__all__ = ["Outgoing"]


class Outgoing:
    """A request whose bytes arrive in any pieces.

    method, target: of the request line, once there is a head.
    headers: None until all of the head has arrived.
    is_chunked: the body's length is not known before its end.
    is_complete: the body has ended.
    """

    def __init__(self) -> None:
        self.method = self.target = ""
        self.headers: Headers | None = None
        self.is_chunked = self.is_complete = False
        self._buffer = bytearray()
        # Bytes until the end of the body or of the chunk; None before the size of a chunk.
        self._left: int | None = 0
        self._is_last = False

    def feed(self, data: bytes) -> bytes:
        """Read the next bytes; returns those of the body, without their framing.

        Raises OSError for bytes after the end of the request.
        """
        self._buffer += data
        if self.is_complete:
            self._check_end()
            return b""
        if self.headers is None and not self._read_head():
            return b""
        body = self._chunks() if self.is_chunked else self._counted()
        if self.is_complete:
            self._check_end()
        return body

    def _check_end(self) -> None:
        if self._buffer:
            raise OSError(
                "more bytes than those of the request were sent: a request with a body needs the "
                "header content-length or transfer-encoding, and a response is read before the "
                "next request"
            )

    def _read_head(self) -> bool:
        head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not end:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, _, target = first.partition(" ")
        self.target = target.rpartition(" ")[0]
        pairs: list[tuple[str, str]] = []
        for line in lines:
            if line[:1] in (" ", "\t") and pairs:
                # Clients fold long headers, and hosts refuse line breaks.
                name, value = pairs.pop()
                pairs.append((name, f"{value} {line.strip()}"))
            else:
                name, _, value = line.partition(":")
                pairs.append((name.strip(), value.strip()))
        self.headers = Headers(pairs)
        self.is_chunked = self.headers.get("transfer-encoding", "").lower().endswith("chunked")
        self._left = None if self.is_chunked else int(self.headers.get("content-length") or 0)
        self._buffer = bytearray(rest)
        return True

    def _counted(self) -> bytes:
        assert self._left is not None
        body = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(body)
        self.is_complete = not self._left
        return body

    def _chunks(self) -> bytes:
        found: list[bytes] = []
        while not self._is_last and (self._left is not None or self._read_size()):
            # The line break after a chunk belongs to it.
            if self._left is None or len(self._buffer) < self._left + 2:
                break
            found.append(bytes(self._buffer[: self._left]))
            del self._buffer[: self._left + 2]
            self._left = None
        # Trailers, which the host does not send, end with an empty line.
        while self._is_last and not self.is_complete and (line := self._line()) is not None:
            self.is_complete = not line
        return b"".join(found)

    def _read_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        size = int(line.partition(b";")[0], 16)
        self._is_last = not size
        self._left = size or None
        return True

    def _line(self) -> bytes | None:
        line, end, _ = self._buffer.partition(b"\r\n")
        if not end:
            return None
        del self._buffer[: len(line) + 2]
        return bytes(line)
