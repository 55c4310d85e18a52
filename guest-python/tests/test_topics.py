"""Topics: what is published, what subscribers get, and what the host sends by itself."""

import asyncio
import gc
import marshal
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from socketfake import SocketHost, socket_host
from streamfake import StreamHost, stream_host
from topicfake import TopicHost, topic_host

from bolt import (
    BackgroundTask,
    BackgroundTasks,
    BoltAPI,
    EventSourceResponse,
    Struct,
    Topic,
    TopicError,
    WebSocket,
    topics,
)
from bolt._dependencies.after_response import pending
from bolt._serialization.replies import encode_reply
from bolt._topics.subscription import subscriptions
from bolt.topics import Published, Subscription, TopicEvent

NEWS = Topic("news")


@pytest.fixture
def host(monkeypatch):
    yield from topic_host(monkeypatch)


@pytest.fixture
def streams(monkeypatch):
    yield from stream_host(monkeypatch)


@pytest.fixture
def sockets(monkeypatch):
    yield from socket_host(monkeypatch)


def begin(host: TopicHost, running: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    task = host.clock.loop.create_task(running)
    host.tell()
    return task


async def collect(subscription: AsyncIterator[Any], into: list[Any]) -> None:
    async for item in subscription:
        into.append(item)


async def collect_from(after: int, into: list[Any]) -> None:
    await collect(NEWS.subscribe(after=after), into)


# Publishing.


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "1 to 200 characters"),
        ("x" * 201, "1 to 200 characters"),
        (5, "not 5"),
        ("a\nb", "no control characters"),
        ("a\x85", "no control characters"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_names_that_cannot_be(name: Any, words: str):
    with pytest.raises(ValueError, match=words):
        Topic(name)


def test_names_that_can_be():
    for name in ("a", "ä" * 200, "room 1", "rooms/1"):
        assert Topic(name).name == name
    assert repr(NEWS) == "Topic('news')" and not NEWS.closes
    assert Topic("a", overflow="close").closes
    with pytest.raises(ValueError, match='"drop" or "close", not \'wait\''):
        Topic("a", overflow="wait")  # type: ignore[arg-type]


class Price(Struct):
    item: str
    cents: int


PEN = Price(item="pen", cents=5)


def test_any_result_can_be_published(host: TopicHost):
    for data in ("hé\n", None, {"a": [1, 2.5]}, PEN, [PEN]):
        NEWS.publish(data, event="price" if data else None)
    assert host.events["news"] == [
        (1, "price", '"hé\\n"'),
        (2, "", "null"),
        (3, "price", '{"a":[1,2.5]}'),
        (4, "price", '{"item":"pen","cents":5}'),
        (5, "price", '[{"item":"pen","cents":5}]'),
    ]


def test_publishing_tells_the_number_and_may_be_awaited(host: TopicHost):
    published = NEWS.publish(1)
    assert published == Published(1) and published.id == 1

    async def twice() -> int:
        return await NEWS.publish(2)

    with pytest.raises(StopIteration) as returned:
        # It does not wait.
        twice().send(None)
    assert returned.value.value == 2


@pytest.mark.parametrize(
    ("event", "words"),
    [("a\nb", "no control"), ("a\0", "no control"), (5, "is text"), ("\udc00", "surrogates")],
)
def test_types_of_events_that_cannot_be(host: TopicHost, event: Any, words: str):
    with pytest.raises(ValueError, match=words):
        NEWS.publish(1, event=event)
    assert host.events == {}


def test_data_without_a_json_form(host: TopicHost):
    with pytest.raises(TypeError, match="object"):
        NEWS.publish(object())
    for data in (float("nan"), "\ud800"):
        with pytest.raises(ValueError):
            NEWS.publish(data)
    assert host.events == {}


def test_a_refusal_is_an_error_with_the_reason(host: TopicHost):
    host.refusal = "the message has 2 bytes, of at most 1"
    with pytest.raises(TopicError, match=r"^the message has 2 bytes, of at most 1$"):
        NEWS.publish("")
    assert issubclass(TopicError, RuntimeError) and TopicError.__module__ == "bolt.topics"


def test_nobody_listens_without_a_host():
    topics.install(None)
    with pytest.raises(RuntimeError, match="no host to publish to a topic: nobody listens while"):
        NEWS.publish(1)
    with pytest.raises(RuntimeError, match="no host to subscribe to a topic"):
        NEWS.subscribe()


# Subscribing.


def test_a_subscriber_gets_what_is_published_after_it(host: TopicHost):
    found: list[Any] = []
    NEWS.publish("before")

    async def following() -> None:
        await collect(NEWS.subscribe(), found)

    task = begin(host, following())
    assert found == []
    NEWS.publish({"a": 1})
    Topic("other").publish("x")
    Topic("news").publish(None)
    host.tell()
    assert found == [{"a": 1}, None] and not task.done()
    task.cancel()
    host.tell()
    assert task.cancelled()
    # Its exception refers to what it has left behind, which the next alarm ends.
    del task
    host.tell()
    assert host.waiting == {} and subscriptions == {}


def test_events_have_numbers_and_types(host: TopicHost):
    found: list[Any] = []
    NEWS.publish("a")
    NEWS.publish("b", event="kind")
    made: list[Subscription] = []

    async def following() -> None:
        made.append(NEWS.subscribe(after=0))
        await collect(made[0].events(), found)

    begin(host, following())
    assert found == [TopicEvent(1, None, "a"), TopicEvent(2, "kind", "b")]
    assert made[0].id == 2 and made[0].missed == 0


@pytest.mark.parametrize("after", [-1, 1.5, "1", True])
def test_numbers_that_no_event_has(host: TopicHost, after: Any):
    with pytest.raises(ValueError, match="the number of an event"):
        NEWS.subscribe(after=after)


def test_those_after_a_number_come_first(host: TopicHost):
    for number in range(4):
        NEWS.publish(number)
    found: list[Any] = []

    async def following() -> None:
        subscription = NEWS.subscribe(after=2)
        assert subscription.id is None
        await collect(subscription, found)

    begin(host, following())
    # It has never been, so nothing is repeated.
    begin(host, collect_from(2**70, found))
    NEWS.publish(4)
    host.tell()
    assert found == [2, 3, 4, 4]


def test_missed_events_are_counted(host: TopicHost):
    found: list[Any] = []
    made: list[Subscription] = []

    async def following() -> None:
        made.append(NEWS.subscribe())
        await collect(made[0], found)

    begin(host, following())
    NEWS.publish(1)
    host.miss(1, 7)
    host.tell()
    host.miss(1, 2)
    host.tell()
    assert found == [1] and made[0].missed == 9


def test_missed_events_may_end_it(host: TopicHost):
    async def following() -> list[Any]:
        subscription = Topic("news", overflow="close").subscribe()
        found = [await anext(subscription)]
        with pytest.raises(TopicError, match="7 events of the topic 'news' were dropped"):
            await anext(subscription)
        return found + [item async for item in subscription] + [subscription.missed]

    task = begin(host, following())
    NEWS.publish(1)
    host.tell()
    host.miss(1, 7)
    host.tell()
    assert task.result() == [1, 7] and host.waiting == {}


def test_a_wait_may_be_cancelled_and_repeated(host: TopicHost):
    async def following() -> Any:
        async with NEWS.subscribe() as subscription:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(subscription), 1)
            return await anext(subscription)

    task = begin(host, following())
    NEWS.publish("late")
    host.tell()
    assert task.result() == "late" and host.waiting == {}


