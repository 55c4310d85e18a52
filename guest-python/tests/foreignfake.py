"""Apps of other frameworks behind a fake host: requests go through their routes as the entry runs
them, and what the client gets is put together from the reply and the stream."""

import asyncio
import marshal
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import pytest
from loop_host import REQUEST
from streamfake import Progress, StreamHost, stream_host

from bolt import BoltAPI, HTTPException
from bolt._dependencies.after_response import pending
from bolt._runtime.tracebacks import app_traceback, failure_text
from bolt._serialization.replies import encode_exception, encode_reply
from bolt._websockets import line


@dataclass
class Answer:
    """What the client has got so far.

    kind: how the body came: "whole", "stream", or "file".
    """

    status: int = 0
    content_type: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    kind: str = ""

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class ForeignHost:
    """A host with one app. streams: the fake of streams, whose calls include those of `linger`."""

    def __init__(self, streams: StreamHost) -> None:
        self.streams = streams
        self.api = BoltAPI()
        self.task: Any = None
        self._answer = Answer()

    @property
    def complaints(self) -> list[str]:
        return self.streams.complaints

    def complain(self, exc: BaseException, handler: str) -> None:
        self.complaints.append(failure_text(exc, handler))

    def end(self) -> None:
        """The interpreter ends: leave the lifespans of the app."""
        for lifespan in {life for route in self.api.routes for life in route.plan.lifespans}:
            self.streams.clock.run(lifespan.leave())

    def serve(self, app: Any, interface: str | None = None) -> None:
        self.end()
        self.api = app if isinstance(app, BoltAPI) else BoltAPI.serving(app, interface)

    def start(
        self,
        method: str = "GET",
        path: str = "/",
        headers: Any = (),
        body: bytes | None = b"",
        query: str = "",
        prefix: str = "",
        scheme: str = "http",
    ) -> None:
        """Send a request. A body of None is read from the parts of the fake host."""
        routes = [one for one in self.api.routes if one.method == method]
        route = next(one for one in routes if path.startswith(one.path.removesuffix("{path:path}")))
        sent = [("host", "app.example:8000"), *headers]
        wire = (method, scheme, path, query, sent, ("10.0.0.1", 5), {}, body, prefix)
        values = (wire,) if len(route.params) == 1 else (wire, *[None] * (len(route.params) - 1))
        if route.params[0].source == "stream":
            values = (None, wire)
        context = copy_context()
        context.run(REQUEST.set, 7)
        self._answer = Answer()
        loop = self.streams.clock.loop
        self.task = context.run(asyncio.Task, self._run(route, values), loop=loop)
        loop.run_ready()

    async def _run(self, route: Any, values: Any) -> None:
        try:
            result = route.invoke(values)
            reply = encode_reply(200, await result if route.is_async else result)
        except HTTPException as exc:
            reply = encode_exception(exc)
        except asyncio.CancelledError:
            return
        except BaseException as exc:
            self.complain(exc, route.shown)
            reply = encode_reply(500, {"detail": "Internal Server Error"})
        for exits in pending:
            if exits.stream is not None:
                reply = self.streams.outflows.open(7, exits, reply, route.shown)
                continue
            self.streams.calls.append("linger 7 begins")
            self.streams.clock.loop.call_later(0, self._finish, exits)
        pending.clear()
        status, content_type, pairs, value, *rest = self._decoded(reply)
        kind = rest[0] if rest else "whole"
        body = value.encode() if isinstance(value, str) else value
        self._answer = Answer(status, content_type, pairs, body, kind)

    def _decoded(self, reply: str) -> Any:
        decoded = marshal.loads(reply.encode("latin-1"))
        return decoded if len(decoded) > 2 else (decoded[0], None, [], repr(decoded[1]).encode())

    def _finish(self, exits: Any) -> None:
        async def finish() -> None:
            await exits.run(lambda exc: self.complaints.append(app_traceback(exc)))
            self.streams.calls.append("linger 7 ends")

        self.rest = asyncio.Task(finish(), loop=self.streams.clock.loop)

    def answer(self, rounds: int = 50) -> Answer:
        """What the client has, after as many alarms as are due, or so many."""
        self.streams.run(rounds)
        found = self._answer
        if found.kind == "stream":
            found.body = "".join(self.streams.chunks).encode("latin-1")
        return found

    def request(self, *args: Any, **options: Any) -> Answer:
        """Send a request, and wait for all of the answer."""
        self.streams.chunks.clear()
        self.start(*args, **options)
        return self.answer()

    def cancel(self) -> None:
        """The client of a request without an answer leaves."""
        self.task.cancel()
        self.streams.clock.loop.run_ready()
        self.streams.run()

    def leave(self) -> None:
        """The client of a response that flows leaves."""
        self.streams.tell(Progress(7, gone=True))
        self.streams.run()


def foreign_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForeignHost]:
    """The body of a fixture."""
    for streams in stream_host(monkeypatch):
        made = ForeignHost(streams)
        line.install(
            object(), line.Service(_nothing, _nothing, _nothing, _nothing, made.complain, _nothing)
        )
        yield made
        made.end()
        line.install(None, None)


def _nothing(*args: Any) -> Any:
    """What the entry would do, and is of no interest."""
