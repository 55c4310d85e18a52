"""The bench app of streams.py for FastAPI: the same routes as the apps of its peers."""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

import asyncio
from collections.abc import AsyncIterator, Iterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse

app = FastAPI()

PART = b"x" * 65536
# One for each client: an event is put into all of them.
queues: set[asyncio.Queue[str]] = set()


@app.get("/")
def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


async def events() -> AsyncIterator[str]:
    queue: asyncio.Queue[str] = asyncio.Queue()
    queues.add(queue)
    try:
        while True:
            yield await queue.get()
    finally:
        queues.discard(queue)


@app.get("/news")
async def watch() -> StreamingResponse:
    return StreamingResponse(events(), media_type="text/event-stream")


@app.post("/say")
async def say(n: int) -> dict[str, object]:
    event = f'data: {{"n": {n}}}\n\n'
    for queue in queues:
        queue.put_nowait(event)
    return {"said": n}


@app.get("/ticks", response_class=EventSourceResponse)
async def ticks() -> AsyncIterator[dict[str, object]]:
    tick = 0
    while True:
        yield {"tick": tick}
        tick += 1
        await asyncio.sleep(1)


def repeat(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield PART


@app.get("/download")
def download(parts: int) -> StreamingResponse:
    return StreamingResponse(repeat(parts), media_type="application/octet-stream")
