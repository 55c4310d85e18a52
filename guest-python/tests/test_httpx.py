"""The real httpx over `HTTPXTransport` and the scripted host."""

import asyncio
import gzip
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from httpfake import END, Install, answer, broken, data, error, head, host, run

from bolt import http

httpx = pytest.importorskip("httpx")

__all__ = ["host"]

URL = "https://example.com/items"


def both(ask: Callable[[Any], Any], **options: Any) -> list[Any]:
    """Let a client of each sort make the same request."""

    async def asynchronous() -> Any:
        async with httpx.AsyncClient(transport=http.HTTPXTransport(), **options) as client:
            return await ask(client)

    with httpx.Client(transport=http.HTTPXTransport(), **options) as client:
        return [run(asynchronous()), ask(client)]


def test_a_request_and_its_answer(host: Install) -> None:
    fake = host(*[answer(201, b'{"b":2}', ("X-A", "1"), ("x-a", "2"))] * 2)
    for got in both(lambda c: c.post(URL + "#x", json={"a": 1}, headers={"x-b": b"\xe9"})):
        assert (got.status_code, got.json(), got.reason_phrase) == (201, {"b": 2}, "Created")
        assert got.headers.get_list("x-a") == ["1", "2"]
    for exchange in fake.exchanges:
        assert (exchange.head["url"], exchange.body) == (URL, b'{"a":1}')
        assert exchange.complete
        assert exchange.header("content-type") == "application/json"
        assert exchange.header("accept-encoding")
        assert exchange.header("x-b") == "é"
        # The host makes these from the URL and the body.
        for name in ("host", "connection", "content-length", "transfer-encoding"):
            assert exchange.header(name) is None


def test_a_name_of_its_own_for_the_server_is_kept(host: Install) -> None:
    fake = host(answer(), answer())
    both(lambda c: c.get(URL, headers={"Host": "other"}))
    assert [exchange.header("host") for exchange in fake.exchanges] == ["other", "other"]


def test_httpx_decodes_redirects_and_keeps_cookies(host: Install) -> None:
    fake = host(
        *[
            answer(302, b"", ("location", "/b"), ("set-cookie", "k=v")),
            answer(200, gzip.compress(b"packed"), ("content-encoding", "gzip")),
        ]
        * 2
    )
    for got in both(lambda c: c.get(URL, auth=("me", "pw")), follow_redirects=True):
        assert (got.text, str(got.url)) == ("packed", "https://example.com/b")
    assert [exchange.header("cookie") for exchange in fake.exchanges] == [None, "k=v"] * 2
    assert all(exchange.header("authorization") for exchange in fake.exchanges)


@pytest.mark.parametrize(
    ("timeout", "told"),
    [
        (7, 7),
        (None, None),
        (httpx.Timeout(1, read=2), 2),
        (httpx.Timeout(3, read=None), 3),
    ],
)
def test_timeouts(host: Install, timeout: Any, told: Any) -> None:
    fake = host(answer(), answer())
    both(lambda c: c.get(URL, timeout=timeout))
    assert [exchange.head["timeout"] for exchange in fake.exchanges] == [told, told]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("denied", httpx.ConnectError),
        ("resolve", httpx.ConnectError),
        ("connect", httpx.ConnectError),
        ("invalid", httpx.UnsupportedProtocol),
        ("timeout", httpx.ReadTimeout),
        ("protocol", httpx.RemoteProtocolError),
        ("limit", httpx.TransportError),
    ],
)
def test_errors(host: Install, kind: str, expected: type[Exception]) -> None:
    transport = http.HTTPXTransport()
    for script in ([error(kind, "A sentence.")], [head(), broken(kind, "A sentence.")]):
        host(script)
        with pytest.raises(httpx.TransportError, match="A sentence") as caught:
            httpx.Client(transport=transport).get(URL)
        assert type(caught.value) is expected
        host(script)
        with pytest.raises(httpx.TransportError, match="A sentence") as caught:
            run(httpx.AsyncClient(transport=transport).get(URL))
        assert type(caught.value) is expected
        assert str(caught.value.request.url) == URL


def test_streams_in_both_directions(host: Install) -> None:
    def echo(_: Any) -> list[Any]:
        return answer(200, b"a\nb")

    fake = host(echo, echo)

    async def sent() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.sleep(0)
        yield b"2"

    async def asynchronous() -> None:
        client = httpx.AsyncClient(transport=http.HTTPXTransport())
        async with client.stream("POST", URL, content=sent()) as got:
            assert [line async for line in got.aiter_lines()] == ["a", "b"]

    run(asynchronous())

    def sent_at_once() -> Iterator[bytes]:
        yield from (b"1", b"2")

    client = httpx.Client(transport=http.HTTPXTransport())
    with client.stream("POST", URL, content=sent_at_once()) as got:
        assert list(got.iter_lines()) == ["a", "b"]
    for exchange in fake.exchanges:
        assert exchange.chunks == ["", "1", "2", ""]
        assert exchange.header("transfer-encoding") is None


def test_a_file_in_a_form(host: Install) -> None:
    fake = host(answer(), answer())
    both(lambda c: c.post(URL, files={"f": ("a.txt", b"inside")}))
    for exchange in fake.exchanges:
        assert b"inside" in exchange.body
        assert exchange.header("content-length") == str(len(exchange.body))


def test_what_is_not_read_is_closed(host: Install) -> None:
    fake = host([head(), data(b"a")], [head(), data(b"a"), END])

    async def asynchronous() -> None:
        client = httpx.AsyncClient(transport=http.HTTPXTransport())
        task = asyncio.ensure_future(client.get(URL))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(asynchronous())
    assert fake.left_open == []
    with httpx.Client(transport=http.HTTPXTransport()).stream("GET", URL):
        assert fake.left_open == [2]
    assert fake.left_open == []


def test_the_build_loads_the_transport_beside_httpx() -> None:
    program = """
import sys
from bolt import http
import httpx
assert "bolt.http._transport" not in sys.modules
http.install(object())
assert "bolt.http._transport" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
