"""Streams, WebSockets and topics of a tenant that means harm."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from bolt import EventSourceResponse, Router, StreamingResponse, Topic, TopicError, WebSocket

flows = Router(prefix="/flows")


@flows.get("/drip")
def drip() -> StreamingResponse:
    """A byte at a time, for ever."""

    def parts() -> Iterator[bytes]:
        while True:
            yield b"x"

    return StreamingResponse(parts())


@flows.get("/large")
async def large() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield bytes(10_000_000)

    return StreamingResponse(parts())


@flows.get("/spin")
async def spin() -> StreamingResponse:
    """Computes for ever after its first part."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"x"
        while True:
            pass

    return StreamingResponse(parts())


@flows.get("/stubborn")
async def stubborn() -> StreamingResponse:
    """Does not end when its client is gone."""

    async def parts() -> AsyncIterator[bytes]:
        while True:
            try:
                yield b"x"
                await asyncio.sleep(0.01)
            except BaseException:
                await asyncio.sleep(1000)

    return StreamingResponse(parts())


@flows.get("/publish")
def publish() -> int:
    """To one topic, until it is ended."""
    news = Topic("news")
    while True:
        news.publish("x" * 1000)


@flows.get("/topics")
def topics() -> int:
    """To as many topics as it can name, as much as it can."""
    number = 0
    while True:
        try:
            Topic(f"topic {number}").publish("x" * 100_000)
        except TopicError:
            return number
        number += 1


@flows.get("/subscribe")
async def subscribe() -> int:
    """A million times."""
    kept = []
    for number in range(1_000_000):
        try:
            subscription = Topic("news").subscribe()
            kept.append(subscription)
            await asyncio.wait_for(anext(subscription), 0.001)
        except TimeoutError:
            continue
        except TopicError:
            return number
    return len(kept)


@flows.get("/news")
async def news() -> EventSourceResponse:
    return EventSourceResponse(Topic("news"))


@flows.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)


@flows.websocket("/push")
async def push(socket: WebSocket) -> None:
    await socket.accept()
    while True:
        await socket.send_text("x" * 60_000)


@flows.websocket("/deaf")
async def deaf(socket: WebSocket) -> None:
    await socket.accept()
    while True:
        try:
            await asyncio.sleep(1000)
        except BaseException:
            continue
