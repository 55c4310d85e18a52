"""Requests as they are written to a wire, and responses as they are read from it."""

import http.client
import io
from typing import Any

import pytest
from doorfake import opened
from httpfake import END, Install, answer, broken, data, error, head, host

from bolt.http._doors.errors import os_error
from bolt.http._doors.outgoing import Outgoing
from bolt.http._doors.wire import Wire

__all__ = ["host"]

CHUNKED = b"POST /a?b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
COUNTED = b"POST /a HTTP/1.1\r\ncontent-length: 6\r\nX-A: 1\r\n\t2\r\nX-A: 3\r\n\r\n"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (COUNTED + b"abcdef", b"abcdef"),
        (CHUNKED + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789"),
        (CHUNKED + b"1\r\na\r\n0\r\nTrailer: 1\r\n\r\n", b"a"),
        (b"GET /a HTTP/1.1\r\n\r\n", b""),
    ],
)
def test_pieces_of_any_size_are_the_same_request(sent: bytes, body: bytes, step: int) -> None:
    asked = Outgoing()
    found = [asked.feed(sent[at : at + step]) for at in range(0, len(sent), step)]
    assert (b"".join(found), asked.is_complete) == (body, True)
    assert asked.target.startswith("/a")
    with pytest.raises(OSError, match="needs the header content-length"):
        asked.feed(b"more")


def test_a_folded_header_is_one_line() -> None:
    asked = Outgoing()
    asked.feed(COUNTED)
    assert asked.headers is not None
    assert asked.headers.multi_items() == [("content-length", "6"), ("x-a", "1 2"), ("x-a", "3")]


def wire(scheme: str = "https", name: str = "example.com", port: int = 443) -> Wire:
    return Wire(scheme, name, port, 3, os_error)


GET = b"GET /items HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("place", "url"),
    [
        (("http", "example.com", 80), "http://example.com/items"),
        (("https", "example.com", 443), "https://example.com/items"),
        (("https", "example.com", 80), "https://example.com:80/items"),
        (("http", "::1", 8000), "http://[::1]:8000/items"),
        (("http", "[::1]", 80), "http://[::1]/items"),
        (("http", "bücher.example", 80), "http://xn--bcher-kva.example/items"),
    ],
)
def test_where_a_request_goes(host: Install, place: Any, url: str) -> None:
    fake = host(answer())
    line = wire(*place)
    line.sendall(GET)
    line.makefile("rb").read()
    (asked,) = fake.exchanges
    assert asked.head == {"method": "GET", "url": url, "headers": [], "timeout": 3}


def test_a_short_body_is_sent_as_a_whole_and_a_long_one_in_parts(host: Install) -> None:
    fake = host(answer(), answer(), answer())
    line = wire()
    line.sendall(COUNTED + b"abc")
    assert fake.exchanges == []
    line.sendall(b"def")
    line.makefile("rb").read()
    line.sendall(b"POST / HTTP/1.1\r\ncontent-length: 400000\r\n\r\n" + b"x" * 300_000)
    line.send(b"x" * 100_000)
    line.makefile("rb").read()
    line.sendall(CHUNKED)
    line.sendall(b"3\r\nabc\r\n")
    line.sendall(b"0\r\n\r\n")
    line.makefile("rb").read()
    short, long, chunked = fake.exchanges
    assert short.chunks == ["abcdef"] and short.header("content-length") is None
    assert [len(chunk) for chunk in long.chunks] == [0, 300_000, 100_000, 0]
    assert long.header("content-length") == "400000"
    assert chunked.chunks == ["", "abc", ""] and chunked.header("transfer-encoding") is None


def test_the_rest_of_a_body_that_the_server_ignores_is_not_sent(host: Install) -> None:
    refusal = [head(413), data(b"too large"), END]
    fake = host(refusal, room=0)
    line = wire()
    line.sendall(CHUNKED + b"3\r\nabc\r\n")
    line.sendall(b"3\r\ndef\r\n0\r\n\r\n")
    assert line.makefile("rb").read().endswith(b"too large")
    assert fake.exchanges[0].chunks == [""]


def test_only_a_complete_request_has_a_response(host: Install) -> None:
    fake = host([], answer())
    line = wire()
    for begun in (b"", GET[:10], CHUNKED):
        line.sendall(begun)
        with pytest.raises(OSError, match="not complete"):
            line.makefile("rb")
        line.close()
    assert fake.left_open == []
    line.sendall(GET)
    line.shutdown(2)
    assert fake.left_open == []


