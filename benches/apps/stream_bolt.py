"""The bench app of streams.py for bolt-host: the same routes as the apps of its peers."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from bolt import BoltAPI, StreamingResponse, WebSocket
from bolt.sse import EventSourceResponse

api = BoltAPI()

PART = b"x" * 65536


@api.get("/")
def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@api.get("/ticks", response_class=EventSourceResponse)
async def ticks() -> AsyncIterator[dict[str, object]]:
    tick = 0
    while True:
        yield {"tick": tick}
        tick += 1
        await asyncio.sleep(1)


def repeat(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield PART


@api.get("/download")
def download(parts: int) -> StreamingResponse:
    return StreamingResponse(repeat(parts), media_type="application/octet-stream")


@api.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
