"""The WebSockets of the test client, against a server that sends the bytes of a script."""

import base64
import hashlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from bolt.testing import WebSocketDenialResponse, WebSocketTestSession
from bolt.websockets import WebSocketDisconnect

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(kind: int, data: bytes, *, final: bool = True) -> bytes:
    size = len(data)
    if size < 126:
        head = bytes([size])
    elif size < 65536:
        head = struct.pack("!BH", 126, size)
    else:
        head = struct.pack("!BQ", 127, size)
    return bytes([kind | (128 if final else 0)]) + head + data


class Peer:
    """The server's side of one connection. head: the request."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.reader: Any = connection.makefile("rb")
        lines = []
        while line := self.reader.readline().strip():
            lines.append(line.decode())
        self.head = lines

    def header(self, name: str) -> str:
        found = [line.partition(": ")[2] for line in self.head if line.lower().startswith(name)]
        return ",".join(found)

    def accept(self, *more: str) -> None:
        key = hashlib.sha1((self.header("sec-websocket-key") + GUID).encode()).digest()
        lines = [
            *("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"),
            *(f"Sec-WebSocket-Accept: {base64.b64encode(key).decode()}", *more, "", ""),
        ]
        self.socket.sendall("\r\n".join(lines).encode())

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def receive(self) -> tuple[int, bytes]:
        first, size = self.reader.read(2)
        assert size & 128, "the frames of a client are masked"
        size &= 127
        if size > 125:
            size = int.from_bytes(self.reader.read(2 if size == 126 else 8), "big")
        mask = self.reader.read(4)
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.reader.read(size)))
        return first & 15, data


@pytest.fixture
def serve() -> Iterator[Callable[..., WebSocketTestSession]]:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    threads: list[threading.Thread] = []
    failures: list[BaseException] = []

    def served(script: Callable[[Peer], None], **options: Any) -> WebSocketTestSession:
        """A session with a server that runs a function with its side."""

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(30)
                try:
                    script(Peer(connection))
                except BaseException as exc:
                    failures.append(exc)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        port = listener.getsockname()[1]
        request = httpx.Request("GET", f"http://127.0.0.1:{port}/a%20b?c=d", **options)
        return WebSocketTestSession(request, 30, raise_failure)

    yield served
    for thread in threads:
        thread.join(30)
    listener.close()
    assert failures == []


class Failure(Exception):
    pass


def raise_failure(response: httpx.Response) -> None:
    raise Failure(response.status_code)


def closing(peer: Peer) -> None:
    kind, data = peer.receive()
    assert kind == 8
    peer.send(frame(8, data))


def test_the_handshake(serve):
    def script(peer: Peer) -> None:
        assert peer.head[0] == "GET /a%20b?c=d HTTP/1.1"
        assert peer.header("sec-websocket-version") == "13" and peer.header("host")
        assert peer.header("connection") == "Upgrade" and peer.header("x-a") == "b"
        peer.accept("Sec-WebSocket-Protocol: two", "X-B: c", "set-cookie: a=b", "Date: now")
        closing(peer)

    with serve(script, headers={"x-a": "b"}) as session:
        assert session.accepted_subprotocol == "two"
        assert session.extra_headers == [(b"x-b", b"c"), (b"set-cookie", b"a=b")]


def test_messages_of_all_sizes(serve):
    sizes = [0, 1, 125, 126, 65535, 65536, 100_000]

    def script(peer: Peer) -> None:
        peer.accept()
        for _ in range(2 * len(sizes)):
            peer.send(frame(*peer.receive()))
        closing(peer)

    with serve(script) as session:
        for size in sizes:
            session.send_text("x" * size)
            session.send_bytes(b"\xff" * size)
            assert session.receive_text() == "x" * size
            assert session.receive_bytes() == b"\xff" * size


def test_json_and_messages_of_asgi(serve):
    def script(peer: Peer) -> None:
        peer.accept()
        for _ in range(4):
            peer.send(frame(*peer.receive()))
        closing(peer)

    with serve(script) as session:
        session.send_json({"ä": 1})
        assert session.receive_json() == {"ä": 1}
        session.send_json([1], mode="binary")
        assert session.receive_json(mode="binary") == [1]
        session.send({"type": "websocket.receive", "text": "t"})
        assert session.receive() == {"type": "websocket.send", "text": "t"}
        session.send({"type": "websocket.receive", "bytes": b"b"})
        assert session.receive() == {"type": "websocket.send", "bytes": b"b"}
        session.send({"type": "websocket.disconnect", "code": 4001})


def test_fragments_with_pings_between_them(serve):
    def script(peer: Peer) -> None:
        peer.accept()
        euro = "€".encode()
        peer.send(frame(1, euro[:1], final=False), frame(9, b"ping"), frame(10, b""))
        peer.send(frame(0, euro[1:], final=False), frame(0, b""), frame(2, b"b"))
        assert peer.receive() == (10, b"ping")
        closing(peer)

    with serve(script) as session:
        assert session.receive_text() == "€" and session.receive_bytes() == b"b"


def test_a_frame_that_comes_byte_by_byte(serve):
    def script(peer: Peer) -> None:
        peer.accept()
        for byte in frame(1, b"x" * 130):
            peer.send(bytes([byte]))
        closing(peer)

    with serve(script) as session:
        assert session.receive_text() == "x" * 130


def test_a_wait_that_is_too_long_takes_nothing(serve):
    more = threading.Event()

    def script(peer: Peer) -> None:
        peer.accept()
        whole = frame(1, b"hello")
        peer.send(whole[:4])
        assert more.wait(30)
        peer.send(whole[4:])
        closing(peer)

    with serve(script) as session:
        session._wire.timeout = 0.05
        with pytest.raises(TimeoutError):
            session.receive_text()
        more.set()
        session._wire.timeout = 30
        assert session.receive_text() == "hello"


def test_pings_do_not_prolong_a_wait(serve):
    def script(peer: Peer) -> None:
        peer.accept()
        # Each would begin the wait anew, until the client gives up.
        for _ in range(500):
            time.sleep(0.02)
            try:
                peer.send(frame(9, b""))
            except OSError:
                return

    with serve(script) as session:
        session._wire.timeout = 0.2
        with pytest.raises(TimeoutError, match="no message within"):
            session.receive_text()


def test_the_server_closes(serve):
    def script(peer: Peer) -> None:
        peer.accept()
        peer.send(frame(1, b"last"), frame(8, struct.pack("!H", 4001) + "bÿe".encode()))
        assert peer.receive() == (8, struct.pack("!H", 4001))

    with serve(script) as session:
        assert session.receive_text() == "last"
        for _ in range(2):
            with pytest.raises(WebSocketDisconnect) as raised:
                session.receive_text()
            assert (raised.value.code, raised.value.reason) == (4001, "bÿe")
        session.send_text("late")


@pytest.mark.parametrize("end", [b"", frame(8, b"")])
def test_an_end_without_a_code(serve, end: bytes):
    def script(peer: Peer) -> None:
        peer.accept()
        peer.send(end)

    with serve(script) as session:
        assert session.receive()["code"] == (1005 if end else 1006)


def test_the_client_closes(serve):
    def script(peer: Peer) -> None:
        peer.accept()
        kind, data = peer.receive()
        peer.send(frame(1, b"in between"), frame(kind, data))

    with serve(script) as session:
        session.close(4002, "why")
        session.close()
        assert session.receive_text() == "in between"
        assert session.receive() == {"type": "websocket.close", "code": 4002, "reason": "why"}


def test_a_refusal(serve):
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\n")
        peer.send(b"content-length: 15\r\n\r\n", b'{"detail":', b'"no"}')
        # It stays open.
        peer.reader.read(1)

    with pytest.raises(WebSocketDisconnect) as raised, serve(script):
        pass
    refusal: Any = raised.value
    assert isinstance(refusal, WebSocketDenialResponse) and isinstance(refusal, httpx.Response)
    assert (refusal.status_code, refusal.json()) == (401, {"detail": "no"})
    assert refusal.code == 1006


def test_a_refusal_in_chunks(serve):
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n")
        peer.send(b"3\r\nabc\r\n0\r\n\r\n")

    with pytest.raises(WebSocketDenialResponse) as raised, serve(script):
        pass
    assert raised.value.content == b"abc"


def test_a_handler_that_fails(serve):
    def early(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n")

    def late(peer: Peer) -> None:
        peer.accept()
        peer.send(frame(8, struct.pack("!H", 1011)))
        peer.receive()

    with pytest.raises(Failure, match="500"), serve(early):
        pass
    with pytest.raises(Failure, match="101"), serve(late) as session:
        session.receive_text()
    with pytest.raises(Failure, match="101"), serve(late):
        pass
    with pytest.raises(KeyError), serve(late):
        raise KeyError


def test_a_server_that_knows_no_websockets(serve):
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n")

    with pytest.raises(ConnectionError, match="no handshake"), serve(script):
        pass
