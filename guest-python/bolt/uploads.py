"""`UploadFile`: a file of a multipart form, kept by the host and read in parts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from .request import Headers

__all__ = ["UploadFile", "install"]

# The host hands over at most this much at a time, in bytes.
PART = 64 * 1024


def _no_host(request: int, file: int, offset: int, size: int) -> bytes:
    raise RuntimeError("an UploadFile is read inside bolt-host only")


_read: Callable[[int, int, int, int], bytes] = _no_host


def install(read: Callable[[int, int, int, int], bytes]) -> None:
    """Read files through `read`: request, number of the file, offset, size."""
    global _read
    _read = read


class UploadFile:
    """A file that a client sent. Until the response is sent the host keeps it, on disk when large.

    filename: as the client says; do not trust it as a path.
    content_type: as the client says, "" where it does not.
    size: in bytes.
    headers: those of its part of the form; names in any case.
    """

    # What was read ahead to find the ends of lines, and where it begins.
    _ahead: tuple[int, bytes] = (0, b"")

    def __init__(self, wire: tuple[int, int, str, str, int, list[tuple[str, str]]]) -> None:
        self._request, self._file, self.filename, self.content_type, self.size, pairs = wire
        self.headers = Headers(pairs)
        self._at = 0

    def read_sync(self, size: int = -1) -> bytes:
        """The next `size` bytes, or all that are left; fewer at the end. For `def` handlers."""
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
        """The next `size` bytes, or all that are left; fewer at the end."""
        return self.read_sync(size)

    def chunks(self, size: int = PART) -> Iterator[bytes]:
        """What is left, in parts."""
        while part := self.read_sync(size):
            yield part

    def seek_sync(self, offset: int) -> None:
        """Go on reading at `offset`."""
        self._at = max(0, offset)

    async def seek(self, offset: int) -> None:
        """Go on reading at `offset`."""
        self.seek_sync(offset)

    async def close(self) -> None:
        """Nothing is left open; for code that closes what it read."""

    @property
    def file(self) -> Any:
        """The file itself, as other binary files are: `read`, `readline`, `seek`, `tell`, ..."""
        return _File(self)

    def __repr__(self) -> str:
        return f"UploadFile(filename={self.filename!r}, size={self.size})"


class _File(io.BufferedIOBase):
    """An UploadFile as a readable file object. All of one upload are at the same place in it."""

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
        """The next of a line, as far as it is in one part of the file."""
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
