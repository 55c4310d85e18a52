"""WebSockets that sleep: the handshake, a call for each event, and what the host keeps."""

import asyncio
from typing import Annotated, Any

import pytest
from sleepfake import SleepingHost, answers, sleeping_host
from streamfake import Progress, Taken

from bolt import (
    BackgroundTasks,
    BoltAPI,
    Depends,
    HTTPException,
    JSONResponse,
    Query,
    SleepingSocket,
    Struct,
    Topic,
    TopicError,
    WebSocket,
    WebSocketDisconnect,
    WebSocketEndpoint,
    WebSocketException,
    field_validator,
)
from bolt.requests import HTTPConnection
from bolt.websockets import WebSocketDisconnected

ACCEPTED = (101, "", [], b"", "socket")
FAILED = (500, {"detail": "Internal Server Error"})


@pytest.fixture
def host(monkeypatch):
    yield from sleeping_host(monkeypatch)


news = Topic("news")


def user(connection: HTTPConnection) -> str:
    if "user" not in connection.cookies:
        raise HTTPException(401, "who are you?")
    return connection.cookies["user"]


class Feed(WebSocketEndpoint):
    async def on_connect(
        self, socket: SleepingSocket, room: str, name: Annotated[str, Depends(user)]
    ) -> None:
        await socket.accept()
        socket.attachment = {"room": room, "name": name}
        socket.join(news)
        await socket.send_text("hello")

    async def on_message(self, socket: SleepingSocket, message: str) -> None:
        await socket.send_json([socket.attachment["room"], message])

    async def on_disconnect(self, socket: SleepingSocket, code: int, reason: str = "") -> None:
        print(socket.attachment["name"], code, reason)


def test_a_whole_socket(host: SleepingHost, capsys: pytest.CaptureFixture[str]):
    host.api.websocket("/{room}")(Feed)
    headers = [("host", "a.example"), ("cookie", "user=ann")]
    assert host.call("/{room}", "täa", headers=headers) == ACCEPTED
    kept = 'attach {"room":"täa","name":"ann"}'
    assert host.calls == ["open", "sleep", "text hello", kept, "reply 101"]
    assert host.topics == ["news"] and host.is_done()
    host.calls.clear()
    assert host.message("x", path="/{room}") == (200, None)
    assert host.calls == ['text ["täa","x"]']
    assert host.disconnect(1001, "bye", path="/{room}", request=3) == (200, None)
    assert capsys.readouterr().out == "ann 1001 bye\n" and len(host.calls) == 1
    assert host.call("/{room}", "x", request=4) == (401, {"detail": "who are you?"})
    assert host.complaints == []


def test_methods_that_do_not_wait(host: SleepingHost):
    @host.api.websocket("/")
    class Endpoint(WebSocketEndpoint):
        def on_connect(self, socket: SleepingSocket, n: int) -> None:
            socket.accept("b")
            socket.send("a")
            socket.send(b"\xff")
            socket.send({"n": n})
            socket.attachment = n

        def on_message(self, socket: SleepingSocket, message: str) -> None:
            socket.attachment += 1
            socket.send(f"{message} {socket.attachment}")

        def on_disconnect(self, socket: SleepingSocket) -> None:
            raise KeyError(socket.attachment)

    protocol = [("sec-websocket-protocol", "a, b")]
    assert host.call("/", 4, headers=protocol) == (101, "b", [], b"", "socket")
    assert host.calls[2:] == ["text a", "bytes \xff", 'text {"n":4}', "attach 4", "reply 101"]
    assert not any(one.is_async for one in host.api.routes[0].sleepers)
    assert host.message("x") == host.message("y", request=3) == (200, None)
    assert host.calls[7:] == ["text x 5", "attach 5", "text y 6", "attach 6"]
    assert host.disconnect(request=4) == FAILED
    assert "KeyError: 6" in host.complaints[0] and "on_disconnect, test_sleeping.py:" in (
        host.api.routes[0].sleepers[1].shown
    )


