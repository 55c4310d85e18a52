"""The app of `bolt-host exec`: one route, which runs a command and sends what it writes as it goes.

The response is a sequence of frames: a byte that says what it is, the number of bytes that follow
as four bytes, the most significant first, and those bytes. The last frame has the exit code.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Annotated, Any

from .._app.application import BoltAPI
from .._runtime.hints import APP_FOLDER
from .._schema.param_functions import Body
from .._streams import progress
from .._streams.chunks import to_wire
from ..responses import StreamingResponse
from .program import run_program

__all__ = ["api"]

EXIT_CODE, STDOUT, STDERR = 0, 1, 2
# Characters of a text that are in one frame: at most 64 KiB, whatever they are.
_MOST = 16 * 1024

api = BoltAPI(openapi_url=None)


@api.post("/")
def run(words: Annotated[list[str], Body()]) -> StreamingResponse:
    """Run a command."""
    return StreamingResponse(_frames(words), media_type="application/octet-stream")


def _frames(words: list[str]) -> Iterator[bytes]:
    """Run it. The frames of its output are sent meanwhile, by `Output`."""
    request = progress.current()
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = io.TextIOWrapper(io.BytesIO())
    sys.stdout, sys.stderr = Output(request, STDOUT), Output(request, STDERR)
    try:
        code = run_program(words, APP_FOLDER)
    except BrokenPipeError:
        # Nobody reads the traceback either.
        code = 1
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
    yield frame(EXIT_CODE, bytes([code]))


def frame(kind: int, content: bytes) -> bytes:
    """The wire form of a part."""
    return bytes([kind]) + len(content).to_bytes(4, "big") + content


class Output(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a command: what is written is sent at once.

    request: whose response it is sent with. kind: of its frames.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, request: int, kind: int) -> None:
        self._request = request
        self._kind = kind
        self.buffer = _Bytes(self)

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        for at in range(0, len(text), _MOST):
            self.send(text[at : at + _MOST].encode("utf-8", "backslashreplace"))
        return len(text)

    def send(self, content: bytes) -> None:
        """Send at most 64 KiB. Raises BrokenPipeError if nobody takes it."""
        host = progress.host()
        for piece in to_wire(frame(self._kind, content)):
            while (taken := host.write(self._request, piece)) is host.Taken.FULL:
                host.wait(self._request)
            if taken is host.Taken.GONE:
                raise BrokenPipeError("the output is not read any more")


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer`."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        given = bytes(content)
        for at in range(0, len(given), _MOST):
            self._output.send(given[at : at + _MOST])
        return len(given)
