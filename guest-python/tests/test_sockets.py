"""WebSockets: the handshake, messages in both directions, and how handlers end."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from socketfake import SocketHost, Taken, socket_host

from bolt import (
    BackgroundTasks,
    HTTPException,
    JSONResponse,
    Struct,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
    WebSocketState,
)
from bolt.exceptions import WebSocketRequestValidationError
from bolt.websockets import WebSocketDisconnected


@pytest.fixture
def host(monkeypatch):
    yield from socket_host(monkeypatch)


Handler = Callable[[WebSocket], Awaitable[None]]


def opened(host: SocketHost, handler: Handler, **wire: Any) -> Any:
    """The reply to a request for a handler that takes the WebSocket."""

    async def endpoint(websocket: WebSocket) -> None:
        await handler(websocket)

    host.api.websocket("/")(endpoint)
    return host.call("/", **wire)


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


def test_an_echo(host: SocketHost):
    assert opened(host, echo) == (101, "", [], b"", "socket")
    assert host.calls == ["open", "reply 101"]
    host.tell("a", "ä")
    host.tell("")
    assert host.calls[2:] == ["text A", "text Ä", "text "]
    host.leave()
    assert host.is_done() and host.complaints == []
    assert host.calls[-1] == "close 1000"


def test_a_subprotocol_and_headers(host: SocketHost):
    async def handler(websocket: WebSocket) -> None:
        assert websocket.scope["subprotocols"] == ["a", "b", "c"]
        await websocket.accept("b", [(b"x-a", b"\xe4"), ("set-cookie", "a=b")])

    headers = [("Sec-WebSocket-Protocol", "a, b"), ("sec-websocket-protocol", "c")]
    reply = opened(host, handler, headers=headers)
    assert reply == (101, "b", [("x-a", "ä"), ("set-cookie", "a=b")], b"", "socket")
    assert host.calls == ["open", "reply 101", "close 1000"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"subprotocol": "a"}, "does not offer the subprotocol 'a'"),
        ({"headers": [("sec-websocket-accept", "x")]}, "handshake"),
        ({"headers": [(b"x-a", b"1\r\nx-b: 2")]}, "line break"),
        ({"headers": {"a b": "c"}}, "name of a header"),
    ],
)
def test_what_cannot_be_in_the_response(host: SocketHost, options: Any, error: str):
    async def handler(websocket: WebSocket) -> None:
        with pytest.raises(ValueError, match=error):
            await websocket.accept(**options)
        await websocket.accept()

    assert opened(host, handler)[0] == 101 and host.calls[0] == "open"


def test_a_handler_may_wait_before_it_accepts(host: SocketHost):
    async def handler(websocket: WebSocket) -> None:
        await asyncio.sleep(1)
        await websocket.accept()
        await websocket.send_text("x")

    assert opened(host, handler) is None
    host.run(2)
    assert host.replies[1][0] == 101
    assert host.calls == ["open", "reply 101", "text x", "close 1000"]


def test_all_kinds_of_messages(host: SocketHost):
    class Point(Struct):
        x: int

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_bytes(bytearray(b"\x00\xff"))
        await websocket.send_bytes(memoryview(b"abcd")[::2])
        await websocket.send_json({"ä": [1, None]})
        await websocket.send_json(Point(x=1), mode="binary")
        await websocket.send({"type": "websocket.send", "text": "t", "bytes": None})
        await websocket.send({"type": "websocket.send", "bytes": b"b"})
        got = [
            await websocket.receive_bytes(),
            await websocket.receive_json(),
            await websocket.receive_json(mode="binary"),
            await websocket.receive(),
            await websocket.receive(),
        ]
        await websocket.send_text(repr(got))

    opened(host, handler)
    host.tell(b"\x01", '{"a": 1}', b"[2]", "x", b"y")
    assert host.calls[2:-2] == [
        *("bytes \x00\xff", "bytes ac", 'text {"ä":[1,null]}', 'bytes {"x":1}'),
        *("text t", "bytes b"),
    ]
    text = {"type": "websocket.receive", "text": "x"}
    binary = {"type": "websocket.receive", "bytes": b"y"}
    got = [b"\x01", {"a": 1}, [2], text, binary]
    assert host.calls[-2] == f"text {got!r}"


def test_iterating(host: SocketHost):
    found: list[Any] = []

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        async for data in websocket.iter_bytes():
            found.append(data)
            if data == b"json":
                break
        async for value in websocket.iter_json():
            found.append(value)

    opened(host, handler)
    host.tell(b"a", b"json", "[1]", "{}")
    host.leave()
    assert found == [b"a", b"json", [1], {}] and host.is_done()


@pytest.mark.parametrize(
    ("send", "error"),
    [
        (lambda one: one.send_text(b"x"), TypeError),
        (lambda one: one.send_bytes("x"), TypeError),
        (lambda one: one.send_text("\ud800"), UnicodeEncodeError),
        (lambda one: one.send_json(float("nan")), ValueError),
        (lambda one: one.send_json(object()), TypeError),
        (lambda one: one.send_json(1, mode="x"), RuntimeError),
        (lambda one: one.receive_json(mode="x"), RuntimeError),
        (lambda one: one.close(1006), ValueError),
        (lambda one: one.close(999), ValueError),
        (lambda one: one.accept(), RuntimeError),
    ],
)
def test_what_cannot_be_sent(host: SocketHost, send: Any, error: type[Exception]):
    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        with pytest.raises(error):
            await send(websocket)

    opened(host, handler)
    assert host.calls == ["open", "reply 101", "close 1000"] and host.complaints == []


def test_a_slow_client_stops_the_handler(host: SocketHost):
    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        for text in "abc":
            await websocket.send_text(text)

    host.answers.extend([Taken.MORE, Taken.FULL, Taken.FULL, Taken.PAUSE])
    opened(host, handler)
    assert host.calls[2:] == ["text a"]
    host.tell()
    assert host.calls[2:] == ["text a"]
    host.tell()
    assert host.calls[2:] == ["text a", "text b", "text c", "close 1000"]


def test_one_task_sends_while_another_receives(host: SocketHost):
    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()

        async def ticks() -> None:
            while True:
                await websocket.send_text("tick")
                await asyncio.sleep(1)

        async with asyncio.TaskGroup() as group:
            sending = group.create_task(ticks())
            async for text in websocket.iter_text():
                await websocket.send_text(text)
            sending.cancel()

    opened(host, handler)
    host.run(1.5)
    host.tell("a")
    host.run(1)
    assert host.calls[2:] == ["text tick", "text tick", "text a", "text tick"]
    host.leave()
    assert host.is_done() and host.complaints == []


def test_a_wait_for_a_message_may_be_cancelled(host: SocketHost):
    found: list[Any] = []

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        while len(found) < 100:
            try:
                found.append(await asyncio.wait_for(websocket.receive_text(), 1))
            except TimeoutError:
                found.append(None)

    opened(host, handler)
    host.run(2.5)
    assert found == [None, None]
    host.tell(*("x" * 98))
    assert found[2:] == ["x"] * 98


# Disconnects. The codes and exceptions are those of FastAPI with uvicorn.


def test_a_client_that_leaves(host: SocketHost):
    seen: list[Any] = []

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            await websocket.receive_text()
        except WebSocketDisconnect as exc:
            seen.append((exc.code, exc.reason))
            seen.append((websocket.client_state, websocket.application_state))
            raise

    opened(host, handler)
    host.leave(4010, "bye")
    assert seen[0] == (4010, "bye")
    assert seen[1] == (WebSocketState.DISCONNECTED, WebSocketState.CONNECTED)
    assert host.is_done() and host.complaints == []


def test_messages_that_came_before_the_end_are_received(host: SocketHost):
    found: list[str] = []

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        await asyncio.sleep(1)
        async for text in websocket.iter_text():
            found.append(text)

    opened(host, handler)
    host.tell("a", "b")
    host.leave()
    host.run(2)
    assert found == ["a", "b"] and host.is_done()


def test_sending_to_a_client_that_is_gone(host: SocketHost):
    seen: list[Any] = []

    async def attempt(awaitable: Awaitable[Any]) -> None:
        try:
            seen.append(await awaitable)
        except Exception as exc:
            seen.append((type(exc), getattr(exc, "code", str(exc))))

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        seen.append(await websocket.receive())
        await attempt(websocket.send_text("late"))
        await attempt(websocket.send_text("late"))
        await attempt(websocket.receive())
        await attempt(websocket.close())

    opened(host, handler)
    host.leave(1005)
    closed = (WebSocketDisconnected, 'Cannot call "send" once a close message has been sent.')
    assert seen == [
        {"type": "websocket.disconnect", "code": 1005, "reason": ""},
        (WebSocketDisconnect, 1006),
        closed,
        (
            WebSocketDisconnected,
            'Cannot call "receive" once a disconnect message has been received.',
        ),
        closed,
    ]


def test_handlers_send_to_each_other(host: SocketHost):
    found: list[str] = []
    others: list[WebSocket] = []

    @host.api.websocket("/")
    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        others.append(websocket)
        async for text in websocket.iter_text():
            found.append(text)
            for other in list(others):
                try:
                    await other.send_text(text)
                except WebSocketDisconnect:
                    others.remove(other)
            await asyncio.sleep(1)

    host.call("/", request=1)
    host.call("/", request=2)
    host.tell("a", request=1)
    assert host.sent == [(1, "a"), (2, "a")]
    host.tell("b", request=2)
    # It leaves while its handler waits, and the other one notices it first.
    host.tell("c", request=2)
    host.leave(request=2)
    host.run(0.6)
    host.tell("d", request=1)
    host.run(1)
    assert [one._line.request for one in others] == [1]
    # What came before the end is received nevertheless.
    host.run(10)
    assert found == ["a", "b", "d", "c"]
    assert host.is_done(2) and host.complaints == []


def test_a_slow_client_that_leaves(host: SocketHost):
    seen: list[Any] = []

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            await websocket.send_text("a")
        except WebSocketDisconnect as exc:
            seen.append((exc.code, websocket.client_state, websocket.application_state))
            raise

    host.answers.append(Taken.FULL)
    opened(host, handler)
    host.leave()
    assert seen == [(1006, WebSocketState.CONNECTED, WebSocketState.DISCONNECTED)]
    assert host.is_done() and host.complaints == []


def test_a_handler_that_goes_on_without_its_client_is_cancelled(host: SocketHost):
    events: list[str] = []

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            await asyncio.sleep(3600)
        finally:
            async with asyncio.timeout(5):
                await asyncio.sleep(1)
            events.append("closed")

    opened(host, handler)
    host.leave()
    host.run(4.9)
    assert host.calls == ["open", "reply 101"]
    host.run(0.2)
    assert host.calls[2:] == ["linger begins", "close 1000"] and events == []
    host.run(2)
    assert events == ["closed"] and host.is_done()
    assert host.calls[-1] == "linger ends" and host.complaints == []


def test_a_handler_that_ends_in_time_is_not_cancelled(host: SocketHost):
    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        async for _ in websocket.iter_text():
            pass
        await asyncio.sleep(4)

    opened(host, handler)
    host.leave()
    host.run(60)
    assert host.calls == ["open", "reply 101", "close 1000"] and host.complaints == []


def test_the_host_cancels_a_handler(host: SocketHost):
    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        await asyncio.sleep(3600)

    opened(host, handler)
    host.cancelled.add(1)
    host.tasks[1].cancel()
    host.clock.loop.run_ready()
    assert host.calls[-1] == "close 1000" and host.complaints == [] and host.is_done()


def test_a_handler_that_closes(host: SocketHost):
    seen: list[Any] = []

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        reading = asyncio.create_task(websocket.receive())
        await asyncio.sleep(0)
        await websocket.close(4000, "x" * 122 + "ä")
        seen.append(await reading)
        seen.append(websocket.application_state)
        with pytest.raises(WebSocketDisconnected, match="once a close message"):
            await websocket.close()
        with pytest.raises(WebSocketDisconnected, match="once a close message"):
            await websocket.send_text("a")
        await asyncio.sleep(1)
        with pytest.raises(WebSocketDisconnected):
            await websocket.receive_text()

    opened(host, handler)
    # The reason has at most 123 bytes, and half a character is none.
    assert host.calls[2:] == ["linger begins", f"close 4000 {'x' * 122}"]
    assert seen[0]["type"] == "websocket.disconnect" and seen[0]["code"] == 4000
    assert seen[1] is WebSocketState.DISCONNECTED
    host.run(2)
    assert host.calls[4:] == ["linger ends"] and host.complaints == []


def test_states_before_it_is_accepted(host: SocketHost):
    seen: list[str] = []

    async def handler(websocket: WebSocket) -> None:
        for attempt in (websocket.receive_text(), websocket.send_text("x")):
            try:
                await attempt
            except RuntimeError as exc:
                seen.append(f"{type(exc).__name__}: {exc}")
        assert await websocket.receive() == {"type": "websocket.connect"}
        assert websocket.client_state is WebSocketState.CONNECTED
        await websocket.send({"type": "websocket.accept", "subprotocol": "a"})

    assert opened(host, handler, headers=[("sec-websocket-protocol", "a")])[1] == "a"
    assert seen == [
        'WebSocketDisconnected: WebSocket is not connected. Need to call "accept" first.',
        'RuntimeError: Expected ASGI message "websocket.accept", "websocket.close" or '
        "\"websocket.http.response.start\", but got 'websocket.send'",
    ]


# Refusals: the statuses and bodies are those of FastAPI with uvicorn.


async def nothing(websocket: WebSocket) -> None: ...


async def closes(websocket: WebSocket) -> None:
    await websocket.close(4000, "why")


async def sends_close(websocket: WebSocket) -> None:
    await websocket.send({"type": "websocket.close"})


async def denies(websocket: WebSocket) -> None:
    await websocket.send_denial_response(JSONResponse({"a": 1}, 418, {"x-a": "b"}))


async def sends_denial(websocket: WebSocket) -> None:
    headers = [(b"content-type", b"a/b"), (b"content-length", b"2"), (b"x-a", b"c")]
    start = {"type": "websocket.http.response.start", "status": 400, "headers": headers}
    await websocket.send(start)
    body = "websocket.http.response.body"
    with pytest.raises(RuntimeError, match=body):
        await websocket.send({"type": "websocket.send", "text": "x"})
    await websocket.send({"type": body, "body": b"a", "more_body": True})
    assert websocket.application_state is WebSocketState.RESPONSE
    await websocket.send({"type": body, "body": b"b"})


def raises(exc: BaseException) -> Handler:
    async def handler(websocket: WebSocket) -> None:
        raise exc

    return handler


EMPTY = ("text/plain; charset=utf-8", [], "")


@pytest.mark.parametrize(
    ("handler", "reply", "complaint"),
    [
        (nothing, (500, {"detail": "Internal Server Error"}), "has ended without"),
        (closes, (403, *EMPTY), ""),
        (sends_close, (403, *EMPTY), ""),
        (denies, (418, None, [("x-a", "b")], {"a": 1}), ""),
        (sends_denial, (400, "a/b", [("x-a", "c")], b"ab"), ""),
        (raises(WebSocketException(4001, "why")), (403, *EMPTY), ""),
        (raises(WebSocketException(1006)), (500, {"detail": "Internal Server Error"}), "1006"),
        (raises(WebSocketDisconnect(1000)), (403, *EMPTY), ""),
        (
            raises(HTTPException(401, "no", {"x-a": "b"})),
            (401, None, [("x-a", "b")], {"detail": "no"}),
            "",
        ),
        (raises(KeyError("k")), (500, {"detail": "Internal Server Error"}), "KeyError: 'k'"),
        (raises(WebSocketRequestValidationError([])), (403, *EMPTY), ""),
    ],
)
def test_refusals(host: SocketHost, handler: Handler, reply: Any, complaint: str):
    assert opened(host, handler) == reply
    assert host.calls == [f"reply {reply[0]}"] and host.is_done()
    assert complaint in "".join(host.complaints) and bool(complaint) == bool(host.complaints)


def test_too_many(host: SocketHost):
    seen: list[Any] = []

    async def handler(websocket: WebSocket) -> None:
        try:
            await websocket.accept()
        except WebSocketDisconnect as exc:
            seen.append(exc.code)
            raise

    host.has_room = False
    assert opened(host, handler)[::3] == (503, "Service Unavailable")
    assert seen == [1013] and host.calls == ["open", "reply 503"] and host.complaints == []


def test_a_refusal_before_an_exception(host: SocketHost):
    async def handler(websocket: WebSocket) -> None:
        await websocket.close()
        raise KeyError("later")

    assert opened(host, handler)[0] == 403
    assert "KeyError: 'later'" in host.complaints[0]


# Ends: FastAPI with uvicorn breaks off the connection (1006) where this says 1000 and 1011.


@pytest.mark.parametrize(
    ("exc", "close", "complaint"),
    [
        (WebSocketException(4001, "why"), "close 4001 why", ""),
        (WebSocketException(1005), "close 1011", "ValueError"),
        (WebSocketDisconnect(), "close 1000", ""),
        (ExceptionGroup("a", [WebSocketDisconnect(), WebSocketDisconnect()]), "close 1000", ""),
        (ExceptionGroup("a", [WebSocketDisconnect(), KeyError("k")]), "close 1011", "KeyError"),
        (HTTPException(401), "close 1011", "HTTPException"),
        (KeyError("k"), "close 1011", "KeyError: 'k'"),
        (SystemExit(3), "close 1011", "SystemExit"),
        (asyncio.CancelledError("own"), "close 1011", "CancelledError"),
    ],
)
def test_exceptions_of_an_accepted_one(
    host: SocketHost, exc: BaseException, close: str, complaint: str
):
    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        raise exc

    assert opened(host, handler)[0] == 101
    assert host.calls == ["open", "reply 101", close] and host.is_done()
    assert complaint in "".join(host.complaints) and bool(complaint) == bool(host.complaints)


def test_a_message_of_the_wrong_kind_closes(host: SocketHost):
    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()

    opened(host, handler)
    host.tell(b"x")
    assert host.calls[-1] == "close 1003 a text message was expected" and host.complaints == []


def test_a_message_that_is_no_json(host: SocketHost):
    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        with pytest.raises(json.JSONDecodeError):
            await websocket.receive_json()
        await websocket.receive_json()

    opened(host, handler)
    host.tell("{", "{")
    assert host.calls[-1] == "close 1011" and "JSONDecodeError" in host.complaints[0]


def test_background_tasks_run_after_the_end(host: SocketHost):
    done: list[str] = []

    async def later() -> None:
        await asyncio.sleep(1)
        done.append("task")

    @host.api.websocket("/")
    async def handler(websocket: WebSocket, tasks: BackgroundTasks) -> None:
        await websocket.accept()
        tasks.add_task(later)

    host.call("/")
    assert host.calls[2:] == ["linger begins", "close 1000"] and done == []
    host.run(2)
    assert done == ["task"] and host.calls[4:] == ["linger ends"]
