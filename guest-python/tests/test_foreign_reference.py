"""What apps are told here, and by the servers that others use: wsgiref and uvicorn."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from foreignfake import ForeignHost, foreign_host

from bolt.asgi import ASGIApp

HEADERS = [
    *(("host", "app.example:8000"), ("user-agent", "test"), ("x-a", "1"), ("x-a", "2")),
    *(("cookie", "a=1"), ("content-type", "text/a"), ("content-length", "3")),
]
REQUESTS = [
    ("GET", "/", ""),
    ("POST", "/a/b", "q=1&q=%20"),
    ("PUT", "/a%2Fb/%C3%A9%20", ""),
    ("PATCH", "//a//", "?&="),
    ("DELETE", "/a;b=c/~d/%7e", "%ff"),
    ("OPTIONS", "/a%25b/+", "+"),
]


@pytest.fixture
def host(monkeypatch):
    yield from foreign_host(monkeypatch)


def exchange(port: int, method: str, path: str, query: str) -> None:
    """Send a request as it is, and read the response."""
    target = f"{path}?{query}" if query else path
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS)
    text = f"{method} {target} HTTP/1.1\r\n{head}connection: close\r\n\r\nabc"
    with socket.create_connection(("127.0.0.1", port)) as sent:
        sent.sendall(text.encode("latin-1"))
        while sent.recv(65536):
            pass


@contextlib.contextmanager
def uvicorn_port(app: Any) -> Iterator[int]:
    uvicorn = pytest.importorskip("uvicorn")
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="off", http="h11", loop="asyncio")
    server = uvicorn.Server(config)

    def run() -> None:
        asyncio.run(server.serve([listener]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def test_scopes_are_those_of_uvicorn(host: ForeignHost):
    seen: list[dict[str, Any]] = []

    async def app(scope, receive, send):
        seen.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    with uvicorn_port(app) as port:
        for one in REQUESTS:
            exchange(port, *one)
    theirs, seen = seen, []
    host.serve(ASGIApp(app, lifespan=False))
    for method, path, query in REQUESTS:
        host.request(method, path, HEADERS[1:], b"abc", query)
    assert len(theirs) == len(seen) == len(REQUESTS)
    for ours, other in zip(seen, theirs, strict=True):
        # Those of the connection differ, and uvicorn knows an older version.
        for name in ("client", "server", "asgi", "extensions"):
            ours.pop(name)
            other.pop(name, None)
        other["headers"].remove((b"connection", b"close"))
        assert ours == other


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None: ...


def test_environs_are_those_of_wsgiref(host: ForeignHost):
    seen: list[dict[str, Any]] = []

    def app(environ, start_response):
        seen.append({**environ, "body": environ["wsgi.input"].read(3)})
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for one in REQUESTS:
            exchange(server.server_port, *one)
        server.shutdown()
        thread.join()
    theirs, seen = seen, []
    host.serve(app)
    for method, path, query in REQUESTS:
        host.request(method, path, HEADERS[1:], b"abc", query)
    assert len(theirs) == len(seen) == len(REQUESTS)
    names = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "body")
    for ours, other in zip(seen, theirs, strict=True):
        # wsgiref takes several slashes at the beginning for one.
        ours["PATH_INFO"] = "/" + ours["PATH_INFO"].lstrip("/")
        for name in (*names, "CONTENT_TYPE", "CONTENT_LENGTH", "wsgi.version", "wsgi.url_scheme"):
            assert ours[name] == other[name], name
        told = {name for name in other if name.startswith("HTTP_")} - {"HTTP_CONNECTION"}
        assert {name: ours[name] for name in told} == {name: other[name] for name in told}
        assert not told ^ {name for name in ours if name.startswith("HTTP_")}
        required = {name for name in other if name.startswith(("wsgi.", "SERVER_"))}
        assert required <= ours.keys()


def test_a_wsgi_app_is_called_as_the_specification_says(host: ForeignHost):
    validate = pytest.importorskip("wsgiref.validate")

    def app(environ, start_response):
        body = environ["wsgi.input"].read(3)
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written ")
        return [body, b" and", b" more"]

    host.serve(validate.validator(app), "wsgi")
    answer = host.request("POST", "/a", HEADERS[1:], b"abc", "q=1")
    assert answer.body == b"written abc and more" and not host.complaints