def test_an_endpoint_without_on_connect(host: SleepingHost):
    @host.api.websocket("/{room}")
    class Endpoint(WebSocketEndpoint):
        def on_message(self, socket, message):
            socket.send(message)

    assert host.call("/{room}") == ACCEPTED
    assert host.calls == ["open", "sleep", "reply 101"]
    host.message("a", path="/{room}"), host.message(b"b", path="/{room}", request=3)
    assert host.calls[3:] == ["text a", "bytes b"]
    (route,) = host.api.routes
    assert route.name == "Endpoint" and [one.event for one in route.sleepers] == ["message"]


def test_each_call_has_an_object_of_its_own(host: SleepingHost):
    @host.api.websocket("/")
    class Endpoint(WebSocketEndpoint):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def on_message(self, socket: SleepingSocket, message: str) -> None:
            self.seen.append(message)
            socket.send(self.seen)

    host.call("/")
    host.message("a"), host.message("b", request=3)
    assert host.calls[3:] == ['text ["a"]', 'text ["b"]']


# The handshake.


def connects(host: SleepingHost, on_connect: Any, **wire: Any) -> Any:
    """The reply to a request for an endpoint with this method."""
    host.api.websocket("/")(type("Endpoint", (WebSocketEndpoint,), {"on_connect": on_connect}))
    return host.call("/", **wire)


@pytest.mark.parametrize(
    ("exc", "accepts", "reply", "close"),
    [
        (HTTPException(418, "no"), False, (418, {"detail": "no"}), None),
        (HTTPException(418, "no"), True, (418, {"detail": "no"}), None),
        (WebSocketException(4001, "why"), False, 403, None),
        (WebSocketException(4001, "why"), True, 101, "close 4001 why"),
        (WebSocketDisconnect(), True, 101, "close 1000"),
        (ValueError("x"), True, 500, None),
        (KeyError("x"), False, 500, None),
        (WebSocketException(1005), True, 500, None),
    ],
)
def test_exceptions_of_on_connect(
    host: SleepingHost, exc: Exception, accepts: bool, reply: Any, close: str | None
):
    async def on_connect(self: Any, socket: SleepingSocket) -> None:
        if accepts:
            await socket.accept()
        raise exc

    found = connects(host, on_connect)
    assert found == reply if isinstance(reply, tuple) else found[0] == reply
    closes = [call for call in host.calls if call.startswith("close")]
    assert closes == ([close] if close else [])
    assert len(host.complaints) == (found[0] == 500)
    assert host.calls[-1] == f"reply {found[0]}"


def test_closing_in_on_connect(host: SleepingHost):
    async def on_connect(self: Any, socket: SleepingSocket, early: bool) -> None:
        if not early:
            await socket.send_text("sorry")
        await socket.close(4000, "full")
        with pytest.raises(WebSocketDisconnected):
            socket.join(news)
        with pytest.raises(ValueError, match="cannot be closed with 1005"):
            socket.close(1005)

    host.api.websocket("/")(type("Endpoint", (WebSocketEndpoint,), {"on_connect": on_connect}))
    assert host.call("/", True)[0] == 403 and host.calls == ["reply 403"]
    assert host.call("/", False, request=2)[0] == 101
    assert host.calls[1:] == ["open", "sleep", "text sorry", "close 4000 full", "reply 101"]


def test_too_many_sockets(host: SleepingHost):
    host.has_room = False

    async def on_connect(self: Any, socket: SleepingSocket) -> None:
        socket.attachment = 1

    assert connects(host, on_connect)[0] == 503
    assert host.calls == ["open", "reply 503"] and host.complaints == []


def test_what_cannot_be_in_the_response(host: SleepingHost):
    async def on_connect(self: Any, socket: SleepingSocket) -> None:
        assert socket.scope["subprotocols"] == [] and socket.scope["type"] == "websocket"
        with pytest.raises(ValueError, match="does not offer the subprotocol 'a'"):
            await socket.accept("a")
        with pytest.raises(ValueError, match="handshake"):
            await socket.accept(headers={"sec-websocket-accept": "x"})
        await socket.accept(headers=[(b"x-a", b"b")])
        with pytest.raises(RuntimeError, match="accepted already"):
            await socket.accept()

    assert connects(host, on_connect) == (101, "", [("x-a", "b")], b"", "socket")


