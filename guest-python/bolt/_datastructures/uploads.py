"""`UploadFile`: a file of a multipart form; the host stores it, the handler reads it in parts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from .headers import Headers

__all__ = ["UploadFile", "install"]

# The most bytes that the host returns from one read.
PART = 64 * 1024


def _no_host(request: int, file: int, offset: int, size: int) -> bytes:
    raise RuntimeError("an UploadFile is read inside bolt-host only")


_read: Callable[[int, int, int, int], bytes] = _no_host


def install(read: Callable[[int, int, int, int], bytes]) -> None:
    """Read files by `read(request, file number, offset, size)`, which the entry provides."""
    global _read
    _read = read


class UploadFile:
    """An uploaded file. The host keeps it until the response is sent, on disk when it is large.

    filename: from the client; do not trust it as a path.
    content_type: from the client; "" when the client sent none.
    size: in bytes.
    headers: the headers of this part of the form.
    """

    # The offset of the bytes that `readline` read ahead, and those bytes.
    _ahead: tuple[int, bytes] = (0, b"")

    def __init__(self, wire: tuple[int, int, str, str, int, list[tuple[str, str]]]) -> None:
        self._request, self._file, self.filename, self.content_type, self.size, pairs = wire
        self.headers = Headers(pairs)
        self._at = 0

    def read_sync(self, size: int = -1) -> bytes:
        """The next `size` bytes, or all that remain; fewer at the end. For `def` handlers."""
        left = max(0, self.size - self._at)
        wanted = left if size < 0 else min(size, left)
        parts = []
        while wanted > 0:
            part = _read(self._request, self._file, self._at, min(wanted, PART))
            if not part:
                break
            parts.append(part)
            self._at += len(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or all that remain; fewer at the end."""
        return self.read_sync(size)

    def chunks(self, size: int = PART) -> Iterator[bytes]:
        """The remaining bytes, in parts of `size`."""
        while part := self.read_sync(size):
            yield part

    def seek_sync(self, offset: int) -> None:
        """Set the position to `offset`."""
        self._at = max(0, offset)

    async def seek(self, offset: int) -> None:
        """Set the position to `offset`."""
        self.seek_sync(offset)

    async def close(self) -> None:
        """Do nothing: there is no resource to release. For code that closes its files."""

    @property
    def file(self) -> Any:
        """A binary file object: `read`, `readline`, `seek`, `tell`, ..."""
        return _File(self)

    def __repr__(self) -> str:
        return f"UploadFile(filename={self.filename!r}, size={self.size})"


class _File(io.BufferedIOBase):
    """A binary file object of an UploadFile. All objects of one upload share its position."""

    def __init__(self, upload: UploadFile) -> None:
        self._upload = upload

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return self._upload.read_sync(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        return self._upload.read_sync(PART if size < 0 else size)

    def readline(self, size: int | None = -1, /) -> bytes:
        left = self._upload.size if size is None or size < 0 else size
        line = b""
        while left > 0 and not line.endswith(b"\n"):
            part = self._line(left)
            if not part:
                break
            line += part
            left -= len(part)
        return line

    def _line(self, most: int) -> bytes:
        """The next bytes of a line, up to the end of the part that was read ahead."""
        upload = self._upload
        start, ahead = upload._ahead
        if not start <= upload._at < start + len(ahead):
            start = upload._at
            ahead = upload.read_sync(PART)
            upload._ahead = (start, ahead)
            upload._at = start
        at = upload._at - start
        end = ahead.find(b"\n", at, at + most) + 1 or min(at + most, len(ahead))
        upload._at = start + end
        return ahead[at:end]

    def seek(self, offset: int, whence: int = 0, /) -> int:
        base = (0, self._upload._at, self._upload.size)[whence]
        self._upload.seek_sync(base + offset)
        return self._upload._at

    def tell(self) -> int:
        return self._upload._at
