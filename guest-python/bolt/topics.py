"""`Topic`: what one handler publishes, all subscribers of the app get, in whichever interpreter.

    news = Topic("news")

    @api.post("/say")
    def say(text: str) -> int:
        return news.publish(text).id

    @api.get("/news")
    async def listen() -> EventSourceResponse:
        return EventSourceResponse(news)

A WebSocket gets the events of a topic after `socket.join(news)`.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

from ._serialization.json_text import json_text
from ._topics import subscription
from ._topics.subscription import Subscription, TopicError, TopicEvent

__all__ = ["Published", "Subscription", "Topic", "TopicError", "TopicEvent", "install"]

_LONGEST_NAME = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# A traceback names it by the path that an author imports it from.
TopicError.__module__ = __name__


@dataclass(frozen=True, slots=True)
class Published:
    """An event that the host has. To await it returns its number at once.

    id: its number; those of a topic increase. 0 if the host shares its topics with other hosts: the
        broker gives the number later.
    """

    id: int

    def __await__(self) -> Generator[Any, Any, int]:
        yield from ()
        return self.id


class Topic:
    """A topic of the app: all of this name are the same one.

    name: 1 to 200 characters, none of them a control character.
    overflow: what becomes of a subscriber that is too slow: with "drop", it misses the oldest
        events, and with "close", it ends. WebSockets always miss events.

    Raises ValueError for another name or overflow.
    """

    __slots__ = ("name", "overflow")

    def __init__(self, name: str, *, overflow: Literal["drop", "close"] = "drop") -> None:
        if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST_NAME:
            raise ValueError(
                f"the name of a topic is a text of 1 to {_LONGEST_NAME} characters, not {name!r}"
            )
        _check_text(name, "name of a topic")
        if overflow not in ("drop", "close"):
            raise ValueError(f'the overflow of a topic is "drop" or "close", not {overflow!r}')
        self.name = str.__str__(name)
        self.overflow = overflow

    @property
    def closes(self) -> bool:
        """Whether a subscriber that is too slow ends."""
        return self.overflow == "close"

    def publish(self, data: Any, *, event: str | None = None) -> Published:
        """Give an event to all subscribers. It waits for nobody, also if it is awaited.

        data: any value that a handler may return.
        event: its type, one line without control characters; for `addEventListener` in browsers.

        Raises TopicError with the reason if the host refuses it, RuntimeError while the app is
        imported, ValueError for an invalid type, and as a result does for data that is no JSON.
        """
        if event is not None:
            if not isinstance(event, str):
                raise ValueError(f"the type of an event is text, not {event!r}")
            _check_text(event, "type of an event")
        text = json_text(data)
        if not text.isascii():
            # A surrogate has no UTF-8.
            text.encode()
        host = subscription.host("publish to")
        answer = host.publish(self.name, event or "", text)
        if isinstance(answer, host.Published_Refused):
            raise TopicError(answer.value)
        return Published(answer.value)

    def subscribe(self, *, after: int | None = None) -> Subscription:
        """An async iterator of the values that are published from now on.

        after: the number of an event; those after it that the host has kept come first, and with 0
            all that it has kept.

        Raises TopicError if there are too many subscriptions, RuntimeError in a `def` handler and
        while the app is imported, and ValueError for another `after`.
        """
        return Subscription(self.name, self.closes, after)

    def __repr__(self) -> str:
        return f"Topic({self.name!r})"


def install(host: Any) -> None:
    """Use `host`, an object like the module `wit_world.imports.topics`.

    The build calls it after it has imported the app. A test may call it with an object that has the
    same functions and classes; None removes the host.
    """
    subscription.install(host)


def _check_text(text: str, what: str) -> None:
    found = _CONTROL.search(text)
    if found is not None:
        raise ValueError(f"the {what} has no control characters, as {text!r} does")
    if not text.isascii():
        # A surrogate has no UTF-8.
        text.encode()