def test_what_only_a_proxy_understands(host: Install) -> None:
    with pytest.raises(OSError, match="cannot use a proxy"):
        wire().sendall(b"GET http://other.example/ HTTP/1.1\r\n\r\n")
    with pytest.raises(TypeError):
        wire().sendall(["not bytes"])


def read(script: list[Any], host: Install, method: str = "GET") -> Any:
    host(script)
    with opened():
        connection = http.client.HTTPSConnection("example.com", timeout=3)
        connection.request(method, "/items")
        return connection.getresponse()


@pytest.mark.parametrize("frame", [("content-length", "6"), ("transfer-encoding", "chunked")])
def test_a_body_that_breaks_off(host: Install, frame: tuple[str, str]) -> None:
    script = [head(200, frame), data(b"abc"), broken("protocol", "It broke off.")]
    got = read(list(script), host)
    with pytest.raises(http.client.IncompleteRead):
        got.read()
    got = read(list(script), host)
    assert got.read(3) == b"abc"
    if frame[0] == "transfer-encoding":
        with pytest.raises(http.client.IncompleteRead):
            got.readline()
    got.close()


def test_a_body_without_a_frame_that_breaks_off(host: Install) -> None:
    got = read([head(200), data(b"abc"), broken("protocol", "It broke off.")], host)
    assert got.read(3) == b"abc"
    for _ in range(2):
        # It must not look like the end.
        with pytest.raises(ConnectionResetError, match="It broke off"):
            got.read()
    got.close()


def test_a_response_is_closed_at_its_end_and_when_it_is_left(host: Install) -> None:
    fake = host(
        [head(200, ("content-length", "3")), data(b"abc")],
        [head(200), data(b"abc")],
        [head(204)],
        [head(200, ("content-length", "3"))],
    )
    with opened():
        connection = http.client.HTTPConnection("example.com")
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"abc"
        assert fake.left_open == []
        connection.request("GET", "/")
        with connection.getresponse() as got:
            # The connection has no part in it any more.
            connection.close()
            assert (got.read(1), fake.left_open) == (b"a", [2])
        assert fake.left_open == []
        for method in ("GET", "HEAD"):
            connection.request(method, "/")
            assert connection.getresponse().read() == b""
            assert fake.left_open == []


def test_the_collector_closes_in_any_order(host: Install) -> None:
    got = read([head(200), data(b"abc")], host)
    got.fp.close()
    got.close()
    assert got.closed


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("denied", "allow it with --allow-http x", PermissionError),
        ("resolve", "no such name", OSError),
        ("connect", "x:1 cannot be reached: Connection refused", ConnectionRefusedError),
        ("connect", "x:1 does not answer", ConnectionError),
        ("connect", "the connection could not be made: invalid certificate", OSError),
        ("timeout", "no answer within 3 s", TimeoutError),
        ("protocol", "end of file", http.client.RemoteDisconnected),
        ("invalid", "not a header name", http.client.InvalidURL),
        ("limit", "32 exchanges", OSError),
    ],
)
def test_errors(host: Install, kind: str, text: str, expected: type[Exception]) -> None:
    with pytest.raises(expected, match=text):
        read([error(kind, text)], host)


def test_what_connections_refuse(host: Install) -> None:
    with opened():
        for kind in (http.client.HTTPConnection, http.client.HTTPSConnection):
            tunnel = kind("proxy.example", 3128)
            tunnel.set_tunnel("example.com")
            with pytest.raises(OSError, match="cannot use a proxy"):
                tunnel.request("GET", "/")
            bound = kind("example.com", source_address=("127.0.0.1", 0))
            with pytest.raises(ValueError, match="source_address"):
                bound.connect()
        with pytest.raises(ValueError, match="no client certificate from the app"):
            http.client.HTTPSConnection("example.com", cert_file="a.pem")


def test_a_file_of_text_is_a_body(host: Install) -> None:
    fake = host(answer(200, b"ok", ("content-length", "2")))
    with opened():
        connection = http.client.HTTPSConnection("example.com", 8443)
        connection.connect()
        connection.request("POST", "/up", io.StringIO("täxt"), {"Content-Length": "4"})
        assert connection.getresponse().read() == b"ok"
    assert fake.exchanges[0].body == "täxt".encode("latin-1")
    assert fake.exchanges[0].head["url"] == "https://example.com:8443/up"
