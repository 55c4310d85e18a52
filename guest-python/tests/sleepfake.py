"""A fake host for the tests of WebSockets that sleep: the handshake, and a call for each event."""

import asyncio
import marshal
from collections import deque
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
from loop_host import REQUEST, loop_host
from socketfake import SocketHost
from streamfake import Taken

from bolt._dependencies.after_response import pending
from bolt._serialization.replies import encode_reply
from bolt._streams import progress
from bolt._topics import subscription
from bolt._websockets import line
from bolt._websockets.sleepers import Sleeper


class SleepingHost(SocketHost):
    """A `SocketHost` whose endpoints are called for events.

    attachment: what the host keeps.
    topics: those that the socket has joined.
    """

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.attachment = b""
        self.topics: list[str] = []
        self.takes_topics = True

    # The host.

    def sleep(self, request: int) -> None:
        assert self.calls[-1] == "open" and request not in self.replies
        self.calls.append("sleep")

    def attach(self, request: int, attachment: str) -> bool:
        assert request not in self.replies, "after the reply"
        self.attachment = attachment.encode("latin-1")
        self.calls.append(f"attach {self.attachment.decode()}".rstrip())
        return True

    def send(self, request: int, binary: bool, data: str) -> Taken:
        assert request not in self.replies, "after the reply"
        answer = self.answers.popleft() if self.answers else Taken.MORE
        if answer in (Taken.MORE, Taken.PAUSE):
            self.calls.append(f"{'bytes' if binary else 'text'} {data}")
        return answer

    def close(self, request: int, code: int, reason: str) -> None:
        assert request not in self.replies, "after the reply"
        super().close(request, code, reason)

    def join(self, request: int, topic: str) -> bool:
        assert request not in self.replies, "after the reply"
        if self.takes_topics:
            self.topics.append(topic)
        return self.takes_topics

    def leave_topic(self, request: int, topic: str) -> None:
        if topic in self.topics:
            self.topics.remove(topic)

    # The entry.

    def event(self, event: str, *values: Any, path: str = "/", request: int = 2) -> Any:
        """Call the handler of an event. Returns the reply, or None while it waits."""
        self.api.finish()
        (route,) = (one for one in self.api.routes if one.is_socket and one.path == path)
        (sleeper,) = (one for one in route.sleepers if one.event == event)
        context = copy_context()
        context.run(REQUEST.set, request)
        wire = marshal.loads(marshal.dumps((self.attachment, *values), 4))
        if not sleeper.is_async:
            context.run(self._call, request, sleeper, wire)
            return self.replies.get(request)
        self._starting = request
        running = context.run(sleeper.invoke, wire)
        self.tasks[request] = context.run(
            asyncio.Task, self._wait(request, sleeper, running), loop=self.clock.loop
        )
        self.clock.loop.run_ready()
        self._starting = 0
        self.run()
        return self.replies.get(request)

    def message(self, data: str | bytes, **options: Any) -> Any:
        return self.event("message", data, **options)

    def disconnect(self, code: int = 1000, reason: str = "", **options: Any) -> Any:
        return self.event("disconnect", code, reason, **options)

    def _call(self, request: int, sleeper: Sleeper, wire: Any) -> None:
        try:
            reply = encode_reply(200, sleeper.invoke(wire))
        except Exception as exc:
            reply = self._failed(exc, sleeper)
        self.replies[request] = marshal.loads(reply.encode("latin-1"))

    async def _wait(self, request: int, sleeper: Sleeper, running: Any) -> None:
        try:
            reply = encode_reply(200, await running)
        except Exception as exc:
            reply = self._failed(exc, sleeper)
        self.replies[request] = marshal.loads(reply.encode("latin-1"))

    def _failed(self, exc: Exception, sleeper: Sleeper) -> str:
        self._complain(exc, sleeper.shown)
        return encode_reply(500, {"detail": "Internal Server Error"})


class _Topics:
    """The functions of the interface `topics`."""

    def __init__(self, host: SleepingHost) -> None:
        self.join, self.leave = host.join, host.leave_topic


def sleeping_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[SleepingHost]:
    """The body of a fixture: the host, with the event loop of an instance."""
    for clock in loop_host(monkeypatch):
        made = SleepingHost(clock)
        pending.clear()
        progress.install(made, REQUEST.get)
        subscription.install(_Topics(made))
        made.install()
        yield made
        assert all(task.done() for task in made.tasks.values())
        assert not progress.flows
        progress.install(None, int)
        subscription.install(None)
        line.install(None, None)


def answers(*given: Taken) -> deque[Taken]:
    return deque(given)
