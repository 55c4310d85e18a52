"""What an application prints."""

from __future__ import annotations

import io
from collections.abc import Callable

__all__ = ["Output"]


class Output(io.TextIOBase):
    """`sys.stdout` or `sys.stderr`: whole lines go to the host, under the request of each.

    current: says which request is being served.
    log: takes a request and its lines.
    """

    def __init__(self, current: Callable[[], int], log: Callable[[int, str], None]) -> None:
        self._current = current
        self._log = log
        self._pending: dict[int, str] = {}
        # How many there are. A number is tested by compiled code, a dict by one that writes into
        # itself each time, which would be one more page for every fresh instance.
        self.unfinished = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        request = self._current()
        whole, newline, rest = (self._pending.pop(request, "") + text).rpartition("\n")
        if newline:
            self._log(request, whole)
        if rest:
            self._pending[request] = rest
        self.unfinished = len(self._pending)
        return len(text)

    def flush(self) -> None:
        self.end(self._current())

    def end(self, request: int) -> None:
        """Log a last line without its line end."""
        rest = self._pending.pop(request, "")
        self.unfinished = len(self._pending)
        if rest:
            self._log(request, rest)
