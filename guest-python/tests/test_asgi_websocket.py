"""WebSockets of ASGI apps: the scope, the messages, refusals, and a client that is gone."""

from typing import Any

import pytest
from socketfake import SocketHost, socket_host

from bolt import BoltAPI
from bolt._app.manifest import manifest
from bolt.asgi import ASGIApp

ACCEPT = {"type": "websocket.accept"}
OFFER = [("host", "a.example"), ("sec-websocket-protocol", "chat, news")]


@pytest.fixture
def host(monkeypatch):
    yield from socket_host(monkeypatch)


def connect(host: SocketHost, app: Any, **wire: Any) -> Any:
    host.api = BoltAPI.serving(ASGIApp(app, lifespan=False))
    return host.call("/{path:path}", **wire)


def test_messages_in_both_directions(host: SocketHost):
    scopes, got = [], []

    async def app(scope, receive, send):
        scopes.append(scope)
        got.append(await receive())
        await send({**ACCEPT, "subprotocol": "news", "headers": [(b"x-a", b"1")]})
        while (message := await receive())["type"] == "websocket.receive":
            got.append(message)
            await send({"type": "websocket.send", "text": "hello", "bytes": None})
            await send({"type": "websocket.send", "bytes": b"\xff", "text": None})
        got.append(message)

    reply = connect(host, app, headers=OFFER, query="a=1", scheme="https")
    assert reply[:3] == (101, "news", [("x-a", "1")])
    host.tell("one", b"two")
    host.leave(1001, "bye")
    assert scopes[0] == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": "wss",
        "path": "/{path:path}",
        "raw_path": b"/{path:path}",
        "query_string": b"a=1",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in OFFER],
        "client": ("::1", 5),
        "server": ("a.example", 443),
        "subprotocols": ["chat", "news"],
        "state": {},
        "extensions": {"websocket.http.response": {}},
    }
    assert got == [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "one"},
        {"type": "websocket.receive", "bytes": b"two"},
        {"type": "websocket.disconnect", "code": 1001, "reason": "bye"},
    ]
    assert host.sent == [(1, "hello"), (1, "\xff")] * 2
    assert host.is_done() and not host.complaints


def test_an_app_closes(host: SocketHost):
    async def app(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await send({"type": "websocket.close", "code": None, "reason": "done"})

    connect(host, app)
    assert host.calls[-1] == "linger ends" and "close 1000 done" in host.calls


def test_an_app_refuses(host: SocketHost):
    async def app(scope, receive, send):
        await receive()
        if scope["query_string"] == b"plain":
            await send({"type": "websocket.close", "code": 1000})
            return
        head = [(b"content-type", b"text/plain"), (b"x-a", b"1")]
        await send({"type": "websocket.http.response.start", "status": 401, "headers": head})
        await send({"type": "websocket.http.response.body", "body": b"who", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b" are you"})

    assert connect(host, app, query="plain")[0] == 403
    status, kind, headers, body = connect(host, app, request=2)
    assert (status, headers, body) == (401, [("x-a", "1")], b"who are you")
    assert kind.startswith("text/plain")


def test_an_app_that_raises_or_returns(host: SocketHost):
    async def app(scope, receive, send):
        await receive()
        if scope["query_string"] == b"early":
            raise ValueError("early")
        if scope["query_string"] == b"accept":
            await send(ACCEPT)
            raise ValueError("late")

    assert connect(host, app, query="early")[0] == 500
    assert "ValueError: early" in host.complaints.pop()
    assert connect(host, app, query="accept", request=2)[0] == 101
    assert "ValueError: late" in host.complaints.pop() and "close 1011" in host.calls
    assert connect(host, app, request=3)[0] == 500
    assert "has ended without" in host.complaints.pop()


def test_a_client_that_is_gone(host: SocketHost):
    raised = []

    async def app(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await receive()
        try:
            await send({"type": "websocket.send", "text": "late"})
        except OSError as exc:
            raised.append(exc)
            raise

    connect(host, app)
    host.leave()
    assert raised and host.is_done() and not host.complaints


def test_pages_of_all_sites_may_connect_unless_the_app_says_otherwise():
    async def app(scope, receive, send): ...

    def origins(given: Any) -> Any:
        described = manifest(BoltAPI.serving(given), "app:app")
        return next(one["origins"] for one in described["routes"] if "origins" in one)

    assert origins(app) == ["*"]
    assert origins(ASGIApp(app, origins=None)) is None
    assert origins(ASGIApp(app, origins=("https://a.example",))) == ["https://a.example"]
