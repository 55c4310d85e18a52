"""Handlers that yield: lines of JSON, events and chunks. The expected bodies are FastAPI's.

Where FastAPI writes JSON with spaces and escapes, in items without a declared type, the SDK writes
it as the host does.
"""

import json
import typing
from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from streamfake import StreamHost, stream_host

from bolt import (
    HTML,
    BackgroundTasks,
    BoltAPI,
    Depends,
    HTTPException,
    JSONResponse,
    Response,
    Router,
    StreamingResponse,
    Struct,
)
from bolt._app.manifest import manifest
from bolt._openapi.document import openapi
from bolt._routing.route import Route
from bolt._runtime.warmup_samples import warmup_call
from bolt.exceptions import BuildError
from bolt.responses import EventSourceResponse
from bolt.sse import ServerSentEvent


@pytest.fixture
def host(monkeypatch):
    yield from stream_host(monkeypatch)


class Item(Struct):
    name: str
    price: float = 1.0
    secret: str | None = None


def route_of(handler: Any, **options: Any) -> Route:
    api = BoltAPI()
    api.get("/", **options)(handler)
    api.finish()
    return api.routes[0]


def sent(host: StreamHost, handler: Any, wire: tuple[Any, ...] = (), **options: Any) -> str:
    """The body that a handler sends; `host.calls` ends with how it ended."""
    route = route_of(handler, **options)
    result = route.invoke(wire)
    if route.is_async:
        result = host.clock.run(result)
    host.chunks.clear()
    host.answer(result, handler=route.shown)
    host.run(50)
    return host.sent


def lines(host: StreamHost, handler: Any, **options: Any) -> list[str]:
    return sent(host, handler, **options).splitlines()


def of(annotation: Any, *items: Any) -> Any:
    """A handler that yields these, with a declared type."""

    def handler():
        yield from items

    handler.__annotations__["return"] = annotation
    return handler


A, B = '{"name":"a","price":1.0,"secret":null}', '{"name":"b","price":2.0,"secret":null}'


@pytest.mark.parametrize(
    ("handler", "body"),
    [
        (of(Iterable[Item], Item(name="a"), {"name": "b", "price": "2", "extra": 1}), [A, B]),
        (of(Iterator[Item], Item(name="ä")), ['{"name":"ä","price":1.0,"secret":null}']),
        (of(Generator[Item, None, None], Item(name="a")), [A]),
        (of(typing.Iterable[Item], Item(name="a")), [A]),
        (of(Iterable[Any], Item(name="a"), 1, None), [A, "1", "null"]),
        (of(typing.Iterable, 1), ["1"]),
        (of(Iterable[int], "5", 7), ["5", "7"]),
        (of(Iterable[bytes], b"ab"), ['"ab"']),
        (of(Iterable[list[Item]], [Item(name="a")]), [f"[{A}]"]),
        (of(Iterable[datetime], datetime(2020, 1, 1, tzinfo=UTC)), ['"2020-01-01T00:00:00Z"']),
        # These declare the whole result, which is none.
        (of(Item, {"x": 1}), ['{"x":1}']),
        (of(list[int], "x"), ['"x"']),
        (of(StreamingResponse, 1), ["1"]),
    ],
)
def test_declared_items(host: StreamHost, handler: Any, body: list[str]):
    assert lines(host, handler) == body
    assert host.calls[-1] == "close 1 ok", host.complaints


def test_items_without_a_declared_type(host: StreamHost):
    def handler():
        yield {"a": 1, "b": [1, 2], "c": "ä"}
        yield "text"
        yield b"bytes"
        yield None
        yield 1.5
        yield Decimal("1.5")
        yield datetime(2020, 1, 1, tzinfo=UTC)
        yield Item(name="a")
        yield [Item(name="a"), (1, {2})]
        yield {1: 2}
        yield 10**20
        yield '<\u2028"'

    assert sent(host, handler).split("\n") == [
        '{"a":1,"b":[1,2],"c":"ä"}',
        '"text"',
        '"bytes"',
        "null",
        "1.5",
        '"1.5"',
        '"2020-01-01T00:00:00Z"',
        A,
        f"[{A},[1,[2]]]",
        '{"1":2}',
        "100000000000000000000",
        '"<\u2028\\""',
        "",
    ]


def test_the_reply_of_lines(host: StreamHost):
    def handler(response: Response):
        response.headers["x-a"] = "late"
        yield 1

    route = route_of(handler, status_code=201)
    made = route.invoke(())
    assert isinstance(made, StreamingResponse) and not route.is_async
    assert made.reply_type() == ("application/jsonl", [])
    assert made.status_code is None and route.status_code == 201
    host.answer(made)
    host.run()