def test_on_connect_may_wait(host: SleepingHost):
    async def on_connect(self: Any, socket: SleepingSocket) -> None:
        await socket.send_text("a")
        await asyncio.sleep(1)
        await socket.send_text("b")

    assert connects(host, on_connect) is None
    host.run(2)
    assert host.replies[1] == ACCEPTED
    assert host.calls == ["open", "sleep", "text a", "text b", "reply 101"]


def test_too_much_before_the_reply(host: SleepingHost):
    async def on_connect(self: Any, socket: SleepingSocket) -> None:
        await socket.send_text("a")

    host.answers = answers(Taken.FULL)
    assert connects(host, on_connect) == FAILED
    assert "before `on_connect` has ended" in host.complaints[0]


def test_work_after_the_reply(host: SleepingHost):
    events: list[str] = []
    kept: list[SleepingSocket] = []

    async def dependency(socket: SleepingSocket) -> Any:
        yield 5
        events.append("left")
        await socket.send_text("last")

    @host.api.websocket("/")
    class Endpoint(WebSocketEndpoint):
        def on_connect(
            self, socket: SleepingSocket, tasks: BackgroundTasks, n: int = Depends(dependency)
        ) -> None:
            tasks.add_task(events.append, f"task {n}")
            kept.append(socket)

    assert host.call("/") == ACCEPTED
    assert events == ["left", "task 5"]
    assert host.calls == [
        *("open", "sleep", "text last", "linger begins", "reply 101", "linger ends"),
    ]
    with pytest.raises(RuntimeError, match="of one call, which has ended"):
        kept[0].send("x")


def test_lifespans_and_state(host: SleepingHost):
    entered: list[int] = []

    async def lifespan(app: BoltAPI) -> Any:
        entered.append(1)
        await asyncio.sleep(0)
        yield {"shared": 5}

    host.api = BoltAPI(lifespan=lifespan)

    @host.api.websocket("/")
    class Endpoint(WebSocketEndpoint):
        def on_message(self, socket: SleepingSocket, message: str) -> None:
            assert socket.app is host.api
            socket.send(f"{message} {socket.state.shared}")

    assert host.message("a") == (200, None), host.complaints
    assert host.call("/", request=3) == ACCEPTED
    assert host.calls[0] == "text a 5" and entered == [1]


def test_validators_refuse(host: SleepingHost):
    class Named(Struct):
        name: str

        @field_validator("name")
        def check(cls, name: str) -> str:
            if name == "bad":
                raise ValueError("a bad name")
            return name

    @host.api.websocket("/")
    class Endpoint(WebSocketEndpoint):
        def on_connect(self, socket: SleepingSocket, named: Annotated[Named, Query()]) -> None:
            socket.attachment = named

    assert host.call("/", ("good",)) == ACCEPTED and host.attachment == b'{"name":"good"}'
    assert host.call("/", ("bad",), request=2)[0] == 403 and host.complaints == []


# Messages.


def endpoint(host: SleepingHost, on_message: Any) -> None:
    host.api.websocket("/")(type("Endpoint", (WebSocketEndpoint,), {"on_message": on_message}))


def test_a_message_waits_for_room(host: SleepingHost):
    async def on_message(self: Any, socket: SleepingSocket, message: str) -> None:
        socket.attachment = "before"
        await socket.send_text(message)

    endpoint(host, on_message)
    host.answers = answers(Taken.FULL, Taken.FULL, Taken.PAUSE)
    assert host.message("a") is None and host.calls == []
    host.progress(Progress(2))
    host.progress(Progress(2))
    assert host.replies[2] == (200, None)
    assert host.calls == ["text a", 'attach "before"']


def test_a_def_method_cannot_wait(host: SleepingHost):
    def on_message(self: Any, socket: SleepingSocket, message: str) -> None:
        socket.send(message)

    endpoint(host, on_message)
    host.answers = answers(Taken.PAUSE, Taken.FULL)
    assert host.message("a") == (200, None)
    assert host.message("b", request=3) == FAILED
    assert "`async def` method may wait" in host.complaints[0]


def test_a_client_that_is_gone(host: SleepingHost):
    async def on_message(self: Any, socket: SleepingSocket, message: str) -> None:
        socket.attachment = message
        try:
            await socket.send_text(message)
        finally:
            with pytest.raises(WebSocketDisconnected):
                await socket.send_text("more")

    endpoint(host, on_message)
    host.answers = answers(Taken.GONE)
    assert host.message("a") == (200, None)
    # `on_disconnect` finds it.
    assert host.calls == ['attach "a"'] and host.complaints == []


