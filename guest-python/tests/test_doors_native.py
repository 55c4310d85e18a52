"""Every client against a real server, directly and over the host: both must come to the same."""

import gzip
import http.client
import io
import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from doorfake import LoopbackHost, opened

from bolt import http as bolt_http

requests = pytest.importorskip("requests")
urllib3 = pytest.importorskip("urllib3")
httpx = pytest.importorskip("httpx")

Call = Callable[[str], Any]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, status: int, body: bytes = b"", *headers: tuple[str, str]) -> None:
        self.send_response(status)
        if not any(name == "Transfer-Encoding" for name, _ in headers) and status not in (204, 304):
            headers = (*headers, ("Content-Length", str(len(body))))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self) -> None:
        body = self.body()
        path = self.path.partition("?")[0]
        if path == "/echo":
            names = ("content-type", "accept-encoding", "x-a", "authorization", "cookie")
            told = {name: self.headers.get_all(name) for name in names}
            echo = {
                "method": self.command,
                "path": self.path,
                "body": body.decode("latin-1"),
                "got": told,
            }
            self.answer(200, json.dumps(echo).encode(), ("X-Twice", "1"), ("X-Twice", "2"))
        elif path == "/lines":
            self.answer(200, b"one\ntwo\n" * 1000)
        elif path == "/gzip":
            self.answer(200, gzip.compress(b"packed" * 100), ("Content-Encoding", "gzip"))
        elif path == "/chunked":
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (b"ab", b"c" * 3000, b"d"))
            self.answer(200, chunks + b"0\r\n\r\n", ("Transfer-Encoding", "chunked"))
        elif path == "/cut-chunk":
            self.answer(200, b"64\r\nshort", ("Transfer-Encoding", "chunked"))
            self.close_connection = True
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        elif path == "/unknown-length":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"until the end")
            self.close_connection = True
        elif path == "/status":
            status = int(self.path.partition("?")[2])
            self.answer(status, b"" if status in (204, 304) else b"text")
        elif path == "/redirect":
            status = int(self.path.partition("?")[2])
            self.answer(status, b"moved", ("Location", "/echo"), ("Set-Cookie", "k=v"))
        elif path == "/loop":
            self.answer(302, b"", ("Location", "/loop"))
        elif path == "/garbage":
            self.wfile.write(b"this is not HTTP\r\n\r\n")
            self.close_connection = True
        elif path == "/silent":
            self.close_connection = True
        elif path == "/hang":
            time.sleep(0.5)
            self.answer(200)
        elif path == "/stall":
            self.send_response(200)
            self.send_header("Content-Length", "8")
            self.end_headers()
            self.wfile.write(b"half")
            time.sleep(0.5)

    do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = do_DELETE = serve


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    kept = {name: value for name, value in os.environ.items() if "_proxy" in name.lower()}
    for name in kept:
        del os.environ[name]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # Clients that leave are no news.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    os.environ.update(kept)


# What each client is asked: a request, and what it makes of the response.

PATHS = (
    "/echo?a=b%20c",
    "/lines",
    "/gzip",
    "/chunked",
    "/cut",
    "/cut-chunk",
    "/unknown-length",
    "/status?204",
    "/status?304",
    "/status?404",
    "/status?500",
    "/redirect?302",
    "/redirect?307",
    "/loop",
    "/garbage",
    "/silent",
    "/hang",
    "/stall",
)


def patience(path: str) -> float:
    return 0.1 if path in ("/hang", "/stall") else 10


def shown(headers: Any) -> list[tuple[str, str]]:
    """The headers, as far as they are the same twice."""
    pairs = [(name.lower(), value) for name, value in headers.items()]
    return sorted(pair for pair in pairs if pair[0] != "date")


def client_get(base: str, path: str, method: str = "GET") -> Any:
    connection = http.client.HTTPConnection(base[7:], timeout=patience(path))
    connection.request(method, path, headers={"X-A": "1"})
    with connection.getresponse() as got:
        told = [got.status, got.reason, got.version, shown(got.headers), got.will_close]
        return [*told, got.chunked, got.length, got.read(), got.isclosed(), connection.sock is None]


def client_pieces(base: str, path: str) -> Any:
    connection = http.client.HTTPConnection(base[7:], timeout=patience(path))
    connection.request("GET", path)
    got = connection.getresponse()
    buffer = bytearray(5)
    first = [got.read(3), got.peek(1)[:1], got.readline(), got.readable(), got.read(0)]
    first += [got.readinto(buffer), bytes(buffer), len(got.read1(7)) > 0]
    lines = list(got)
    got.close()
    return [first, sum(map(len, lines)), got.closed]


def client_head(base: str, path: str) -> Any:
    return client_get(base, path, "HEAD")


def opened_url(base: str, path: str) -> Any:
    asked = urllib.request.Request(base + path, headers={"X-A": "1"})
    with urllib.request.urlopen(asked, timeout=patience(path)) as got:
        return [got.status, got.url, shown(got.headers), got.read()]


def pooled(base: str, path: str) -> Any:
    with urllib3.PoolManager(headers={"X-A": "1"}) as pool:
        got = pool.request("GET", base + path, timeout=patience(path), retries=2)
    return [got.status, got.reason, shown(got.headers), got.data, got.geturl(), got.retries.history]


def pooled_stream(base: str, path: str) -> Any:
    with urllib3.PoolManager() as pool:
        got = pool.request(
            "GET", base + path, timeout=patience(path), preload_content=False, retries=False
        )
        parts = list(got.stream(1000))
        got.release_conn()
        return [got.status, b"".join(parts), got.length_remaining, len(pool.pools)]


