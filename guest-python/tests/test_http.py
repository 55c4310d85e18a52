"""Requests to other servers and their answers, over a host that follows scripts."""

from typing import Any

import pytest
from httpfake import Install, answer, broken, data, error, head, host, run

from bolt import http
from bolt.http import _exchange

__all__ = ["host"]

URL = "https://example.com/items"


# Plain requests.


@pytest.mark.parametrize("method", ["get", "options", "head", "post", "put", "patch", "delete"])
def test_each_method_both_ways(host: Install, method: str) -> None:
    fake = host(*[answer(201, b"made", ("X-A", "1"))] * 4)
    answers = [
        run(getattr(http, method)(URL)),
        getattr(http.sync, method)(URL),
        run(getattr(http.AsyncClient(), method)(URL)),
        getattr(http.Client(), method)(URL),
    ]
    for got in answers:
        assert (got.status_code, got.content, got.headers["x-a"]) == (201, b"made", "1")
        assert (got.request.method, got.url) == (method.upper(), URL)
    for exchange in fake.exchanges:
        assert exchange.head["method"] == method.upper()
        assert exchange.head["timeout"] == 30
        assert (exchange.header("accept"), exchange.header("accept-encoding")) == ("*/*", None)
        assert (exchange.body, exchange.complete) == (b"", True)


def test_without_a_host_a_sentence() -> None:
    http.install(None)
    with pytest.raises(RuntimeError, match="works in a handler that bolt-host runs"):
        run(http.get(URL))
    with pytest.raises(RuntimeError, match="works in a handler that bolt-host runs"):
        http.sync.get(URL)
    _exchange.on_news()


@pytest.mark.parametrize(
    ("options", "body", "kind"),
    [
        ({"json": {"a": [1, "é"]}}, '{"a":[1,"é"]}'.encode(), "application/json"),
        ({"json": None}, b"", None),
        (
            {"data": {"a": "x y", "b": [1, True], "c": None}},
            b"a=x+y&b=1&b=true&c=",
            "application/x-www-form-urlencoded",
        ),
        ({"content": bytes(range(256))}, bytes(range(256)), None),
        ({"content": bytearray(b"abc")}, b"abc", None),
        ({"content": memoryview(b"abc")}, b"abc", None),
        ({"content": "é"}, "é".encode(), None),
        ({"json": 0, "headers": {"Content-Type": "text/x"}}, b"0", "text/x"),
    ],
)
def test_bodies(host: Install, options: Any, body: bytes, kind: str | None) -> None:
    fake = host(answer(), answer())
    run(http.post(URL, **options))
    http.sync.post(URL, **options)
    for exchange in fake.exchanges:
        assert (exchange.body, exchange.header("content-type")) == (body, kind)


@pytest.mark.parametrize(
    ("url", "params", "asked"),
    [
        ("http://a", None, "http://a/"),
        ("http://a?x=1#part", {"y": [1, None]}, "http://a/?x=1&y=1&y="),
        ("http://a:81/b", [("q", "ö&"), ("q", False)], "http://a:81/b?q=%C3%B6%26&q=false"),
        ("http://a/b", "x=1", "http://a/b?x=1"),
        ("http://a/ü b%20c/100%?d[]=e f", None, "http://a/%C3%BC%20b%20c/100%25?d[]=e%20f"),
        ("http://[::1]:8/", None, "http://[::1]:8/"),
    ],
)
def test_urls(host: Install, url: str, params: Any, asked: str) -> None:
    fake = host(answer())
    assert http.sync.get(url, params=params).url == asked
    assert fake.exchanges[0].head["url"] == asked


@pytest.mark.parametrize(
    "url", ["", "/x", "ftp://a/", "http://", "http://[::1/", "http://a/\ud800"]
)
def test_urls_that_are_none(host: Install, url: str) -> None:
    host()
    with pytest.raises(http.InvalidURL):
        http.sync.get(url)


def test_a_password_in_the_url_becomes_a_header(host: Install) -> None:
    fake = host(answer(), answer())
    http.sync.get("http://me:a%40b@a/")
    http.sync.get("http://me:x@a/", headers={"Authorization": "mine"})
    assert [e.head["url"] for e in fake.exchanges] == ["http://a/", "http://a/"]
    assert [e.header("authorization") for e in fake.exchanges] == ["Basic bWU6YUBi", "mine"]


