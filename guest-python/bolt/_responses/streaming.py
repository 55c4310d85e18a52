"""`StreamingResponse`: a response whose body is sent while it is made."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any, NoReturn

from .._streams.chunks import Chunk, Chunks
from .response import Response

__all__ = ["StreamingResponse"]


class StreamingResponse(Response):
    """A response whose body is sent in parts, while an iterable makes them.

    content: an iterable or async iterable of str (sent as UTF-8) or bytes, such as a generator. It
        is iterated after the handler has returned; if it raises, the client sees a broken
        connection. If the client leaves, an async generator gets a CancelledError where it waits,
        and any generator is closed, so its `finally` runs.
    status_code, headers, media_type: as for `Response`. Without a media type, the content type is
        application/octet-stream.
    background: a BackgroundTask or BackgroundTasks, to run after the body is sent.

    body_iterator: an async iterator of the parts, which middleware may replace.

    Raises TypeError for content that is not iterable.
    """

    # A topic whose events the host sends instead, so that nothing is iterated.
    topic: Any = None
    # The response of another server, which the host sends on.
    proxied: Any = None
    body_iterator: AsyncIterable[Any]

    def __init__(
        self,
        content: Iterable[Any] | AsyncIterable[Any],
        status_code: int | None = 200,
        headers: dict[str, str] | None = None,
        media_type: str | None = None,
        background: Any = None,
    ) -> None:
        self._begin(status_code, headers, background)
        self.content_type = media_type or self.media_type
        self.stream(content)

    def stream(
        self,
        content: Iterable[Any] | AsyncIterable[Any],
        encode: Callable[[Any], Chunk] | None = None,
    ) -> None:
        """Take the body from an iterable. encode: makes a part of each item; None if it is one."""
        if isinstance(content, (bytes, bytearray, memoryview)):
            raise TypeError(
                f"the content of a {type(self).__name__} is an iterable of bytes or str: "
                "give a body that is finished to a Response"
            )
        if encode is None and isinstance(content, AsyncIterable):
            self.body_iterator = content
        else:
            self.body_iterator = Chunks(content, encode)

    def _sent(self) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} has no body: read its body_iterator")
