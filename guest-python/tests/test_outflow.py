"""Responses that flow: what the host is told and when, and how streams end."""

import asyncio
import contextvars
import marshal
from typing import Any

import pytest
from loop_host import REQUEST
from streamfake import Progress, StreamHost, Taken, stream_host

from bolt import BackgroundTask, BackgroundTasks, HTTPException, Response, StreamingResponse
from bolt._dependencies.after_response import Exits
from bolt._streams.chunks import MOST_CHUNK, to_wire
from bolt.concurrency import iterate_in_threadpool
from bolt.sse import EventSourceResponse, ServerSentEvent


@pytest.fixture
def host(monkeypatch):
    yield from stream_host(monkeypatch)


def decoded(reply: str) -> Any:
    return marshal.loads(reply.encode("latin-1"))


async def later(items: Any, events: list[str] | None = None) -> Any:
    try:
        for item in items:
            yield item
            await asyncio.sleep(0.01)
    except BaseException as exc:
        if events is not None:
            events.append(type(exc).__name__)
        raise
    finally:
        if events is not None:
            events.append("finally")


def at_once(items: Any, events: list[str]) -> Any:
    try:
        yield from items
    except BaseException as exc:
        events.append(type(exc).__name__)
        raise
    finally:
        events.append("finally")


def test_chunks_have_pieces_that_the_host_takes():
    assert to_wire("") == to_wire(b"") == ()
    assert to_wire("abc") == to_wire(bytearray(b"abc")) == ("abc",)
    assert to_wire("ä") == to_wire("ä".encode()) == ("\xc3\xa4",)
    assert to_wire("ä", "latin-1") == ("\xe4",)
    assert to_wire(memoryview(b"abcd")[::2]) == ("ac",)
    assert to_wire(memoryview(b"abcd").cast("H")) == ("abcd",)
    for chunk in ("x" * (MOST_CHUNK + 1), b"x" * (MOST_CHUNK + 1)):
        assert [len(piece) for piece in to_wire(chunk)] == [MOST_CHUNK, 1]
    assert [len(piece) for piece in to_wire("ä" * MOST_CHUNK)] == [MOST_CHUNK] * 2
    with pytest.raises(TypeError, match="bytes or str, not int"):
        to_wire(5)  # type: ignore[arg-type]


def test_the_stream_is_open_before_the_reply_and_written_after_it(host: StreamHost):
    reply = host.answer(StreamingResponse(iter(["a", "", b"b", "ä"]), 201, {"x-a": "b"}))
    assert decoded(reply) == (
        *(201, "application/octet-stream", [("x-a", "b")]),
        *(b"", "stream"),
    )
    assert host.calls == ["open 1"]
    host.run()
    assert host.calls == ["open 1", "write a", "write b", "write Ã¤", "close 1 ok"]
    assert host.sent == "abä" and host.complaints == []


def test_it_begins_when_the_host_has_the_reply(host: StreamHost):
    host.unsent = 1
    host.answer(StreamingResponse(iter(["a"])))
    host.clock.loop.call_soon(lambda: None)
    host.clock.loop.run_ready()
    host.clock.ring()
    assert host.calls == ["open 1"]
    host.unsent = 0
    host.run()
    assert host.calls == ["open 1", "write a", "close 1 ok"]


def test_media_types_of_streams():
    def of(**options: Any) -> str:
        return StreamingResponse([], **options).reply_type()[0]

    assert of(media_type="text/csv") == "text/csv; charset=utf-8"
    assert of(headers={"Content-Type": "a/b"}) == "a/b"
    assert of() == "application/octet-stream"


def test_iterables_of_all_kinds_are_streams(host: StreamHost):
    for number, content in enumerate((["a"], "a", ("a",), iter(["a"]), later(["a"])), 1):
        host.answer(StreamingResponse(content), number)
    host.run()
    assert host.chunks == ["a"] * 5
    for wrong in (5, b"abc", None):
        with pytest.raises(TypeError):
            StreamingResponse(wrong)


def test_a_slow_client_stops_the_iterable(host: StreamHost):
    asked = []

    def content() -> Any:
        for chunk in "abc":
            asked.append(chunk)
            yield chunk

    host.answers.extend([Taken.MORE, Taken.FULL, Taken.FULL])
    host.answer(StreamingResponse(content()))
    host.run()
    assert asked == ["a", "b"] and host.sent == "a"
    # Another request has progressed.
    host.tell(Progress(2))
    assert host.calls[-1] == "write b" and asked == ["a", "b"]
    host.tell(Progress(1))
    assert asked == ["a", "b"] and host.sent == "a"
    host.tell(Progress(1))
    assert host.sent == "abc"
    host.run()
    assert host.calls[-1] == "close 1 ok"