def test_a_dependency_may_set_the_status_and_headers(host: StreamHost):
    def dependency(response: Response):
        response.status_code = 202
        response.headers["x-a"] = "b"
        response.headers["cache-control"] = "no-store"

    def handler(_: Any = Depends(dependency)):
        yield 1

    made = route_of(handler).invoke(())
    assert (made.status_code, made.headers["x-a"]) == (202, "b")
    events = route_of(handler, response_class=EventSourceResponse).invoke(())
    assert events.headers["cache-control"] == "no-store"
    for response in (made, events):
        host.answer(response)
    host.run()


def test_async_handlers_run_with_the_others(host: StreamHost):
    async def dependency():
        return "d"

    async def handler(q: int, d: str = Depends(dependency)) -> AsyncIterable[list[Any]]:
        yield [q, d]

    assert route_of(handler).is_async
    assert sent(host, handler, (5,)) == '[5,"d"]\n'
    (described,) = manifest(api_of(handler), "app:api")["routes"]
    assert described["async"] and described["handler_is_async"]


def api_of(handler: Any, **options: Any) -> BoltAPI:
    api = BoltAPI(openapi_url=None)
    api.get("/", **options)(handler)
    return api


def test_fields_are_left_out(host: StreamHost):
    handler = of(Iterable[Item], Item(name="a"))
    assert lines(host, handler, response_model_exclude_none=True) == ['{"name":"a","price":1.0}']
    assert lines(host, handler, response_model_include={"name"}) == ['{"name":"a"}']
    options = {"response_model_exclude_defaults": True, "response_class": EventSourceResponse}
    assert sent(host, handler, **options) == 'data: {"name":"a"}\n\n'


def test_an_item_of_another_type_breaks_the_stream(host: StreamHost):
    assert lines(host, of(Iterable[Item], Item(name="a"), {"x": 1}, Item(name="b"))) == [A]
    assert host.calls[-1] == "close 1 failed"
    assert "name" in host.complaints[0] and "handler" in host.complaints[0]
    assert lines(host, of(None, 1, object())) == ["1"]
    assert "cannot turn object into JSON: item" in host.complaints[1]
    assert lines(host, of(None, float("nan"))) == [] and "ValueError" in host.complaints[2]


def test_an_exception_before_the_first_item_comes_after_the_head(host: StreamHost):
    def handler():
        raise HTTPException(404)
        yield

    assert sent(host, handler) == ""
    assert host.calls == ["open 1", "close 1 failed"] and "404" in host.complaints[0]


def test_dependencies_and_tasks_come_after_the_last_item(host: StreamHost):
    events: list[str] = []

    def dependency():
        events.append("enter")
        yield 1
        events.append("exit")

    def handler(tasks: BackgroundTasks, _: Any = Depends(dependency)) -> Iterable[int]:
        tasks.add_task(events.append, "task")
        yield 1
        events.append("done")

    assert sent(host, handler) == "1\n"
    assert events == ["enter", "done", "task", "exit"]
    assert host.calls[-3:] == ["linger 1 begins", "close 1 ok", "linger 1 ends"]


def test_chunks_of_a_class(host: StreamHost):
    class Csv(StreamingResponse):
        media_type = "text/csv"

    def handler() -> Iterable[str]:
        yield "tä"
        yield b"b"
        yield memoryview(b"m")
        yield ""

    assert sent(host, handler, response_class=StreamingResponse) == "täbm"
    made = route_of(handler, response_class=Csv).invoke(())
    assert made.reply_type()[0] == "text/csv; charset=utf-8"


EVENT = ServerSentEvent(data=Item(name="b", price=2.0), event="e", id="1", retry=5, comment="x\ny")


@pytest.mark.parametrize("is_async", [False, True])
def test_events(host: StreamHost, is_async: bool):
    items = [Item(name="a"), {"name": "b", "price": "2"}, EVENT]
    handler = of(Iterable[Item], *items)
    if is_async:

        async def later() -> AsyncIterator[Item]:
            for item in items:
                yield item

        handler = later
    wanted = [f"data: {A}", f"data: {B}", f": x\n: y\nevent: e\ndata: {B}\nid: 1\nretry: 5", ""]
    options = {"response_class": EventSourceResponse}
    assert sent(host, handler, **options) == "\n\n".join(wanted)
    assert len(host.chunks) == 3
    assert sent(host, of(Iterable[Item], 5), **options) == "" and "handler" in host.complaints[0]