@pytest.mark.parametrize(
    ("error_type", "options"),
    [
        (TypeError, {"content": 1}),
        (TypeError, {"content": {"a": b""}}),
        (TypeError, {"data": b"x"}),
        (TypeError, {"json": 1, "content": b"x"}),
        (TypeError, {"headers": {"a": 1}}),
        (TypeError, {"timeout": "1"}),
        (TypeError, {"allow_redirects": True}),
        (ValueError, {"timeout": 0}),
        (ValueError, {"timeout": float("inf")}),
        (ValueError, {"headers": {"a": "b\r\nc: d"}}),
        (ValueError, {"headers": {"a b": "c"}}),
        (ValueError, {"headers": {"a": "€"}}),
        (ValueError, {"json": float("nan")}),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(
    host: Install, error_type: type[Exception], options: Any
) -> None:
    host()
    with pytest.raises(error_type):
        http.sync.post(URL, **options)
    with pytest.raises(error_type):
        run(http.post(URL, **options))


def test_a_method_is_a_word(host: Install) -> None:
    fake = host(answer())
    http.sync.request("m-search", URL)
    assert fake.exchanges[0].head["method"] == "M-SEARCH"
    with pytest.raises(ValueError, match="cannot be the method"):
        http.sync.request("GET / HTTP/1.1", URL)


# Clients.


def test_what_a_client_adds(host: Install) -> None:
    fake = host(answer(), answer(), answer())
    options: Any = {
        "base_url": "http://api/v1/",
        "headers": {"X-A": "1", "X-B": "1"},
        "params": {"key": "k"},
        "timeout": None,
    }

    async def asynchronous() -> None:
        async with http.AsyncClient(**options) as client:
            await client.get("/a", headers={"x-b": "2"}, params={"b": 1})
        with pytest.raises(RuntimeError, match="closed"):
            await client.get("/a")

    run(asynchronous())
    with http.Client(**options) as client:
        client.get("a", headers=[("x-b", "2")], params={"b": 1}, timeout=2.5)
        client.get("http://other/")
    with pytest.raises(RuntimeError, match="closed"):
        client.get("/a")
    one, two, three = fake.exchanges
    assert one.head["url"] == two.head["url"] == "http://api/v1/a?key=k&b=1"
    assert three.head["url"] == "http://other/?key=k"
    assert (one.header("x-a"), one.header("x-b"), three.header("x-b")) == ("1", "2", "1")
    assert (one.head["timeout"], two.head["timeout"]) == (None, 2.5)


# Answers.


def test_what_an_answer_tells() -> None:
    got = http.Response(404, headers=[("A", "1"), ("a", "2")], content=b'{"x": 1}')
    assert got.headers["A"] == "1, 2"
    assert (got.headers.get("b"), got.headers.get("b", "c")) == (None, "c")
    assert got.headers.get_list("A") == ["1", "2"]
    assert list(got.headers.items()) == [("a", "1, 2")]
    assert got.headers.multi_items() == [("a", "1"), ("a", "2")]
    assert (len(got.headers), "A" in got.headers, 1 in got.headers) == (1, True, False)
    assert got.json() == {"x": 1}
    assert (got.reason_phrase, http.Response(799).reason_phrase) == ("Not Found", "")
    assert (got.is_error, got.is_client_error, got.is_success, got.is_redirect) == (
        True,
        True,
        False,
        False,
    )
    assert http.Response(302).is_redirect and not http.Response(302).has_redirect_location
    assert http.Response(502).is_server_error
    assert repr(got) == "<Response [404 Not Found]>"
    with pytest.raises(ValueError):
        http.Response(200, content=b"<html>").json()


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        ("", "é".encode(), "é"),
        ("text/html; charset=ISO-8859-1", b"\xe9", "é"),
        ('text/html; boundary=x; Charset="windows-1252"', b"\x80", "€"),
        ("text/plain; charset=utf-16", "é".encode("utf-16"), "é"),
        ("text/plain; charset=nonsense", b"\xff", "\ufffd"),
        ("text/plain; charset=hex", b"61", "61"),
        ("text/plain; charset=\0", b"61", "61"),
    ],
)
def test_text(kind: str, content: bytes, text: str) -> None:
    assert http.Response(200, headers={"content-type": kind}, content=content).text == text


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (304, f"Redirect response '304 Not Modified' for url '{URL}'"),
        (404, f"Client error '404 Not Found' for url '{URL}'"),
        (503, f"Server error '503 Service Unavailable' for url '{URL}'"),
        (799, f"Server error '799' for url '{URL}'"),
    ],
)
def test_raise_for_status(host: Install, status: int, message: str) -> None:
    host(answer(status, b"why"), answer())
    got = http.sync.get(URL)
    with pytest.raises(http.HTTPStatusError) as caught:
        got.raise_for_status()
    assert str(caught.value) == message
    assert (caught.value.request_url, caught.value.response) == (URL, got)
    assert isinstance(caught.value, http.HTTPError)
    ok = http.sync.get(URL)
    assert ok.raise_for_status() is ok


# Errors.

KINDS = [
    ("denied", http.AccessDenied),
    ("invalid", http.InvalidURL),
    ("resolve", http.ConnectError),
    ("connect", http.ConnectError),
    ("timeout", http.TimeoutException),
    ("protocol", http.ProtocolError),
    ("limit", http.TooLarge),
    ("not known yet", http.RequestError),
]


@pytest.mark.parametrize(("kind", "expected"), KINDS)
def test_errors_of_the_host(host: Install, kind: str, expected: type[Exception]) -> None:
    early, late = [error(kind, "A sentence.")], [head(), data(b"a"), broken(kind, "A sentence.")]
    host(early, early, late, late)
    for _ in range(2):
        for ask in (lambda: run(http.get(URL)), lambda: http.sync.get(URL)):
            with pytest.raises(http.RequestError) as caught:
                ask()
            assert type(caught.value) is expected
            assert str(caught.value) == "A sentence."
            assert caught.value.request is not None and caught.value.request.url == URL