def test_a_stream_that_computes_for_long_lets_others_run(host: StreamHost):
    host.answers.extend([Taken.PAUSE, Taken.PAUSE])
    host.answer(StreamingResponse(iter(["a", "b", "c"])))
    host.clock.ring()
    # It has returned to the host, which rings at once.
    assert host.sent == "a" and host.clock.alarm is not None
    host.answer(StreamingResponse(iter("x")), 2)
    host.run()
    assert sorted(host.sent) == ["a", "b", "c", "x"] and host.complaints == []


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_client_that_leaves_ends_the_iterable(host: StreamHost, kind: str):
    events: list[str] = []
    if kind == "async":
        content, at_end = later(iter(lambda: "x", 0), events), "CancelledError"
    else:
        content, at_end = at_once(iter(lambda: "x", 0), events), "GeneratorExit"
        host.answers.extend([Taken.MORE, Taken.FULL])
    host.answer(StreamingResponse(content, background=BackgroundTask(events.append, "task")))
    host.run(5)
    host.tell(Progress(1, gone=True))
    host.run()
    assert events == [at_end, "finally", "task"]
    assert host.calls[-3:] == ["linger 1 begins", "close 1 ok", "linger 1 ends"]
    assert host.complaints == []


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_the_host_says_at_a_chunk_that_the_client_is_gone(host: StreamHost, kind: str):
    events: list[str] = []
    make = later if kind == "async" else at_once
    host.answers.extend([Taken.MORE, Taken.GONE])
    host.answer(StreamingResponse(make("abc", events)))
    host.run()
    assert events == ["GeneratorExit", "finally"]
    assert host.calls[-2:] == ["write b", "close 1 ok"] and host.complaints == []


def test_a_client_that_leaves_before_the_first_chunk(host: StreamHost):
    events: list[str] = []
    host.answer(StreamingResponse(later("abc", events)))
    host.tell(Progress(1, gone=True))
    host.run()
    assert host.calls == ["open 1", "close 1 ok"] and host.complaints == []


def test_what_an_iterable_does_at_its_end_is_not_cancelled(host: StreamHost):
    events = []

    async def content() -> Any:
        try:
            yield "a"
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(1)
            async with asyncio.timeout(5):
                events.append("closed")

    host.answer(StreamingResponse(content()))
    host.run(3)
    host.tell(Progress(1, gone=True))
    host.tell(Progress(1, gone=True))
    host.run()
    assert events == ["closed"] and host.calls[-1] == "close 1 ok"


@pytest.mark.parametrize(
    "exc", [ValueError("broken"), HTTPException(404), asyncio.CancelledError("own"), SystemExit(3)]
)
def test_an_exception_after_the_start_breaks_the_stream(host: StreamHost, exc: BaseException):
    seen: list[str] = []

    def content() -> Any:
        yield "a"
        raise exc

    def dependency() -> Any:
        try:
            yield
        except BaseException as raised:
            seen.append(repr(raised))
            raise

    exits = Exits()
    exits.enter(dependency())
    exits.background.add_task(seen.append, "task")
    host.answer(exits.hold(StreamingResponse(content())))
    host.run()
    assert seen == [repr(exc)]
    assert host.calls == [
        *("open 1", "write a", "linger 1 begins", "close 1 failed", "linger 1 ends")
    ]
    (said,) = host.complaints
    assert type(exc).__name__ in said and "in content" in said


def test_a_chunk_that_is_none_names_the_handler(host: StreamHost):
    host.answer(StreamingResponse([5]), handler="numbers, app.py:7")
    host.run()
    assert host.calls[-1] == "close 1 failed"
    assert "numbers, app.py:7: TypeError: a chunk of a StreamingResponse" in host.complaints[0]


def test_an_exception_while_it_is_closed_is_logged(host: StreamHost):
    def content() -> Any:
        try:
            yield "a"
        finally:
            raise KeyError("cleanup")

    host.answers.append(Taken.GONE)
    host.answer(StreamingResponse(content()))
    host.run()
    assert "KeyError: 'cleanup'" in host.complaints[0] and host.calls[-1] == "close 1 failed"


def test_work_after_the_response_comes_after_the_stream(host: StreamHost):
    events: list[str] = []

    def dependency() -> Any:
        yield
        events.append("dependency")

    def content(tasks: BackgroundTasks) -> Any:
        yield "a"
        events.append("stream")
        tasks.add_task(events.append, "task")

    exits = Exits()
    exits.enter(dependency())
    host.answer(exits.hold(StreamingResponse(content(exits.background))))
    host.run()
    assert events == ["stream", "task", "dependency"]
    assert host.calls == [*("open 1", "write a", "linger 1 begins", "close 1 ok", "linger 1 ends")]
    lonely = Exits()
    host.answer(lonely.hold(StreamingResponse(content(lonely.background))), 2)
    host.run()
    assert events[3:] == ["stream", "task"] and host.calls[-1] == "linger 2 ends"