def test_another_task_may_end_it(host: TopicHost):
    found: list[Any] = []
    made: list[Subscription] = []

    async def following() -> None:
        made.append(NEWS.subscribe())
        await collect(made[0], found)

    task = begin(host, following())
    begin(host, made[0].aclose())
    assert task.done() and task.result() is None and host.waiting == {}
    begin(host, made[0].aclose())
    NEWS.publish(1)
    assert found == []


def test_one_that_is_dropped_is_ended_by_the_next_call(host: TopicHost):
    async def first() -> Any:
        async for item in NEWS.subscribe(after=0):
            return item

    async def other() -> None:
        NEWS.subscribe()

    NEWS.publish("a")
    assert begin(host, first()).result() == "a"
    gc.collect()
    assert subscriptions.keys() == host.waiting.keys()
    host.tell()
    assert host.waiting == {} and subscriptions == {}
    # Also by a new one, which needs its place.
    host.most = 1
    for _ in range(3):
        begin(host, other()).result()
        gc.collect()


def test_too_many_subscriptions(host: TopicHost):
    host.most = 0

    async def following() -> None:
        NEWS.subscribe()

    with pytest.raises(TopicError, match="'news': an interpreter has at most 100"):
        begin(host, following()).result()
    assert subscriptions == {}


def test_a_def_handler_cannot_wait(host: TopicHost):
    with pytest.raises(RuntimeError, match="in `async def` code"):
        NEWS.subscribe()
    assert host.waiting == {}


def test_others_run_between_many_events(host: TopicHost):
    log: list[Any] = []
    for number in range(130):
        NEWS.publish(number)

    async def following() -> None:
        await collect(NEWS.subscribe(after=0), log)

    async def other() -> None:
        await asyncio.sleep(1e-9)
        log.append("other")

    host.clock.loop.create_task(other())
    begin(host, following())
    assert len(log) == 131 and log.index("other") <= 64


