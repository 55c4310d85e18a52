"""Apps of WSGI behind the host: their environ, what they return, and how responses end."""

import contextvars
import sys
from typing import Any

import pytest
from foreignfake import ForeignHost, foreign_host
from streamfake import Part_Data, Part_End

from bolt import BoltAPI
from bolt.wsgi import WSGIApp

PLAIN = [("Content-Type", "text/plain")]


@pytest.fixture
def host(monkeypatch):
    yield from foreign_host(monkeypatch)


def test_the_environ_of_a_request(host: ForeignHost):
    seen: list[dict[str, Any]] = []

    def app(environ, start_response):
        seen.append(environ)
        start_response("200 OK", PLAIN)
        return [b"ok"]

    host.serve(app)
    headers = [
        *(("content-type", "text/a"), ("content-length", "3"), ("x-a", "1"), ("x-a", "2")),
        *(("cookie", "a=1"), ("cookie", "b=2"), ("x_a", "forged")),
    ]
    host.request("POST", "/a%2Fb/%C3%A9", headers, b"abc", query="q=%20", scheme="https")
    environ = seen.pop()
    assert environ.pop("wsgi.input").read() == b"abc"
    assert environ.pop("wsgi.errors") is sys.stderr
    assert callable(environ.pop("wsgi.file_wrapper"))
    assert environ == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a/b/\xc3\xa9",
        "QUERY_STRING": "q=%20",
        "RAW_URI": "/a%2Fb/%C3%A9?q=%20",
        "REQUEST_URI": "/a%2Fb/%C3%A9?q=%20",
        "SERVER_NAME": "app.example",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "bolt-host",
        "REMOTE_ADDR": "10.0.0.1",
        "REMOTE_PORT": "5",
        "CONTENT_TYPE": "text/a",
        "CONTENT_LENGTH": "3",
        "HTTP_HOST": "app.example:8000",
        "HTTP_X_A": "1,2",
        "HTTP_COOKIE": "a=1; b=2",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


def test_a_mounted_app_has_a_script_name(host: ForeignHost):
    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode("latin-1")]

    api = BoltAPI()
    api.mount("/old", app)
    host.serve(api)
    assert host.request("GET", "/old/a", prefix="/shop").body == b"/shop/old /a"
    assert host.request("GET", "/old/").body == b"/old /"


def test_the_input_is_read_as_files_are(host: ForeignHost):
    def app(environ, start_response):
        given = environ["wsgi.input"]
        start_response("200 OK", PLAIN)
        got = [given.read(2), given.readline(), given.readlines(1), list(given), given.read()]
        return [repr(got).encode()]

    body = b"abcd\nef\ngh\nij"
    wanted = repr([b"ab", b"cd\n", [b"ef\n"], [b"gh\n", b"ij"], b""]).encode()
    host.serve(app)
    assert host.request("POST", body=body).body == wanted
    host.serve(WSGIApp(app, stream_body=True))
    host.streams.parts.extend([Part_Data(body[:3]), Part_Data(body[3:]), Part_End(), Part_End()])
    assert host.request("POST", body=None).body == wanted