def test_events_without_a_declared_type(host: StreamHost):
    items = ("text", "two\nlines", b"bytes", None, {"a": 1}, [1, 2], 1.5, True)
    body = sent(host, of(None, *items), response_class=EventSourceResponse)
    wanted = ['"text"', '"two\\nlines"', '"bytes"', "null", '{"a":1}', "[1,2]", "1.5", "true"]
    assert body == "".join(f"data: {text}\n\n" for text in wanted)
    # FastAPI takes any iterable here.
    assert sent(host, lambda: ["x"], response_class=EventSourceResponse) == 'data: "x"\n\n'
    own = EventSourceResponse(iter(["data: own\n\n", {"a": 1}, EVENT]))
    body = sent(host, lambda: own, response_class=EventSourceResponse)
    assert body.startswith('data: own\n\ndata: {"a":1}\n\n: x\n')


def test_events_in_lines_are_records(host: StreamHost):
    assert json.loads(sent(host, of(None, ServerSentEvent(data=1)))) == {
        **{"data": 1, "raw_data": None, "event": None, "id": None, "retry": None, "comment": None}
    }


def test_a_warm_up_sends_no_streams():
    handlers = [of(Iterable[Item]), lambda chunks: 1, lambda: []]
    handlers[1].__annotations__["chunks"] = Iterator[bytes]
    classes = [None, None, EventSourceResponse]
    for handler, cls in zip(handlers, classes, strict=True):
        assert warmup_call(route_of(handler, response_class=cls)) is None


@pytest.mark.parametrize("cls", [HTML, JSONResponse, Response])
def test_a_class_of_finished_bodies_is_refused(cls: Any):
    with pytest.raises(BuildError, match="yields cannot have the response_class"):
        BoltAPI().get("/", response_class=cls)(of(None))


def test_middleware_sees_the_stream(host: StreamHost):
    api = BoltAPI()

    @api.middleware("http")
    async def louder(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        chunks = response.body_iterator

        async def upper() -> AsyncIterator[str]:
            async for chunk in chunks:
                yield chunk.upper()

        response.body_iterator = upper()
        response.headers["x-a"] = "b"
        return response

    api.get("/", status_code=201)(of(None, "a", "b"))
    api.finish()
    wire = ("GET", "http", "/", "", [], None, {}, b"", "")
    made = host.clock.run(api.routes[0].invoke((wire,)))
    assert (made.status_code, made.headers["x-a"]) == (201, "b")
    host.answer(made)
    host.run()
    assert host.sent == '"A"\n"B"\n'


def test_routers_and_views_have_handlers_that_yield(host: StreamHost):
    api, router = BoltAPI(), Router()

    @router.view("/v")
    class View:
        async def get(self) -> AsyncIterable[int]:
            yield 1

    api.include_router(router)
    api.finish()
    host.answer(host.clock.run(api.routes[0].invoke(())))
    host.run()
    assert host.sent == "1\n"


def described(handler: Any, **options: Any) -> Any:
    api = BoltAPI()
    api.get("/", **options)(handler)
    document = openapi(api)
    responses = document["paths"]["/"]["get"]["responses"]
    return responses[str(options.get("status_code", 200))].get("content")


EVENT_FIELDS = {
    "event": {"type": "string"},
    "id": {"type": "string"},
    "retry": {"type": "integer", "minimum": 0},
}


def test_the_description_has_the_schemas_of_items():
    item = {"$ref": "#/components/schemas/Item"}
    lines = "application/jsonl"
    assert described(of(Iterable[Item])) == {lines: {"itemSchema": item}}
    assert described(of(None)) == described(of(None), response_model=Item)
    assert described(of(None)) == {lines: {"itemSchema": {}}}
    assert described(of(Iterable[int]), status_code=201) == {
        lines: {"itemSchema": {"type": "integer", "title": "Streamitem Handler"}}
    }
    plain = {"type": "object", "properties": {"data": {"type": "string"}, **EVENT_FIELDS}}
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": item}
    of_items = {
        "type": "object",
        "properties": {"data": data, **EVENT_FIELDS},
        "required": ["data"],
    }
    events, options = "text/event-stream", {"response_class": EventSourceResponse}
    assert described(of(Iterable[Item]), **options) == {events: {"itemSchema": of_items}}
    for handler in (of(None), of(Iterable[ServerSentEvent])):
        assert described(handler, **options) == {events: {"itemSchema": plain}}
    whole = {events: {"schema": {"type": "string"}}}
    assert described(lambda: EventSourceResponse([]), **options) == whole
    assert described(of(Iterable[str]), response_class=StreamingResponse) is None
