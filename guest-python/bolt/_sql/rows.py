"""`Rows`: a response of rows, which the host reads from the database and sends to the client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from .._responses.streaming import StreamingResponse
from .._serialization.json_text import json_text
from . import host as hosts
from .wire import to_wire

__all__ = ["Rows"]


class Rows(StreamingResponse):
    """The rows of a query as a JSON array of objects; see `Database.rows`.

    Middleware may read or replace `body_iterator`, and then the rows pass through the sandbox.
    """

    def __init__(
        self, database: str, text: str, arguments: tuple[Any, ...], fetch: Callable[[], Any]
    ) -> None:
        self._begin(None, None, None)
        self.content_type = "application/json"
        self._query = (database, text, to_wire(arguments))
        self._fetch = fetch
        self.proxied: Any = self

    def hand_over(self, request: int) -> bool:
        """Have the host run the query for the client of `request`."""
        return bool(hosts.host().rows(request, *self._query))

    def __getattr__(self, name: str) -> AsyncIterator[bytes]:
        if name != "body_iterator":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.body_iterator = self._read()
        return self.body_iterator

    async def _read(self) -> AsyncIterator[bytes]:
        yield json_text(await self._fetch()).encode()
