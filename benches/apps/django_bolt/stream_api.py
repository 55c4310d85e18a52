"""The bench app of streams.py for Django-Bolt: one queue for each client of /news."""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

import asyncio
from collections.abc import AsyncIterator

from django_bolt import BoltAPI
from django_bolt.responses import StreamingResponse

api = BoltAPI(enable_logging=False)

queues: set[asyncio.Queue[str]] = set()


@api.get("/")
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


@api.get("/news")
async def watch() -> StreamingResponse:
    return StreamingResponse(events(), media_type="text/event-stream")


@api.post("/say")
async def say(n: int) -> dict[str, object]:
    event = f'data: {{"n": {n}}}\n\n'
    for queue in queues:
        queue.put_nowait(event)
    return {"said": n}