def test_closing_for_a_client_that_is_gone(host: SleepingHost):
    def on_message(self: Any, socket: SleepingSocket, message: str) -> None:
        with pytest.raises(WebSocketDisconnect):
            socket.send("x")
        raise WebSocketException(4001)

    endpoint(host, on_message)
    host.answers = answers(Taken.GONE)
    assert host.message("a") == (200, None) and host.calls == [] and host.complaints == []


@pytest.mark.parametrize(
    ("exc", "close", "reason"),
    [
        (WebSocketException(4001, "why"), "close 4001 why", None),
        (HTTPException(404), None, "gets no response"),
        (ZeroDivisionError(), None, "ZeroDivisionError"),
        (WebSocketException(1006), None, "cannot be closed with 1006"),
        (WebSocketDisconnect(), None, None),
    ],
)
def test_exceptions_of_messages(
    host: SleepingHost, exc: Exception, close: str | None, reason: str | None
):
    def on_message(self: Any, socket: SleepingSocket, message: str) -> None:
        raise exc

    endpoint(host, on_message)
    assert host.message("a") == (FAILED if reason else (200, None))
    assert host.calls == ([close] if close else [])
    assert len(host.complaints) == bool(reason) and (reason or "") in "".join(host.complaints)


def test_closing_keeps_the_attachment(host: SleepingHost):
    async def on_message(self: Any, socket: SleepingSocket, message: str) -> None:
        socket.attachment = "last words"
        await socket.close(4000, "enough")
        socket.attachment = "too late"
        for act in (socket.close, lambda: socket.join(news), lambda: socket.send("x")):
            with pytest.raises(WebSocketDisconnected, match="closed"):
                act()
        raise WebSocketException(4001)

    endpoint(host, on_message)
    assert host.message("a") == (200, None) and host.complaints == []
    assert host.calls == ['attach "last words"', "close 4000 enough"]


def test_exception_handlers(host: SleepingHost):
    class Mine(Exception):
        pass

    class Other(Exception):
        pass

    @host.api.exception_handler(Mine)
    async def closing(socket: SleepingSocket, exc: Mine) -> None:
        await socket.close(4003)

    @host.api.exception_handler(Other)
    def answering(socket: SleepingSocket, exc: Other) -> Any:
        return JSONResponse("other", 418) if exc.args else None

    @host.api.websocket("/")
    class Endpoint(WebSocketEndpoint):
        def on_connect(self, socket: SleepingSocket, kind: str) -> None:
            self.fail(kind)

        def on_message(self, socket: SleepingSocket, message: str) -> None:
            self.fail(message)

        def fail(self, kind: str) -> None:
            if kind:
                raise {"mine": Mine(), "other": Other(1), "quiet": Other()}[kind]

    found = [host.call("/", kind, request=at)[0] for at, kind in enumerate(("mine", "other"), 1)]
    assert found == [403, 418] and host.calls == ["reply 403", "reply 418"]
    host.calls.clear()
    assert host.message("mine", request=3) == host.message("quiet", request=4) == (200, None)
    assert host.calls == ["close 4003", "close 1000"] and host.complaints == []
    assert host.message("other", request=5) == FAILED


def test_topics(host: SleepingHost):
    def on_message(self: Any, socket: SleepingSocket, message: str) -> None:
        if message == "leave":
            socket.leave(news)
        else:
            socket.join(Topic(message))

    endpoint(host, on_message)
    host.message("news"), host.message("more", request=3)
    assert host.topics == ["news", "more"]
    host.message("leave", request=4)
    assert host.topics == ["more"] and host.complaints == []
    host.takes_topics = False
    assert host.message("x", request=5) == FAILED and "TopicError" in host.complaints[0]
    assert issubclass(TopicError, RuntimeError)


# What the socket has.


