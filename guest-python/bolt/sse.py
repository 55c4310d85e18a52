"""Server-sent events: `EventSourceResponse`, and `ServerSentEvent` for more than the data of one.

@api.get("/prices", response_class=EventSourceResponse)
async def prices() -> AsyncIterable[Price]:
    async for price in watch():
        yield price
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from typing import Any

from ._responses.streaming import StreamingResponse
from ._serialization.json_text import json_text
from ._streams.chunks import MOST_CHUNK, Chunk
from .topics import Topic

__all__ = ["EventSourceResponse", "ServerSentEvent", "format_sse_event"]


@dataclass(kw_only=True, slots=True)
class ServerSentEvent:
    """An event with more than data.

    data: the payload, any value that a handler may return. It is sent as JSON, a str too.
    raw_data: a payload that is sent as it is, instead of `data`.
    event: its type, for `addEventListener`; without one it is a "message". One line.
    id: what a browser sends as `Last-Event-ID` when it connects again. One line.
    retry: milliseconds after which the browser connects again.
    comment: lines that clients ignore.

    Raises ValueError for an invalid field.
    """

    data: Any = None
    raw_data: str | None = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        if self.data is not None and self.raw_data is not None:
            raise ValueError("an event has data or raw_data, and not both")
        for name in ("raw_data", "event", "id", "comment"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise ValueError(f"the {name} of an event is text, not {value!r}")
        for name in ("event", "id"):
            value = getattr(self, name)
            if value is not None and ("\r" in value or "\n" in value):
                raise ValueError(f"the {name} of an event is a single line, not {value!r}")
        if self.id is not None and "\0" in self.id:
            raise ValueError(f"the id of an event has no null character, as {self.id!r} does")
        if self.retry is not None and (type(self.retry) is not int or self.retry < 0):
            raise ValueError(f"the retry of an event is a number from 0 on, not {self.retry!r}")

    def encode(self) -> str:
        """The event as it is sent. Raises as `json_text` does."""
        data = self.raw_data
        if data is None and self.data is not None:
            data = json_text(self.data)
        return _lines(data, self.event, self.id, self.retry, self.comment)


class EventSourceResponse(StreamingResponse):
    """A stream of server-sent events.

    content: an iterable or async iterable. A ServerSentEvent is sent as such, text and bytes as
        they are, any other value as the data of an event, in JSON. In a handler that yields, text
        is data as well: `response_class=EventSourceResponse`. The events of a Topic are sent by the
        host, which keeps no interpreter for the client.
    ping: seconds after which the host sends a comment if there was no event, so that no proxy ends
        the connection; at least 1. None for never.
    last: an event that the host sends when it ends the stream because it shuts down.

    The other parameters are those of `StreamingResponse`. Caches and proxies are told not to keep
    the response, unless `headers` say something else.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        content: Iterable[Any] | AsyncIterable[Any] | Topic,
        status_code: int | None = 200,
        headers: dict[str, str] | None = None,
        media_type: str | None = None,
        background: Any = None,
        ping: float | None = 15.0,
        last: Any = None,
    ) -> None:
        self._begin(status_code, headers, background)
        self.content_type = media_type or self.media_type
        self.stream(content)
        self.headers.setdefault("cache-control", "no-cache")
        self.headers.setdefault("x-accel-buffering", "no")
        if ping is not None and not 1 <= ping <= 24 * 3600:
            raise ValueError(f"a ping comes every 1 to 86400 seconds, not {ping!r}")
        self.ping = ping
        self.last = b"" if last is None else event_of(last).encode()
        if len(self.last) > MOST_CHUNK:
            raise ValueError(f"the last event has {len(self.last)} bytes, of at most {MOST_CHUNK}")

    def stream(
        self,
        content: Iterable[Any] | AsyncIterable[Any] | Topic,
        encode: Any = None,
    ) -> None:
        """Take the events from an iterable, by default as the class says, or from a topic."""
        if isinstance(content, Topic):
            self.topic = content
            return
        super().stream(content, encode or _chunk)


def event_of(item: Any) -> str:
    """The event of an item: itself, or one with the item as its data."""
    if isinstance(item, ServerSentEvent):
        return item.encode()
    return data_event(json_text(item))


def data_event(text: str) -> str:
    """The event whose data is a text of one line."""
    return f"data: {text}\n\n"


def format_sse_event(
    *,
    data_str: str | None = None,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
    comment: str | None = None,
) -> bytes:
    """An event of fields that are not checked, as FastAPI has it."""
    return _lines(data_str, event, id, retry, comment).encode()


def _chunk(item: Any) -> Chunk:
    return item if isinstance(item, (str, bytes, bytearray, memoryview)) else event_of(item)


def _lines(
    data: str | None, event: str | None, id: str | None, retry: int | None, comment: str | None
) -> str:
    lines = []
    if comment is not None:
        lines += [f": {line}" for line in _split(comment)]
    if event is not None:
        lines.append(f"event: {event}")
    if data is not None:
        lines += [f"data: {line}" for line in _split(data)]
    if id is not None:
        lines.append(f"id: {id}")
    if retry is not None:
        lines.append(f"retry: {retry}")
    return "\n".join([*lines, "", ""])


def _split(text: str) -> list[str]:
    """Its lines. Other characters than these, at which `str.splitlines` splits, end no line."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