class Closing:
    """An iterable that says when it is iterated, and when it is closed."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts
        self.said: list[str] = []

    def __iter__(self) -> Any:
        for part in self.parts:
            self.said.append("next")
            if isinstance(part, Exception):
                raise part
            yield part

    def close(self) -> None:
        self.said.append("close")


def serving(host: ForeignHost, result: Any, status: str = "200 OK", *headers: Any) -> None:
    def app(environ, start_response):
        start_response(status, [*PLAIN, *headers])
        return result

    host.serve(app)


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ([b"ab", b"c"], "whole"),
        ((b"abc",), "whole"),
        (Closing(b"", b"ab", b"c"), "stream"),
        (iter([b"abc"]), "stream"),
    ],
)
def test_what_an_app_returns(host: ForeignHost, result: Any, kind: str):
    serving(host, result, "201 Made", ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))
    answer = host.request()
    assert (answer.status, answer.content_type, answer.body) == (201, "text/plain", b"abc")
    assert answer.kind == kind and answer.header("set-cookie") == ["a=1", "b=2"]
    if isinstance(result, Closing):
        assert result.said == ["next"] * 3 + ["close"]
    assert not host.complaints


def test_spaces_around_a_header_are_not_sent(host: ForeignHost):
    serving(host, [b"a"], "200 OK", ("Set-Cookie", " a=b c"), ("X-A", "\t1 "))
    assert host.request().headers == [("set-cookie", "a=b c"), ("x-a", "1")]


@pytest.mark.parametrize("parts", [(b"", b"abc"), (b"ab", b"c"), ()])
def test_a_length_that_is_reached_makes_it_whole(host: ForeignHost, parts: Any):
    result = Closing(*parts)
    serving(host, result, "200 OK", ("Content-Length", "3"))
    answer = host.request()
    assert answer.body == b"".join(parts)
    assert answer.kind == ("stream" if len(parts) == 2 and parts[0] else "whole")
    assert result.said[-1] == "close" and result.said.count("close") == 1


def test_a_generator_starts_the_response_when_it_is_iterated(host: ForeignHost):
    def app(environ, start_response):
        start_response("202 Later", PLAIN)
        yield b""
        yield b"a"
        yield b"b"

    host.serve(app)
    answer = host.request()
    assert (answer.status, answer.body, answer.kind) == (202, b"ab", "stream")


def test_all_of_an_iterable_runs_in_one_context(host: ForeignHost):
    name = contextvars.ContextVar("name", default="none")

    def app(environ, start_response):
        token = name.set("request")
        start_response("200 OK", PLAIN)
        yield b"a"
        yield name.get().encode()
        name.reset(token)

    host.serve(app)
    assert host.request().body == b"arequest" and not host.complaints


def test_what_write_takes_comes_first(host: ForeignHost):
    def app(environ, start_response):
        write = start_response("200 OK", PLAIN)
        write(b"a")
        write(b"b")
        return [b"c"] if environ["PATH_INFO"] == "/" else Closing(b"c", b"d")

    host.serve(app)
    assert host.request().body == b"abc"
    assert host.request("GET", "/x").body == b"abcd"


def test_the_head_of_what_write_has_taken_stays(host: ForeignHost):
    def app(environ, start_response):
        start_response("200 OK", PLAIN)(b"a")
        try:
            raise ValueError("late")
        except ValueError:
            start_response("500 No", PLAIN, sys.exc_info())
        return [b"sorry"]

    host.serve(app)
    answer = host.request()
    assert answer.status == 500 and b"sorry" not in answer.body
    assert "ValueError: late" in host.complaints[0]


def test_the_head_may_be_replaced_until_it_is_sent(host: ForeignHost):
    raised = []

    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        try:
            raise ValueError("late")
        except ValueError:
            start_response("500 No", [("x-a", "1")], sys.exc_info())
        yield b"sorry"
        try:
            raise ValueError("too late")
        except ValueError as exc:
            try:
                start_response("500 No", PLAIN, sys.exc_info())
            except ValueError as again:
                raised.append(again is exc)

    host.serve(app)
    answer = host.request()
    assert (answer.status, answer.content_type, answer.body) == (500, "", b"sorry")
    assert answer.headers == [("x-a", "1")] and raised == [True]


def twice(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)


def silent(environ, start_response):
    return [b"a"]


def text(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["a"]


def one_text(environ, start_response):
    start_response("200 OK", PLAIN)
    return b"abc"


def wrong_status(environ, start_response):
    start_response(200, PLAIN)


def wrong_header(environ, start_response):
    start_response("200 OK", [(b"a", b"b")])


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (twice, "start_response was called twice"),
        (silent, "returned without a response"),
        (text, "the body of WSGI is bytes, not str"),
        (one_text, "has to return an iterable"),
        (wrong_status, "not 200"),
        (wrong_header, "a header of WSGI is a pair of str"),
    ],
)
def test_mistakes(host: ForeignHost, app: Any, said: str):
    host.serve(app)
    assert host.request().status == 500
    assert said in host.complaints[0]


def test_a_whole_response_that_raises_is_closed(host: ForeignHost):
    class Whole(Closing):
        streaming = False

    result = Whole(b"a", ValueError("early"))
    serving(host, result)
    assert host.request().status == 500 and result.said == ["next", "next", "close"]
    assert "ValueError: early" in host.complaints[0]


def test_an_iterable_that_raises_is_closed(host: ForeignHost):
    early, late = Closing(ValueError("early")), Closing(b"a", ValueError("late"))
    serving(host, early)
    assert host.request().status == 500 and early.said == ["next", "close"]
    serving(host, late)
    assert host.request().body == b"a" and late.said == ["next", "next", "close"]
    assert host.streams.calls[-1] == "close 7 failed"
    assert ["early" in host.complaints[0], "late" in host.complaints[1]] == [True, True]


def test_what_raises_at_its_end_is_logged(host: ForeignHost):
    class Broken(Closing):
        def close(self) -> None:
            raise ValueError("at the end")

    serving(host, Broken(b"abc"), "200 OK", ("content-length", "3"))
    assert host.request().body == b"abc"
    assert "ValueError: at the end" in host.complaints[0]


def test_a_response_that_nobody_takes_is_closed(host: ForeignHost):
    result = Closing(b"a", b"b")
    serving(host, result)
    host.streams.has_room = False
    assert host.request().status == 503
    assert result.said == ["next", "close"]


def test_the_client_of_head_gets_no_stream(host: ForeignHost):
    result = Closing(b"a", b"b")
    serving(host, result)
    assert host.request("HEAD").kind == "whole" and result.said == ["next", "close"]


def test_files_are_sent_in_blocks(host: ForeignHost, tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 20_000)

    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        return environ["wsgi.file_wrapper"](open(tmp_path / "a", "rb"))

    host.serve(app)
    assert host.request().body == b"x" * 20_000
