"""Apps of ASGI behind the host: their scopes, messages, streams, failures, and what goes on."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from foreignfake import ForeignHost, foreign_host
from streamfake import Part_Data, Part_End, Part_Failed, Part_Pending, Progress

from bolt import BoltAPI, Request
from bolt._doors.asgi_scope import server_of
from bolt._streams import progress
from bolt.asgi import ASGIApp

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/a")]}


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


@pytest.fixture
def host(monkeypatch):
    yield from foreign_host(monkeypatch)


def without_lifespan(app: Callable[..., Any]) -> ASGIApp:
    return ASGIApp(app, lifespan=False)


def test_the_scope_of_a_request(host: ForeignHost):
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await send(START)
        await send(part(b""))

    host.serve(without_lifespan(app))
    headers = [("x-a", "1"), ("x-a", "\xe9")]
    host.request("PUT", "/a%2Fb/%C3%A9", headers, query="q=%20", prefix="/shop", scheme="https")
    assert scopes == [
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": "1.1",
            "method": "PUT",
            "scheme": "https",
            "path": "/shop/a/b/é",
            "raw_path": b"/shop/a%2Fb/%C3%A9",
            "query_string": b"q=%20",
            "root_path": "/shop",
            "headers": [(b"host", b"app.example:8000"), (b"x-a", b"1"), (b"x-a", b"\xe9")],
            "client": ("10.0.0.1", 5),
            "server": ("app.example", 8000),
            "state": {},
            "extensions": {"http.response.pathsend": {}},
        }
    ]


@pytest.mark.parametrize(
    ("told", "server"),
    [
        ("a.example", ("a.example", 443)),
        ("a.example:", ("a.example", 443)),
        ("a.example:8000", ("a.example", 8000)),
        ("1", ("1", 443)),
        ("[::1]", ("::1", 443)),
        ("[::1]:", ("::1", 443)),
        ("[::1]:80", ("::1", 80)),
        ("", ("localhost", 443)),
    ],
)
def test_the_server_is_what_the_client_has_asked_for(told: str, server: tuple[str, int]):
    assert server_of([("x-a", "1"), ("host", told)], "https") == server


def test_characters_that_are_not_escaped(host: ForeignHost):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["path"], scope["raw_path"], scope["query_string"]))
        await send(START)
        await send(part(b""))

    host.serve(without_lifespan(app))
    host.request("GET", "/é", query="ü")
    assert seen == [("/é", "/é".encode(), "ü".encode())]

    def wsgi(environ, start_response):
        seen.append((environ["PATH_INFO"], environ["QUERY_STRING"], environ["RAW_URI"]))
        start_response("200 OK", [])
        return []

    host.serve(wsgi)
    host.request("GET", "/é", query="ü")
    assert seen[1] == ("/\xc3\xa9", "\xc3\xbc", "/\xc3\xa9?\xc3\xbc")


def test_a_mounted_app_has_a_root_path_and_the_state_of_the_outer_one(host: ForeignHost):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["root_path"], scope["path"], scope["state"]))
        await send(START)
        await send(part(b"inner"))

    api = BoltAPI()
    api.mount("/sub", without_lifespan(app))

    @api.middleware
    async def around(request: Request, call_next: Any) -> Any:
        request.state.user = "eva"
        response = await call_next(request)
        response.headers["x-outer"] = "1"
        return response

    host.serve(api)
    answer = host.request("GET", "/sub/a")
    assert seen == [("/sub", "/sub/a", {"user": "eva"})]
    assert answer.body == b"inner" and answer.content_type == "text/a"
    assert answer.header("x-outer") == ["1"]


def test_a_file_is_sent_by_the_host(host: ForeignHost):
    own = [(b"etag", b'"a"'), (b"content-length", b"3"), (b"x-a", b"1")]
    head = {"type": "http.response.start", "status": 200, "headers": own}

    async def app(scope, receive, send):
        assert "http.response.pathsend" in scope["extensions"]
        await send(head)
        await send({"type": "http.response.pathsend", "path": "/data/a.txt"})

    host.serve(without_lifespan(app))
    answer = host.request("GET", "/")
    assert (answer.kind, answer.body, answer.status) == ("file", b"/data/a.txt", 200)
    assert answer.headers == [("x-a", "1")]

    async def late(scope, receive, send):
        await send(head)
        await send(part(b"a", more=True))
        await send({"type": "http.response.pathsend", "path": "/data/a.txt"})

    host.serve(without_lifespan(late))
    host.request("GET", "/")
    assert "expected the ASGI message 'http.response.body'" in host.complaints.pop()


def test_a_body_comes_whole_or_in_parts(host: ForeignHost):
    got = []

    async def app(scope, receive, send):
        while (message := await receive())["type"] == "http.request":
            got.append((message["body"], message["more_body"]))
            if not message["more_body"]:
                break
        await send(START)
        await send(part(b"ok"))
        got.append(await receive())

    host.serve(without_lifespan(app))
    assert host.request("POST", "/", body=b"abc").body == b"ok"
    assert got == [(b"abc", False), {"type": "http.disconnect"}]
    got.clear()
    host.streams.parts.extend([Part_Data(b"a"), Part_Data(b"b"), Part_End()])
    assert host.request("POST", "/", body=None).body == b"ok"
    assert got == [(b"a", True), (b"b", True), (b"", False), {"type": "http.disconnect"}]


def test_a_body_that_does_not_come_is_what_the_client_is_told(host: ForeignHost):
    async def app(scope, receive, send):
        assert (await receive())["type"] == "http.disconnect"
        raise ValueError("no body")

    host.serve(without_lifespan(app))
    host.streams.parts.append(Part_Failed('{"status": 413, "detail": "too large"}'))
    answer = host.request("POST", "/", body=None)
    assert answer.status == 413


def test_headers_are_kept_and_a_missing_content_type_stays_missing(host: ForeignHost):
    async def app(scope, receive, send):
        headers = [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=\xe9"), (b"x-b", b"2")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send(part(b"ab"))

    host.serve(without_lifespan(app))
    answer = host.request()
    assert (answer.status, answer.content_type, answer.kind) == (201, "", "whole")
    assert answer.headers == [("set-cookie", "a=1"), ("set-cookie", "b=\xe9"), ("x-b", "2")]


def test_parts_that_come_at_once_are_a_whole(host: ForeignHost):
    async def app(scope, receive, send):
        await send(START)
        await send(part(b"a", True))
        await asyncio.sleep(0)
        await send(part(b"b", True))
        await send(part(b""))

    host.serve(without_lifespan(app))
    answer = host.request()
    assert (answer.body, answer.kind) == (b"ab", "whole")


def test_parts_that_take_time_flow(host: ForeignHost):
    async def app(scope, receive, send):
        await send(START)
        await send(part(b"a", True))
        await asyncio.sleep(1)
        await send(part(b"b", True))
        await asyncio.sleep(1)
        await send(part(b""))

    host.serve(without_lifespan(app))
    host.start()
    answer = host.answer(1)
    assert (answer.status, answer.kind, answer.body) == (200, "stream", b"a")
    assert host.answer().body == b"ab"
    assert host.streams.calls[-1] == "close 7 ok" and not host.complaints


def test_the_head_does_not_wait_for_a_late_body(host: ForeignHost):
    async def app(scope, receive, send):
        await send(START)
        await asyncio.sleep(float(scope["path"][1:]))
        await send(part(b"a"))

    host.serve(without_lifespan(app))
    host.start("GET", "/1")
    answer = host.answer(2)
    assert (answer.status, answer.kind, answer.body) == (200, "stream", b"")
    assert host.answer().body == b"a"
    answer = host.request("GET", "/0.01")
    assert (answer.kind, answer.body) == ("whole", b"a")


def test_a_client_that_does_not_read_stops_the_app(host: ForeignHost):
    sent = []

    async def app(scope, receive, send):
        await send(START)
        for number in range(40):
            await send(part(bytes(16 * 1024), True))
            sent.append(number)
        await send(part(b""))

    host.serve(without_lifespan(app))
    taken = host.streams.Taken
    host.streams.answers.extend([taken.FULL] * 3)
    host.start()
    host.answer(10)
    assert len(sent) == 4 and not host.streams.chunks
    for _ in range(3):
        host.streams.tell(Progress(7))
    assert len(host.answer().body) == 40 * 16 * 1024
    assert len(sent) == 40


def test_a_client_that_leaves_a_stream(host: ForeignHost):
    seen = []

    async def app(scope, receive, send):
        await send(START)
        try:
            while True:
                await send(part(b"x", True))
                await asyncio.sleep(0.01)
        except OSError as exc:
            seen.append(str(exc))
            seen.append(await receive())
            seen.append(await receive())
            raise

    host.serve(without_lifespan(app))
    host.start()
    host.answer(5)
    assert progress.flows
    host.leave()
    assert seen[0] == "the client is gone" and seen[-1] == {"type": "http.disconnect"}
    assert not host.complaints and host.streams.calls[-1] == "close 7 ok"


def test_an_app_that_does_not_notice_is_cancelled(host: ForeignHost):
    seen = []

    async def app(scope, receive, send):
        try:
            if scope["path"] == "/stream":
                await send(START)
                await send(part(b"x", True))
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            seen.append(host.streams.clock.now)
            raise

    host.serve(without_lifespan(app))
    for path in ("/", "/stream"):
        begun = host.streams.clock.now
        host.start("GET", path)
        if path == "/":
            host.cancel()
        else:
            host.answer(1)
            host.leave()
        assert 0.4 < seen.pop() - begun < 0.7
    assert not host.complaints


def test_an_app_may_finish_its_work_when_a_client_leaves(host: ForeignHost):
    done = []

    async def app(scope, receive, send):
        await receive()
        assert await receive() == {"type": "http.disconnect"}
        await asyncio.sleep(0.1)
        done.append(1)
        with pytest.raises(OSError):
            await send(START)

    host.serve(without_lifespan(app))
    host.start()
    host.cancel()
    assert done == [1] and not host.complaints


def test_work_after_the_response(host: ForeignHost):
    done = []

    async def app(scope, receive, send):
        await send(START)
        if scope["path"] == "/stream":
            await send(part(b"a", True))
            await asyncio.sleep(1)
        await send(part(b"b"))
        await asyncio.sleep(5)
        done.append(scope["path"])
        raise ValueError("after it")

    host.serve(without_lifespan(app))
    for path, body in (("/", b"b"), ("/stream", b"ab")):
        host.streams.chunks.clear()
        host.streams.calls.clear()
        host.start("GET", path)
        answer = host.answer(1)
        begun = host.streams.clock.now
        while "linger 7 begins" not in host.streams.calls:
            host.answer(1)
        assert answer.status == 200 and not done
        assert host.answer().body == body and done.pop() == path
        assert host.streams.clock.now - begun > 4
        assert host.streams.calls[-1] == "linger 7 ends"
        assert "ValueError: after it" in host.complaints.pop()


def test_an_app_that_raises(host: ForeignHost):
    async def app(scope, receive, send):
        match scope["path"]:
            case "/before":
                raise ValueError("broken")
            case "/head":
                await send(START)
                raise ValueError("broken")
            case "/answered":
                await send(START | {"status": 500})
                await send(part(b"sorry"))
                raise ValueError("broken")
            case "/midway":
                await send(START)
                await send(part(b"a", True))
                await asyncio.sleep(1)
                raise ValueError("broken")
            case "/silent":
                return
            case "/half":
                await send(START)

    host.serve(without_lifespan(app))
    for path in ("/before", "/head"):
        assert host.request("GET", path).status == 500
        assert "ValueError: broken" in host.complaints.pop()
    answer = host.request("GET", "/answered")
    assert (answer.status, answer.body) == (500, b"sorry")
    assert "test_asgi.py" in host.complaints[0] and "_doors" not in host.complaints.pop()
    assert host.request("GET", "/midway").body == b"a"
    assert host.streams.calls[-1] == "close 7 failed"
    assert "ValueError: broken" in host.complaints.pop()
    for path, said in (("/silent", "without a response"), ("/half", "its last message")):
        assert host.request("GET", path).status == 500
        assert said in host.complaints.pop()


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([part(b"")], RuntimeError),
        ([START, START], RuntimeError),
        ([START, part(b""), part(b"")], RuntimeError),
        ([START, part("text")], TypeError),  # type: ignore[arg-type]
        ([START | {"headers": [("a", "b")]}], TypeError),
    ],
)
def test_messages_out_of_order(host: ForeignHost, messages: Any, error: type[Exception]):
    raised = []

    async def app(scope, receive, send):
        for message in messages[:-1]:
            await send(message)
        try:
            await send(messages[-1])
        except Exception as exc:
            raised.append(type(exc))
            raise

    host.serve(without_lifespan(app))
    host.request()
    assert raised == [error] and len(host.complaints) == 1


def test_the_client_of_head_gets_no_stream(host: ForeignHost):
    async def app(scope, receive, send):
        await send(START)
        for _ in range(3):
            await send(part(b"a" * 50_000, True))
            await asyncio.sleep(1)
        await send(part(b""))

    host.serve(without_lifespan(app))
    answer = host.request("HEAD")
    assert (answer.status, answer.kind) == (200, "whole") and len(answer.body) < 100_000


def test_a_response_without_a_body(host: ForeignHost):
    async def app(scope, receive, send):
        await send(START | {"status": 304})
        await send(part(b"abc", True))
        await send(part(b""))

    host.serve(without_lifespan(app))
    assert host.request().body == b""


def test_waiting_for_a_body_lets_others_run(host: ForeignHost):
    async def app(scope, receive, send):
        message = await receive()
        await send(START)
        await send(part(message["body"]))

    def none_yet() -> Part_Pending:
        host.streams.progress.append(Progress(7))
        host.streams.clock.loop.call_later(1, progress.on_news)
        return Part_Pending()

    host.serve(without_lifespan(app))
    host.streams.parts.extend([none_yet, Part_Data(b"late"), Part_End()])
    assert host.request("POST", body=None).body == b"late"


LIFESPANS = []


def with_lifespan(answers: list[str | None], state: dict[str, Any]) -> Callable[..., Any]:
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            scope["state"].update(state)
            for answer in answers:
                LIFESPANS.append((await receive())["type"])
                if answer is None:
                    return
                if answer == "raise":
                    raise ValueError("in the lifespan")
                await send({"type": answer, "message": "no database"})
            return
        await send(START)
        await send(part(repr(scope["state"]).encode()))

    return app


def test_a_lifespan(host: ForeignHost):
    LIFESPANS.clear()
    state = {"pool": [1]}
    host.serve(with_lifespan(["lifespan.startup.complete", "lifespan.shutdown.complete"], state))
    assert host.request().body == b"{'pool': [1]}"
    assert host.request().body == b"{'pool': [1]}"
    assert LIFESPANS == ["lifespan.startup"]
    (lifespan,) = {life for route in host.api.routes for life in route.plan.lifespans}
    host.streams.clock.run(lifespan.leave())
    assert LIFESPANS == ["lifespan.startup", "lifespan.shutdown"] and not host.complaints


def test_a_lifespan_that_fails(host: ForeignHost):
    LIFESPANS.clear()
    host.serve(with_lifespan(["lifespan.startup.failed"], {}))
    for _ in range(2):
        assert host.request().status == 500
        assert "could not start: no database" in host.complaints.pop()
    assert LIFESPANS == ["lifespan.startup"] * 2


@pytest.mark.parametrize(("answers", "logged"), [([], 0), ([None], 0), (["raise"], 1)])
def test_an_app_that_knows_no_lifespan(host: ForeignHost, answers: Any, logged: int):
    host.serve(with_lifespan(answers, {}))
    assert host.request().body == b"{}" and len(host.complaints) == logged
    host.complaints.clear()
    assert host.request().body == b"{}" and not host.complaints
