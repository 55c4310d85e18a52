"""The body of a request, which the host reads in parts when the guest asks for them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator

from ..exceptions import HTTPException
from . import progress

__all__ = ["block_parts", "read_parts"]


async def read_parts() -> AsyncGenerator[bytes]:
    """The rest of the body of the current request.

    Raises HTTPException with what the client is told when the rest does not come.
    """
    request = progress.current()
    while (part := _part(request)) is not None:
        if part:
            yield part
        else:
            await progress.flow_of(request).news()


def block_parts() -> Generator[bytes]:
    """As `read_parts`, but it blocks the interpreter while it waits."""
    request = progress.current()
    while (part := _part(request)) is not None:
        if part:
            yield part
        else:
            progress.host().wait(request)


def _part(request: int) -> bytes | None:
    """The next part of the body; empty while none has arrived, None at the end."""
    host = progress.host()
    while True:
        part = host.read(request)
        if isinstance(part, host.Part_Data):
            if part.value:
                return bytes(part.value)
        elif isinstance(part, host.Part_End):
            return None
        elif isinstance(part, host.Part_Failed):
            failure = json.loads(part.value)
            raise HTTPException(failure["status"], failure["detail"])
        else:
            return b""
