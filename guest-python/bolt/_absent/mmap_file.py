"""`mmap` for reading: the content of the file, which is read as a whole.

Nothing can be written: no other process would see it.
"""

from __future__ import annotations

import os
from typing import Any, Self

from .refusing import refuse

__all__ = [
    "ACCESS_COPY",
    "ACCESS_DEFAULT",
    "ACCESS_READ",
    "ACCESS_WRITE",
    "ALLOCATIONGRANULARITY",
    "MAP_ANON",
    "MAP_ANONYMOUS",
    "MAP_PRIVATE",
    "MAP_SHARED",
    "PAGESIZE",
    "PROT_EXEC",
    "PROT_READ",
    "PROT_WRITE",
    "error",
    "mmap",
]

ACCESS_DEFAULT, ACCESS_READ, ACCESS_WRITE, ACCESS_COPY = range(4)
MAP_SHARED, MAP_PRIVATE, MAP_ANON = 1, 2, 32
MAP_ANONYMOUS = MAP_ANON
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
PAGESIZE = ALLOCATIONGRANULARITY = 65536
error = OSError

_SENTENCE = (
    "the sandbox has mmap for reading files alone: give access=mmap.ACCESS_READ, or use a bytearray"
)
_PART = 1 << 20


class mmap(bytes):
    """The content of a file, with a position as a file has."""

    def __new__(
        cls,
        fileno: int,
        length: int,
        flags: int = MAP_SHARED,
        prot: int = PROT_READ | PROT_WRITE,
        access: int = ACCESS_DEFAULT,
        offset: int = 0,
        **more: object,
    ) -> Self:
        may_write = prot & PROT_WRITE if access == ACCESS_DEFAULT else access != ACCESS_READ
        if fileno == -1 or may_write:
            refuse(_SENTENCE)
        size = os.fstat(fileno).st_size - offset
        if size <= 0:
            raise ValueError("cannot mmap an empty file")
        if length > size:
            raise ValueError("mmap length is greater than file size")
        return super().__new__(cls, _content(fileno, length or size, offset))

    def __init__(self, *args: object, **named: object) -> None:
        self._at = 0
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Mark it as closed. The memory is free when nothing refers to it."""
        self.closed = True

    def size(self) -> int:
        return len(self)

    def tell(self) -> int:
        return self._at

    def seek(self, pos: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self)}[whence]
        if not 0 <= start + pos <= len(self):
            raise ValueError("seek out of range")
        self._at = start + pos
        return self._at

    def seekable(self) -> bool:
        return True

    def read(self, n: int | None = None) -> bytes:
        end = len(self) if n is None or n < 0 else self._at + n
        found = self[self._at : end]
        self._at += len(found)
        return found

    def read_byte(self) -> int:
        found = self.read(1)
        if not found:
            raise ValueError("read byte out of range")
        return found[0]

    def readline(self) -> bytes:
        end = bytes.find(self, b"\n", self._at)
        return self.read(None if end < 0 else end + 1 - self._at)

    def find(self, sub: Any, start: Any = None, end: Any = None) -> int:
        return bytes.find(self, sub, self._at if start is None else start, end)

    def rfind(self, sub: Any, start: Any = None, end: Any = None) -> int:
        return bytes.rfind(self, sub, self._at if start is None else start, end)

    def flush(self, *place: int) -> None:
        """Do nothing: nothing was written."""

    def madvise(self, *advice: int) -> None:
        """Do nothing: it is in memory."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def _content(fileno: int, length: int, offset: int) -> bytes:
    parts = []
    while length:
        part = os.pread(fileno, min(length, _PART), offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        length -= len(part)
    return b"".join(parts)
