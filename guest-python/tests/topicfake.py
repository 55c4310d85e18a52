"""A fake host for the tests of topics: the topics of an app, and one interpreter of it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from loop_host import Host, loop_host

from bolt import topics
from bolt._topics import subscription

Event = tuple[int, str, str]


@dataclass
class Published_Id:
    value: int


@dataclass
class Published_Refused:
    value: str


@dataclass
class Event_Pending: ...


@dataclass
class Event_Data:
    value: Event


@dataclass
class Event_Missed:
    value: int


class TopicHost:
    """The functions of the interface `topics`.

    events: those of each topic.
    waiting: what each open subscription will be given.
    joined: the topics of each WebSocket, in order.
    refusal: why the next events are refused.
    """

    Published_Id, Published_Refused = Published_Id, Published_Refused
    Event_Pending, Event_Data, Event_Missed = Event_Pending, Event_Data, Event_Missed

    def __init__(self, clock: Host) -> None:
        self.clock = clock
        self.events: dict[str, list[Event]] = {}
        self.waiting: dict[int, deque[Any]] = {}
        self.joined: dict[int, list[str]] = {}
        self.refusal = ""
        self.most = 3
        self._topics: dict[int, str] = {}
        self._news: list[int] = []
        self._count = 0

    # The host.

    def publish(self, topic: str, kind: str, data: str) -> Published_Id | Published_Refused:
        assert "\n" not in data
        if self.refusal:
            return Published_Refused(self.refusal)
        kept = self.events.setdefault(topic, [])
        event = (len(kept) + 1, kind, data)
        kept.append(event)
        for number, items in self.waiting.items():
            if self._topics[number] == topic:
                items.append(Event_Data(event))
                self._news.append(number)
        return Published_Id(event[0])

    def subscribe(self, topic: str, after: int | None) -> int:
        if len(self.waiting) >= self.most:
            return 0
        self._count += 1
        kept = [] if after is None else self.events.get(topic, [])[after:]
        self.waiting[self._count] = deque(map(Event_Data, kept))
        self._topics[self._count] = topic
        return self._count

    def next(self, subscription: int) -> Any:
        items = self.waiting[subscription]
        return items.popleft() if items else Event_Pending()

    def unsubscribe(self, subscription: int) -> None:
        del self.waiting[subscription]

    def join(self, request: int, topic: str) -> bool:
        joined = self.joined.setdefault(request, [])
        if len(joined) >= self.most:
            return False
        joined.append(topic)
        return True

    def leave(self, request: int, topic: str) -> None:
        self.joined[request].remove(topic)

    def news(self) -> list[int]:
        found, self._news = self._news, []
        return found

    # The instance.

    def miss(self, number: int, count: int) -> None:
        """A subscriber was too slow."""
        self.waiting[number].appendleft(Event_Missed(count))
        self._news.append(number)

    def tell(self) -> None:
        """The alarm fires, as after progress, until nothing is due."""
        subscription.on_news()
        self.clock.loop.tick()
        while self.clock.alarm is not None:
            self.clock.ring()


def topic_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[TopicHost]:
    """The body of a fixture: the host, with the event loop of an instance."""
    for clock in loop_host(monkeypatch):
        made = TopicHost(clock)
        topics.install(made)
        yield made
        topics.install(None)
