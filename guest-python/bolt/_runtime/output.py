"""`Output`: sends what an application prints to the host's log, under its request."""

from __future__ import annotations

import io
from collections.abc import Callable

__all__ = ["Output"]


class Output(io.TextIOBase):
    """`sys.stdout` or `sys.stderr`. It buffers each request's last line until the line is complete.

    current: returns the number of the current request.
    log: takes the number of a request and its lines.
    unfinished: holds the requests with an incomplete line.
    """

    def __init__(
        self, current: Callable[[], int], log: Callable[[int, str], None], unfinished: list[int]
    ) -> None:
        self._current = current
        self._unfinished = unfinished
        self._log = log
        self._pending: dict[int, str] = {}

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        request = self._current()
        whole, newline, rest = (self._pending.pop(request, "") + text).rpartition("\n")
        if newline:
            self._log(request, whole)
        if rest:
            self._pending[request] = rest
        self._note()
        return len(text)

    def _note(self) -> None:
        self._unfinished[:] = self._pending

    def flush(self) -> None:
        self.end(self._current())

    def end(self, request: int) -> None:
        """Log the incomplete last line of a request."""
        rest = self._pending.pop(request, "")
        self._note()
        if rest:
            self._log(request, rest)
