"""`Subscription`: the events of a topic, one after the other, and the wait for the next one.

A task waits for a future that `on_news` resolves. The code always asks the host before it waits,
and no other code runs in between, so it cannot miss progress.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Self

__all__ = [
    "Subscription",
    "TopicError",
    "TopicEvent",
    "host",
    "install",
    "on_news",
    "subscriptions",
]

_NO_HOST = (
    "there is no host to {act} a topic: nobody listens while an app is imported, so do it in a "
    "handler or a lifespan (a test may give a host of its own to bolt.topics.install)"
)
_NO_TASK = (
    "a topic is subscribed to in `async def` code: a `def` handler would keep its interpreter "
    "waiting for events (it may publish)"
)
_TOO_MANY = (
    "cannot subscribe to the topic {name!r}: an interpreter has at most 100 subscriptions, and an "
    "app 1000 topics"
)
# A timer, so that the loop returns to the host, which may have other requests.
_PAUSE = 1e-9
# The most events that are taken in a row while other requests wait.
_IN_A_ROW = 64
_MOST_ID = 2**64 - 1

_host: Any = None
# Subscriptions that were garbage collected without `aclose`. The collector can run at any moment,
# also within a host call, so a later call to the host ends them instead.
_dropped: list[int] = []

subscriptions: dict[int, set[asyncio.Future[None]]] = {}
"""Those that are not ended, each with the futures that wait for its progress.

The entry tests it at each alarm, which is cheaper than a call.
"""


class TopicError(RuntimeError):
    """The host has refused to publish or to subscribe, or a subscriber was too slow."""


@dataclass(frozen=True, slots=True)
class TopicEvent:
    """An event of a topic.

    id: its number; those of a topic increase.
    event: its type, or None.
    data: the value that was published, as JSON has it.
    """

    id: int
    event: str | None
    data: Any


def install(host: Any) -> None:
    """Use `host`, an object like the module `wit_world.imports.topics`; None removes it."""
    global _host
    _host = host
    subscriptions.clear()
    _dropped.clear()


def host(act: str) -> Any:
    """The functions of the host. Raises RuntimeError if there is no host.

    act: what the caller wants to do, for the error.
    """
    if _host is None:
        raise RuntimeError(_NO_HOST.format(act=act))
    return _host


def on_news() -> None:
    """Resume the tasks that wait for a subscription which has made progress."""
    if _host is None:
        return
    _sweep()
    for number in _host.news():
        _wake(subscriptions.get(number))


def _wake(futures: set[asyncio.Future[None]] | None) -> None:
    for future in futures or ():
        if not future.done():
            future.set_result(None)


def _sweep() -> None:
    while _dropped:
        number = _dropped.pop()
        if subscriptions.pop(number, None) is not None:
            _host.unsubscribe(number)


class Subscription:
    """A subscription to a topic: `async for value in subscription`.

    It begins when it is made. It ends with `aclose`, with `async with`, or when nobody refers to it
    any more.

    id: the number of the last event that was taken, or None.
    missed: how many events were dropped, because the subscriber was too slow.
    """

    _is_open = False

    def __init__(self, topic: str, closes: bool, after: int | None) -> None:
        """closes: it ends with a TopicError when it has missed events.

        Raises as `Topic.subscribe` does.
        """
        if after is not None and (type(after) is not int or after < 0):
            raise ValueError(f"`after` is the number of an event, not {after!r}")
        self._host = host("subscribe to")
        if _task() is None:
            raise RuntimeError(_NO_TASK)
        _sweep()
        # A client may have sent any number.
        last = None if after is None else min(after, _MOST_ID)
        self._number: int = self._host.subscribe(topic, last)
        if not self._number:
            raise TopicError(_TOO_MANY.format(name=topic))
        self._is_open = True
        self._futures = subscriptions[self._number] = set()
        self._topic = topic
        self._closes = closes
        self._count = 0
        self.id: int | None = None
        self.missed = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return (await self._next()).data

    def events(self) -> AsyncIterator[TopicEvent]:
        """The same events with their numbers and types."""
        return _Events(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._end()

    async def aclose(self) -> None:
        """End it. Those who wait for an event see that the iteration ends."""
        self._end()

    async def _next(self) -> TopicEvent:
        host = self._host
        while self._is_open:
            if self._count >= _IN_A_ROW:
                # Before an event is taken: this wait may be cancelled.
                self._count = 0
                await asyncio.sleep(_PAUSE)
                continue
            event = host.next(self._number)
            if isinstance(event, host.Event_Pending):
                self._count = 0
                await self._news()
            elif isinstance(event, host.Event_Missed):
                self._miss(event.value)
            else:
                self._count += 1
                number, kind, data = event.value
                self.id = number
                return TopicEvent(number, kind or None, json.loads(data))
        raise StopAsyncIteration

    async def _news(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.add(future)
        try:
            await future
        finally:
            self._futures.discard(future)

    def _miss(self, count: int) -> None:
        self.missed += count
        if self._closes:
            self._end()
            raise TopicError(
                f"{count} events of the topic {self._topic!r} were dropped: "
                "the subscriber was too slow"
            )

    def _end(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        if self._host is _host:
            subscriptions.pop(self._number, None)
            self._host.unsubscribe(self._number)
        _wake(self._futures)

    def __del__(self) -> None:
        if self._is_open and self._host is _host:
            _dropped.append(self._number)


class _Events:
    """The events of a subscription. No generator: one that is dropped would have to be closed."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TopicEvent:
        return await self._subscription._next()


def _task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        # No event loop runs.
        return None