def test_the_request_is_gone(host: SleepingHost):
    seen: list[str] = []

    @host.api.websocket("/{n}")
    class Endpoint(WebSocketEndpoint):
        async def on_connect(self, socket: SleepingSocket, n: int) -> None:
            assert socket.url.scheme == "ws" and socket.path_params == {"n": "1"}
            assert dict(socket.query_params) == {"a": "b"} and socket.headers["x-a"] == "b"
            assert socket.client is not None and "SleepingSocket /{n}" in repr(socket)
            with pytest.raises(AttributeError, match="the state has no 'user'"):
                _ = socket.user

        def on_message(self, socket: SleepingSocket, message: str) -> None:
            for name in ("headers", "cookies", "url", "path_params", "query_params", "client"):
                with pytest.raises(AttributeError, match=f"'{name}' only in `on_connect`"):
                    getattr(socket, name)
            for name in ("scope", "path", "method", "base_url", "user"):
                with pytest.raises(AttributeError, match="only in `on_connect`"):
                    getattr(socket, name)
            with pytest.raises(AttributeError, match="no attribute 'receive_text'"):
                socket.receive_text()
            seen.append(repr(socket))

    host.call("/{n}", 1, query="a=b", headers=[("x-a", "b")], path={"n": "1"})
    assert host.message("x", path="/{n}") == (200, None), host.complaints
    assert seen == ["<SleepingSocket 2>"]


def test_attachments(host: SleepingHost):
    class Point(Struct):
        x: int

    def on_message(self: Any, socket: SleepingSocket, message: str) -> None:
        kept = socket.attachment
        match message:
            case "read":
                socket.send(kept)
            case "record":
                socket.attachment = Point(x=1)
                assert socket.attachment == {"x": 1}
            case "in place":
                kept["y"] = ["ü"]
            case "same":
                socket.attachment = {"x": 1, "y": ["ü"]}
            case "none":
                socket.attachment = None
            case "large":
                with pytest.raises(
                    ValueError, match="at most 2048 bytes of JSON, and this is 2049"
                ):
                    socket.attachment = "x" * 2047
                with pytest.raises(TypeError):
                    socket.attachment = {"a": object()}
                with pytest.raises(ValueError):
                    socket.attachment = float("nan")
                socket.attachment = "x" * 2046
            case "grown":
                socket.attachment = list[str]()
                socket.attachment.append("x" * 2048)

    endpoint(host, on_message)
    for number, message in enumerate(("read", "record", "in place", "same", "read", "none"), 2):
        assert host.message(message, request=number) == (200, None), host.complaints
    assert host.calls == [
        *("text null", 'attach {"x":1}', 'attach {"x":1,"y":["ü"]}'),
        *('text {"x":1,"y":["ü"]}', "attach"),
    ]
    assert host.message("large", request=10) == (200, None), host.complaints
    assert len(host.attachment) == 2048
    assert host.message("grown", request=11) == FAILED and "2048 bytes" in host.complaints[0]
    assert len(host.attachment) == 2048


def test_nothing_is_sent_at_the_end(host: SleepingHost):
    @host.api.websocket("/")
    class Endpoint(WebSocketEndpoint):
        async def on_disconnect(self, socket: SleepingSocket, code: int) -> None:
            socket.attachment = 1
            with pytest.raises(WebSocketDisconnected):
                await socket.send_text("x")
            with pytest.raises(WebSocketDisconnected):
                await socket.close()

    assert host.disconnect(1006) == (200, None) and host.calls == [], host.complaints


def test_a_task_of_an_earlier_call(host: SleepingHost):
    failures: list[BaseException | None] = []

    async def on_message(self: Any, socket: SleepingSocket, message: str) -> None:
        async def later() -> None:
            await asyncio.sleep(1)
            await socket.send_text("x")

        task = asyncio.create_task(later())
        task.add_done_callback(lambda done: failures.append(done.exception()))

    endpoint(host, on_message)
    assert host.message("a") == (200, None)
    host.run(2)
    assert "of one call, which has ended" in str(failures[0]) and host.calls == []


def test_a_dependency_of_a_websocket_does_not_fit():
    def old(websocket: WebSocket) -> None: ...

    class Endpoint(WebSocketEndpoint):
        def on_connect(self, socket: SleepingSocket, a: None = Depends(old)) -> None: ...

    with pytest.raises(TypeError, match="has a SleepingSocket and no WebSocket"):
        BoltAPI().websocket("/")(Endpoint)
