"""The chunks of a response: iterables of any kind behind one interface, and their wire form."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from typing import Any

__all__ = ["MOST_CHUNK", "Chunk", "Chunks", "close_iterator", "to_wire"]

MOST_CHUNK = 64 * 1024
"""The largest chunk that the host takes, in bytes."""

Chunk = str | bytes | bytearray | memoryview


class Chunks:
    """An async iterator of chunks, whatever they are made from.

    source: the iterator below, plain or async.
    is_async: which of the two it is.
    encode: makes a chunk of each of its items; None if they are chunks.
    """

    def __init__(
        self,
        content: Iterable[Any] | AsyncIterable[Any],
        encode: Callable[[Any], Chunk] | None = None,
    ) -> None:
        self.is_async = isinstance(content, AsyncIterable)
        self.source: Any = aiter(content) if isinstance(content, AsyncIterable) else iter(content)
        self.encode = encode

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self.is_async:
            item = await anext(self.source)
        else:
            try:
                item = next(self.source)
            except StopIteration:
                raise StopAsyncIteration from None
        return item if self.encode is None else self.encode(item)

    async def aclose(self) -> None:
        """Close the generator below, so that its `finally` runs."""
        await close_iterator(self.source)


async def close_iterator(source: AsyncIterator[Any] | Iterator[Any]) -> None:
    """Close a generator. Anything else, such as an open file, is left to its owner."""
    if isinstance(source, (AsyncGenerator, Chunks)):
        await source.aclose()
    elif isinstance(source, Generator):
        source.close()


def to_wire(chunk: Chunk, charset: str = "utf-8") -> Sequence[str]:
    """A chunk in pieces as the host takes them: each byte as the character of the same number.

    An empty chunk has no pieces. Raises TypeError for anything that is neither bytes nor str.
    """
    if isinstance(chunk, str):
        if chunk.isascii() and charset == "utf-8":
            text = str.__str__(chunk)
            if len(text) <= MOST_CHUNK:
                return (text,) if text else ()
            return [text[at : at + MOST_CHUNK] for at in range(0, len(text), MOST_CHUNK)]
        chunk = chunk.encode(charset)
    elif not isinstance(chunk, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"a chunk of a StreamingResponse is bytes or str, not {type(chunk).__qualname__}"
        )
    elif isinstance(chunk, memoryview) and not chunk.c_contiguous:
        chunk = chunk.tobytes()
    view = memoryview(chunk).cast("B")
    size = len(view)
    if size <= MOST_CHUNK:
        return (str(view, "latin-1"),) if size else ()
    return [str(view[at : at + MOST_CHUNK], "latin-1") for at in range(0, size, MOST_CHUNK)]