def test_work_after_the_response_that_fails_is_logged(host: StreamHost):
    def fail() -> None:
        raise ValueError("task")

    host.answer(StreamingResponse(iter("a"), background=BackgroundTask(fail)))
    host.run()
    assert "ValueError: task" in host.complaints[0] and host.calls[-1] == "linger 1 ends"


def test_too_many_streams(host: StreamHost):
    events: list[str] = []
    host.has_room = False
    started = at_once("abc", events)
    next(started)

    def dependency() -> Any:
        try:
            yield
        except HTTPException as exc:
            events.append(str(exc))
            raise

    exits = Exits()
    exits.enter(dependency())
    exits.background.add_task(events.append, "task")
    reply = host.answer(exits.hold(StreamingResponse(started)))
    assert decoded(reply) == (503, {"detail": "Service Unavailable"})
    # The host knows before the reply that there is work after it.
    assert host.calls == ["open 1", "linger 1 begins"]
    host.run()
    assert events == ["GeneratorExit", "finally", "503: Service Unavailable"]
    assert host.calls == ["open 1", "linger 1 begins", "linger 1 ends"] and host.complaints == []


def test_chunks_see_the_context_of_the_handler(host: StreamHost):
    variable = contextvars.ContextVar("variable", default="none")
    seen: list[Any] = []

    async def content() -> Any:
        seen.append((variable.get(), REQUEST.get()))
        variable.set("stream")
        yield "a"
        await asyncio.sleep(0.01)
        seen.append((variable.get(), REQUEST.get()))

    def handler() -> None:
        variable.set("handler")
        host.answer(StreamingResponse(content()), 7)

    contextvars.copy_context().run(handler)
    host.run()
    assert seen == [("handler", 7), ("stream", 7)] and variable.get() == "none"
    # The host knows for whom the interpreter computes from the first chunk on.
    assert host.clock.served[-1] == 7 and 0 not in host.clock.served


async def collected(response: StreamingResponse) -> list[Any]:
    return [chunk async for chunk in response.body_iterator]


def test_middleware_may_replace_the_iterator(host: StreamHost):
    async def louder(chunks: Any) -> Any:
        async for chunk in chunks:
            yield chunk.upper()

    for number, content in enumerate((["a", "b"], later("ab")), 1):
        response = StreamingResponse(content)
        response.body_iterator = louder(response.body_iterator)
        response.headers["x-a"] = "b"
        assert decoded(host.answer(response, number))[2] == [("x-a", "b")]
    whole = StreamingResponse(iterate_in_threadpool(["c"]))
    chunks = host.clock.run(collected(whole))
    whole.body_iterator = iterate_in_threadpool(iter(chunks))
    host.answer(whole, 3)
    host.run()
    assert sorted(host.chunks) == ["A", "A", "B", "B", "c"] and host.complaints == []


def test_a_stream_with_a_body_is_none(host: StreamHost):
    response = StreamingResponse(["a"])
    with pytest.raises(AttributeError, match="body_iterator"):
        _ = response.body
    response.body = b"whole"
    assert decoded(host.answer(response))[3:] == (b"whole",) and host.calls == []


def test_an_invalid_header_is_found_before_anything_is_opened(host: StreamHost):
    response = StreamingResponse(["a"])
    response.headers["x-a"] = "b\r\n"
    with pytest.raises(ValueError, match="line break"):
        host.answer(response)
    assert host.calls == []


def test_events_say_what_the_host_sends_by_itself(host: StreamHost):
    last = ServerSentEvent(event="bye", data="ä")
    response = EventSourceResponse([], ping=0x7FFF, last=last)
    kind = decoded(host.answer(response))
    assert kind[:2] == (200, "text/event-stream; charset=utf-8")
    assert kind[2] == [("cache-control", "no-cache"), ("x-accel-buffering", "no")]
    assert kind[3:] == (b"", "events", 32767000, 'event: bye\ndata: "ä"\n\n'.encode())
    own = EventSourceResponse([], headers={"Cache-Control": "no-store"}, ping=None)
    kind = decoded(host.answer(own, 2))
    assert ("cache-control", "no-store") in kind[2] and kind[5:] == (0, b"")
    assert decoded(host.answer(EventSourceResponse([]), 3))[5] == 15000
    host.run()


def test_other_responses_are_as_they_were(host: StreamHost):
    assert decoded(host.answer(Response(b"x"))) == (200, "application/octet-stream", [], b"x")
    assert host.calls == []