def session_get(base: str, path: str) -> Any:
    with requests.Session() as session:
        got = session.get(base + path, timeout=patience(path), auth=("me", "pw"))
        history = [(each.status_code, each.url) for each in got.history]
        return [got.status_code, got.reason, shown(got.headers), got.content, got.url, history]


def session_stream(base: str, path: str) -> Any:
    with requests.get(base + path, timeout=(10, patience(path)), stream=True) as got:
        return [got.ok, got.encoding, sum(map(len, got.iter_lines()))]


def httpx_get(base: str, path: str) -> Any:
    with httpx.Client(timeout=patience(path)) as client:
        got = client.get(base + path, follow_redirects=True, headers={"X-A": "1"})
        return [got.status_code, shown(got.headers), got.content, str(got.url), len(got.history)]


ASKED = (
    client_get,
    client_head,
    client_pieces,
    opened_url,
    pooled,
    pooled_stream,
    session_get,
    session_stream,
    httpx_get,
)


def outcome(call: Callable[[], Any]) -> Any:
    """The result, or the exception and those inside of it, by their classes."""
    try:
        return call()
    except Exception as exc:
        inner = getattr(exc, "reason", None) or (exc.args[0] if exc.args else None)
        below = getattr(inner, "reason", None)
        return [_kind(one) for one in (exc, inner, below) if isinstance(one, Exception)]


def _kind(exc: Exception) -> type[Exception]:
    # The host does not say whether a server sent nothing or something else than HTTP. The class for
    # nothing is also of the other class.
    bad = http.client.BadStatusLine
    return bad if isinstance(exc, bad) else type(exc)


def both(call: Callable[[], Any]) -> Any:
    """The same call directly and over the host; returns what both came to."""
    directly = outcome(call)
    host = LoopbackHost()
    bolt_http.install(host)
    try:
        with opened():
            through_the_host = outcome(call)
    finally:
        bolt_http.install(None)
    assert through_the_host == directly
    assert host.exchanges, "it did not go through the host"
    assert host.left_open == []
    return directly


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("ask", ASKED, ids=lambda ask: ask.__name__)
def test_responses_and_failures(base: str, ask: Any, path: str) -> None:
    both(lambda: ask(base, path))


def parts() -> Iterator[bytes]:
    yield from (b"one", b"", b"two" * 1000)


def client_sends(**named: Any) -> Call:
    def call(base: str) -> Any:
        connection = http.client.HTTPConnection(base[7:], timeout=10)
        for _ in range(2):
            given = {name: make() for name, make in named.items()}
            connection.request("POST", "/echo", **given)
            told = connection.getresponse().read()
        return told

    return call


def by_hand(base: str) -> Any:
    connection = http.client.HTTPConnection(base[7:], timeout=10)
    connection.putrequest("PUT", "/echo", skip_accept_encoding=True)
    connection.putheader("X-A", "1")
    connection.putheader("Content-Length", 6)
    connection.endheaders(b"abc")
    connection.send(io.BytesIO(b"def"))
    return connection.getresponse().read()


def url_sends(base: str) -> Any:
    asked = urllib.request.Request(base + "/echo", data=b"a=1", method="PUT")
    return urllib.request.urlopen(asked).read()


def session_sends(**named: Any) -> Call:
    def call(base: str) -> Any:
        given = {name: make() for name, make in named.items()}
        return requests.post(base + "/echo", timeout=10, **given).json()

    return call


SENT: dict[str, Call] = {
    "client bytes": client_sends(body=lambda: b"body"),
    "client str": client_sends(body=lambda: "bödy"),
    "client file": client_sends(body=lambda: io.BytesIO(b"file" * 10_000)),
    "client iterable": client_sends(body=parts),
    "client chunked": client_sends(
        body=parts,
        headers=lambda: {"Transfer-Encoding": "chunked"},
        encode_chunked=lambda: True,
    ),
    "client large": client_sends(body=lambda: b"x" * 1_000_000),
    "by hand": by_hand,
    "urllib": url_sends,
    "urllib3 json": lambda base: (
        urllib3.PoolManager().request("POST", base + "/echo", json={"a": 1}).data
    ),
    "urllib3 parts": lambda base: (
        urllib3.PoolManager().request("POST", base + "/echo", body=parts()).data
    ),
    "requests form": session_sends(data=lambda: {"a": "b c"}),
    "requests json": session_sends(json=lambda: {"a": [1]}),
    "requests parts": session_sends(data=parts),
    "requests file": session_sends(data=lambda: io.BytesIO(b"file" * 100_000)),
    "requests redirected": lambda base: requests.post(base + "/redirect?303", data="x").json(),
    "requests repeated": lambda base: requests.post(base + "/redirect?307", data="x").json(),
    "httpx json": lambda base: httpx.post(base + "/echo", json={"a": 1}).json(),
}


@pytest.mark.parametrize("name", SENT)
def test_bodies(base: str, name: str) -> None:
    result = both(lambda: SENT[name](base))
    assert not isinstance(result, list), result


def test_no_server_is_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for ask in (client_get, opened_url, pooled, session_get, httpx_get):
            assert isinstance(both(lambda ask=ask: ask(base, "/"))[0], type)


def test_a_pool_keeps_its_connections(base: str) -> None:
    def call() -> Any:
        with urllib3.HTTPConnectionPool(base[7:].partition(":")[0], int(base[-5:])) as pool:
            told = [pool.request("GET", "/echo").status for _ in range(3)]
            return [told, pool.num_connections, pool.num_requests]

    if base[-6] == ":":
        assert both(call) == [[200] * 3, 1, 3]


def test_retries_end_well(base: str) -> None:
    def call() -> Any:
        retry = urllib3.Retry(2, status_forcelist=[500], backoff_factor=0)
        session = requests.Session()
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
        return session.get(base + "/status?500", timeout=10)

    assert both(call)[0] is requests.exceptions.RetryError