def test_a_subscription_of_an_earlier_host_ends_quietly(host: TopicHost):
    made: list[Subscription] = []

    async def following() -> None:
        made.append(NEWS.subscribe())

    begin(host, following())
    topics.install(None)
    begin(host, made[0].aclose())
    assert host.waiting.keys() == {1}


# Responses that the host sends.


def decoded(result: Any, status: int = 200) -> Any:
    return marshal.loads(encode_reply(status, result).encode("latin-1"))


HEADERS = [("cache-control", "no-cache"), ("x-accel-buffering", "no")]
EVENTS = "text/event-stream; charset=utf-8"


def test_the_host_sends_the_events_of_a_topic():
    assert decoded(EventSourceResponse(NEWS)) == (
        *(200, EVENTS, HEADERS),
        *(b"", "events", 15000, b"", "news", 0),
    )
    closing = Topic("ä", overflow="close")
    response = EventSourceResponse(
        closing, 201, {"x-a": "b", "cache-control": "private"}, ping=None, last="moved"
    )
    response.set_cookie("c", "d")
    status, kind, headers, *rest = decoded(response)
    assert (status, kind) == (201, EVENTS)
    assert dict(headers) == {
        **{"x-a": "b", "cache-control": "private", "x-accel-buffering": "no"},
        "set-cookie": "c=d; Path=/; SameSite=lax",
    }
    assert rest == [b"", "events", 0, b'data: "moved"\n\n', "ä", 1]
    assert pending == []


def test_its_background_tasks_run_after_the_reply():
    decoded(EventSourceResponse(NEWS, background=BackgroundTask(print)))
    (exits,) = pending
    assert exits.stream is None and len(exits.background.tasks) == 1
    pending.clear()


def replied(app: BoltAPI, *values: Any) -> Any:
    """The reply of the only route of an app."""
    (route,) = app.routes
    return decoded(route.invoke(values), route.status_code)


def test_nothing_lingers_for_it():
    app = BoltAPI()

    @app.get("/")
    def listen(tasks: BackgroundTasks) -> EventSourceResponse:
        return EventSourceResponse(NEWS)

    assert replied(app)[4:] == ("events", 15000, b"", "news", 0)
    assert pending == []


def test_a_handler_may_return_the_topic_itself():
    app = BoltAPI()

    @app.get("/", response_class=EventSourceResponse, status_code=201)
    def listen() -> Topic:
        return NEWS

    assert replied(app) == (201, EVENTS, HEADERS, b"", "events", 15000, b"", "news", 0)


def test_middleware_may_replace_the_events(streams: StreamHost):
    response = EventSourceResponse(NEWS)

    async def own() -> AsyncIterator[str]:
        yield "data: 1\n\n"

    response.body_iterator = own()
    reply = marshal.loads(streams.answer(response).encode("latin-1"))
    assert reply[4:] == ("events", 15000, b"")
    streams.run()
    assert streams.sent == "data: 1\n\n"


def test_a_topic_that_is_returned_as_a_value():
    with pytest.raises(TypeError, match="Topic"):
        decoded(NEWS)


# WebSockets.


def test_sockets_join_and_leave(host: TopicHost, sockets: SocketHost):
    other = Topic("other")

    @sockets.api.websocket("/")
    async def chat(socket: WebSocket) -> None:
        with pytest.raises(RuntimeError, match='call "accept" first'):
            socket.join(NEWS)
        socket.leave(NEWS)
        await socket.accept()
        socket.join(NEWS)
        socket.join(other)
        async for _ in socket.iter_text():
            socket.leave(NEWS)
        # The client is gone, which is no error.
        socket.join(NEWS)
        await socket.close()
        with pytest.raises(RuntimeError, match='Cannot call "join" once'):
            socket.join(NEWS)
        socket.leave(other)

    sockets.call("/")
    assert host.joined == {1: ["news", "other"]}
    sockets.tell("x")
    assert host.joined == {1: ["other"]}
    sockets.leave()
    assert sockets.is_done() and sockets.complaints == []
    assert host.joined == {1: ["other", "news"]}


def test_a_socket_with_too_many_topics(host: TopicHost, sockets: SocketHost):
    @sockets.api.websocket("/")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        for number in range(host.most):
            socket.join(Topic(str(number)))
        with pytest.raises(TopicError, match="'news': a WebSocket has at most 16 topics"):
            socket.join(NEWS)

    sockets.call("/")
    assert sockets.complaints == []
