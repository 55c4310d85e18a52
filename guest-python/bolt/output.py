"""What an application prints."""

from __future__ import annotations

import io
from collections.abc import Callable

__all__ = ["Output"]


class Output(io.TextIOBase):
    """`sys.stdout` or `sys.stderr`: whole lines go to the host, under the request of each.

    current: says which request is being served.
    log: takes a request and its lines.
    unfinished: gets the requests that have written a part of a line.
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
        """Log a last line without its line end."""
        rest = self._pending.pop(request, "")
        self._note()
        if rest:
            self._log(request, rest)
