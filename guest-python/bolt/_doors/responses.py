"""Responses of foreign apps, whose status and headers are finished, and are sent as they are."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable
from typing import Any

from .._datastructures.headers import MutableHeaders
from .._responses.response import Response
from .._responses.streaming import StreamingResponse
from ..responses import FileResponse

__all__ = ["FinishedResponse", "FlowingResponse", "Pairs", "SentFile"]

Pairs = list[tuple[str, str]]
"""Headers without the content type, with lower-case names."""


class _Finished(Response):
    """A response that makes a mapping of its headers only for middleware that asks for it."""

    pairs: Pairs
    _changed: MutableHeaders | None = None

    def _begin_finished(self, status: int, pairs: Pairs, content_type: str) -> None:
        self.status_code = status
        self.pairs = pairs
        self.content_type = content_type
        self.cookies = []

    @property
    def headers(self) -> MutableHeaders:
        """The headers, which middleware may change."""
        if self._changed is None:
            self._changed = MutableHeaders()
            for name, value in self.pairs:
                self._changed.append(name, value)
            if self.content_type:
                self._changed["content-type"] = self.content_type
        return self._changed

    @headers.setter
    def headers(self, headers: MutableHeaders) -> None:
        self._changed = headers

    def reply_type(self) -> tuple[str, Pairs]:
        """The content type to send, or "", and the other headers. The host checks them."""
        if self._changed is not None:
            # Those of middleware are checked here, as its traceback should have its line.
            self.content_type = self._changed.get("content-type", "")
            return self.content_type or "", [
                pair for pair in self.header_pairs() if pair[0] != "content-type"
            ]
        if self.cookies:
            return self.content_type or "", [
                *self.pairs,
                *(("set-cookie", cookie) for cookie in self.cookies),
            ]
        return self.content_type or "", self.pairs


class FinishedResponse(_Finished):
    """A response with its whole body.

    pairs: the headers without the content type, which is "" if there is none.
    """

    def __init__(self, status: int, pairs: Pairs, content_type: str, body: bytes) -> None:
        self._begin_finished(status, pairs, content_type)
        self.content = body


class SentFile(_Finished, FileResponse):
    """A response whose body is a file that the host sends; see `FinishedResponse`.

    Clients learn from the host which version of the file they have, and which parts there are.
    """

    def __init__(self, status: int, pairs: Pairs, content_type: str, path: str) -> None:
        own = [pair for pair in pairs if pair[0] not in _OF_FILES]
        self._begin_finished(status, own, content_type)
        self.content = b""
        self.path = os.path.abspath(path)


# The host sets these for a file.
_OF_FILES = frozenset({"accept-ranges", "content-length", "etag", "last-modified"})


class FlowingResponse(_Finished, StreamingResponse):
    """A response whose body comes in parts; see `FinishedResponse`."""

    def __init__(
        self,
        status: int,
        pairs: Pairs,
        content_type: str,
        parts: Iterable[Any] | AsyncIterable[Any],
    ) -> None:
        self._begin_finished(status, pairs, content_type)
        self.stream(parts)
