"""The class `socket.socket` of the sandbox, over a fake host with real sockets."""

import errno
import gc
import socket as native
import threading
import time
from typing import Any

import pytest
from tcpfake import MOST, TcpHost, host
from tcpservers import closed_port, echo, server

from bolt._tcp import endpoint, names
from bolt._tcp import host as hosts
from bolt._tcp.connection import Connection
from bolt._tcp.sockets import Socket

__all__ = ["host"]


def connected(host: TcpHost, port: int, timeout: float | None = 10) -> Socket:
    host.grant("db.test", port)
    made = Socket()
    made.settimeout(timeout)
    made.connect(("db.test", port))
    return made


def test_bytes_go_there_and_come_back(host: TcpHost) -> None:
    with server(echo) as port, connected(host, port) as s:
        assert s.getpeername() == ("127.0.0.1", port)
        assert s.getsockname()[0] == "127.0.0.1" and s.fileno() > 0
        assert s.send(b"hello") == 5
        assert s.recv(2) == b"he"
        buffer = bytearray(10)
        assert s.recv_into(buffer) == 3 and buffer[:3] == b"llo"
        s.sendall(memoryview(b"\x00\xff\x80"))
        assert s.recv(100) == b"\x00\xff\x80"
        assert f"raddr=('127.0.0.1', {port})" in repr(s)
        s.shutdown(native.SHUT_WR)
        assert s.recv(1) == b"" == s.recv(1)
        with pytest.raises(BrokenPipeError):
            s.send(b"more")
    assert s.fileno() == -1 and "[closed]" in repr(s)
    for call in (
        lambda: s.recv(1),
        lambda: s.send(b"a"),
        s.getpeername,
        lambda: s.connect(("a", 1)),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EBADF


def test_much_more_than_anybody_holds(host: TcpHost) -> None:
    data = bytes(range(256)) * 40_000

    def late(spoken: native.socket) -> None:
        time.sleep(0.05)
        parts = []
        while part := spoken.recv(1 << 20):
            parts.append(part)
        spoken.sendall(b"".join(parts))

    with server(late) as port, connected(host, port) as s:
        s.sendall(data)
        s.shutdown(native.SHUT_WR)
        with s.makefile("rb") as file:
            assert file.read() == data


def test_sixth_version_of_addresses(host: TcpHost) -> None:
    try:
        with server(echo, family=native.AF_INET6) as port:
            host.grant("six.test", port, "::1")
            with Socket(native.AF_INET6) as s:
                assert s.getsockname() == ("::", 0, 0, 0)
                s.connect(("six.test", port, 0, 0))
                assert s.getpeername() == ("::1", port, 0, 0) and s.family == native.AF_INET6
    except OSError as exc:
        pytest.skip(f"there is no loopback address of IPv6: {exc}")


# Waiting.


def test_timeouts(host: TcpHost) -> None:
    go = threading.Event()
    with server(lambda spoken: go.wait(20)) as port, connected(host, port) as s:
        s.settimeout(0.01)
        assert s.gettimeout() == s.timeout == 0.01 and s.getblocking()
        for call in (lambda: s.recv(1), lambda: s.sendall(bytes(50_000_000))):
            with pytest.raises(TimeoutError, match=r"^timed out$"):
                call()
        for bad in (-1, float("nan")):
            with pytest.raises(ValueError, match="out of range"):
                s.settimeout(bad)
        go.set()


def test_what_does_not_block(host: TcpHost) -> None:
    go, done = threading.Event(), threading.Event()

    def later(spoken: native.socket) -> None:
        go.wait(20)
        spoken.sendall(b"x")
        done.wait(20)

    with server(later) as port:
        host.grant("db.test", port)
        with Socket() as s:
            s.setblocking(False)
            assert s.gettimeout() == 0 and not s.getblocking()
            assert s.connect_ex(("db.test", port)) == errno.EINPROGRESS
            assert s.connect_ex(("db.test", port)) in (errno.EALREADY, errno.EISCONN)
            while s.connect_ex(("db.test", port)) != errno.EISCONN:
                host.turn(1)
            assert s.getsockopt(native.SOL_SOCKET, native.SO_ERROR) == 0
            with pytest.raises(BlockingIOError):
                s.recv(1)
            with pytest.raises(BlockingIOError):
                while True:
                    s.send(bytes(100_000))
            go.set()
            s.setblocking(True)
            assert s.recv(1) == b"x"
            with pytest.raises(BlockingIOError):
                s.recv(1, native.MSG_DONTWAIT)
            done.set()


def test_a_connect_that_does_not_block_and_fails(host: TcpHost) -> None:
    port = closed_port()
    host.grant("db.test", port)
    with Socket() as s:
        s.setblocking(False)
        assert s.connect_ex(("db.test", port)) == errno.EINPROGRESS
        number = next(iter(host.lines))
        host.wait(number, 1000)
        assert s.getsockopt(native.SOL_SOCKET, native.SO_ERROR) == errno.ECONNREFUSED
        assert s.getsockopt(native.SOL_SOCKET, native.SO_ERROR) == 0
        with pytest.raises(OSError, match="not connected"):
            s.recv(1)


def test_looking_without_taking(host: TcpHost) -> None:
    with server(echo) as port, connected(host, port) as s:
        s.sendall(b"hello")
        assert s.recv(2, native.MSG_PEEK) == b"he"
        assert s.recv(100, native.MSG_PEEK) == b"hello"
        assert s.recv(100) == b"hello"
        s.sendall(b"a")
        s.sendall(b"b" * 9)
        assert s.recv(10, native.MSG_WAITALL) == b"a" + b"b" * 9
        s.shutdown(native.SHUT_WR)
        assert s.recv(10, native.MSG_PEEK) == b""
        assert s.recv(10, native.MSG_WAITALL) == b""


# Failures.


def test_what_is_not_granted(host: TcpHost) -> None:
    with (
        Socket() as s,
        pytest.raises(PermissionError, match=r"--allow-tcp secret\.test:5432") as caught,
    ):
        s.connect(("secret.test", 5432))
    assert caught.value.errno == errno.EACCES
    with Socket() as s:
        assert s.connect_ex(("secret.test", 5432)) == errno.EACCES


def test_who_does_not_listen_and_what_has_no_address(host: TcpHost) -> None:
    port = closed_port()
    host.grant("db.test", port)
    with Socket() as s:
        with pytest.raises(ConnectionRefusedError):
            s.connect(("db.test", port))
        # Another attempt is allowed, as some systems do.
        assert s.connect_ex(("db.test", port)) == errno.ECONNREFUSED
    host.grant("nowhere.test", 1, "")
    with Socket() as s:
        for call in (s.connect, s.connect_ex):
            with pytest.raises(native.gaierror) as caught:
                call(("nowhere.test", 1))
            assert caught.value.errno == native.EAI_NONAME


def test_a_server_that_breaks_off(host: TcpHost) -> None:
    def breaks(spoken: native.socket) -> None:
        spoken.recv(1)
        spoken.setsockopt(native.SOL_SOCKET, native.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    with server(breaks) as port, connected(host, port) as s:
        s.sendall(b"ab")
        with pytest.raises(ConnectionResetError):
            s.recv(1)
        with pytest.raises(ConnectionResetError):
            s.sendall(b"c")


def test_a_write_finds_that_the_connection_is_lost(host: TcpHost) -> None:
    gone = threading.Event()

    def breaks(spoken: native.socket) -> None:
        # Earlier, the client might not be connected yet.
        spoken.recv(1)
        spoken.setsockopt(native.SOL_SOCKET, native.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        spoken.close()
        gone.set()

    with server(breaks) as port, connected(host, port) as s:
        s.sendall(b"x")
        gone.wait(20)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(10_000):
                s.sendall(bytes(1000))


def test_too_many(host: TcpHost) -> None:
    host.grant("db.test", 1)
    held = [Connection("db.test", 1) for _ in range(MOST)]
    with Socket() as s, pytest.raises(OSError, match="too many connections") as caught:
        s.connect(("db.test", 1))
    assert caught.value.errno == errno.EMFILE
    for each in held:
        each.close()
        each.close()


def test_there_is_no_host_during_a_build(host: TcpHost) -> None:
    hosts.install(None)
    with Socket() as s, pytest.raises(OSError, match="while the app is imported"):
        s.connect(("db.test", 1))
    hosts.on_news()
    hosts.install(host)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda s: s.listen(), "listen"),
        (lambda s: s.accept(), "accept"),
        (lambda s: s.bind(("0.0.0.0", 80)), "bind"),
        (lambda s: s.sendto(b"a", ("a", 1)), "sendto"),
        (lambda s: Socket(type=native.SOCK_DGRAM), "UDP"),
        (lambda s: Socket(native.AF_UNIX), "AF_UNIX"),
        (lambda s: Socket(native.AF_INET, native.SOCK_RAW), "of type"),
        (lambda s: Socket(12345), "of family"),
    ],
)
def test_what_is_refused(host: TcpHost, call: Any, part: str) -> None:
    with Socket() as s, pytest.raises(OSError, match=part) as caught:
        call(s)
    assert "connect to servers over TCP, and nothing else" in str(caught.value)


def test_wrong_arguments(host: TcpHost) -> None:
    with Socket() as s:
        for address, error in (("a", TypeError), (("a", "1"), TypeError), ((1, 1), TypeError)):
            with pytest.raises(error):
                s.connect(address)
        with pytest.raises(OverflowError):
            s.connect(("a", 65536))
        with pytest.raises(OSError, match="not connected"):
            s.recv(1)
        with pytest.raises(ValueError, match="negative"):
            s.recv(-1)
        with pytest.raises(ValueError, match="invalid mode"):
            s.makefile("a")
        with pytest.raises(ValueError, match="unbuffered"):
            s.makefile("r", 0)
        with pytest.raises(TypeError, match="pickle"):
            s.__getstate__()


# Files, options and descriptors.


def test_files(host: TcpHost) -> None:
    with server(echo) as port:
        s = connected(host, port)
        file = s.makefile("rw", encoding="utf-8", newline="\n")
        raw = s.makefile("rwb", buffering=0)
        s.close()
        file.write("grüße\nzwei\n")
        file.flush()
        assert file.readline() == "grüße\n" and file.readline() == "zwei\n"
        file.close()
        raw.write(b"x")
        assert raw.read(1) == b"x"
        assert s.fileno() != -1
        raw.close()
        assert s.fileno() == -1 and not host.lines


def test_a_file_is_sent(host: TcpHost, tmp_path: Any) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    with server(echo) as port, connected(host, port) as s, open(tmp_path / "a", "rb") as file:
        assert s.sendfile(file, 2, 5) == 5
        assert s.recv(5, native.MSG_WAITALL) == b"23456"


def test_options(host: TcpHost) -> None:
    with Socket() as s:
        s.setsockopt(native.IPPROTO_TCP, native.TCP_NODELAY, 1)
        s.setsockopt(native.SOL_SOCKET, native.SO_KEEPALIVE, True)
        assert s.getsockopt(native.IPPROTO_TCP, native.TCP_NODELAY) == 1
        assert s.getsockopt(native.SOL_SOCKET, native.SO_TYPE) == native.SOCK_STREAM == s.type
        assert s.getsockopt(native.SOL_SOCKET, native.SO_RCVBUF) == 0
        with pytest.raises(OSError, match="settimeout"):
            s.setsockopt(native.SOL_SOCKET, native.SO_RCVTIMEO, b"")
        s.bind(("", 0))
        s.set_inheritable(True)
        assert not s.get_inheritable() and s.proto == 0


def test_a_descriptor_goes_to_another_socket(host: TcpHost) -> None:
    with server(echo) as port:
        first = connected(host, port)
        number = first.detach()
        assert first.fileno() == -1 and first.detach() == -1
        gc.collect()
        with Socket(fileno=number) as second:
            second.sendall(b"a")
            copy = second.dup()
        copy.settimeout(10)
        assert copy.recv(1) == b"a" and len(host.lines) == 1
        copy.close()
        assert not host.lines and endpoint.find(number) is None
        with pytest.raises(OSError, match="Bad file descriptor"):
            Socket(fileno=number)


def test_what_nobody_refers_to_is_closed(host: TcpHost) -> None:
    with server(echo) as port:
        s = connected(host, port)
        assert len(host.lines) == 1
        del s
        gc.collect()
        hosts.sweep()
        assert not host.lines


# Names.


def test_names_stand_for_themselves() -> None:
    tcp = (native.SOCK_STREAM, native.IPPROTO_TCP)
    ask = names.getaddrinfo
    assert ask("db.test", 5432) == [(native.AF_INET, *tcp, "", ("db.test", 5432))]
    assert ask("db.test", "5432", native.AF_INET6)[0][4] == ("db.test", 5432, 0, 0)
    assert ask("::1", "https")[0] == (native.AF_INET6, *tcp, "", ("::1", 443, 0, 0))
    assert ask(b"127.0.0.1", None)[0][4] == ("127.0.0.1", 0)
    assert ask(None, 1)[0][4] == ("127.0.0.1", 1)
    assert ask("bücher.test", 1, 0, 0, 0, native.AI_CANONNAME)[0][3] == "xn--bcher-kva.test"
    for arguments in (
        ("db.test", "nothing"),
        ("db.test", 1, 0, native.SOCK_DGRAM),
        ("db.test", 1, 0, 0, 0, native.AI_NUMERICHOST),
        ("::1", 1, native.AF_INET),
    ):
        with pytest.raises(native.gaierror):
            ask(*arguments)
    with pytest.raises(TypeError):
        ask(1, 1)
    assert names.gethostbyname("db.test") == "db.test"
    assert names.gethostbyname("localhost") == "127.0.0.1"
    assert names.gethostbyname_ex("db.test") == ("db.test", [], ["db.test"])
    assert names.gethostbyaddr("127.0.0.1")[0] == "127.0.0.1"
    assert names.getnameinfo(("db.test", 1), 0) == ("db.test", "1")


def test_a_machine_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> str:
        raise OSError(errno.ENOSYS, "no")

    monkeypatch.setattr(names, "_own_name", fails)
    assert names.gethostname() == "localhost"


def test_no_bytes_are_not_the_end(host: TcpHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(echo) as port, connected(host, port) as s:
        parts = [host.Part_Data(b""), host.Part_Data(b"a")]
        monkeypatch.setattr(host, "read", lambda number, most: parts.pop(0))
        assert s.recv(1) == b"a"


# What else the host says.


@pytest.mark.parametrize(
    ("kind", "error", "number"),
    [
        ("unreachable", OSError, errno.EHOSTUNREACH),
        ("timeout", TimeoutError, errno.ETIMEDOUT),
        ("limit", OSError, errno.EMFILE),
        ("closed", ConnectionAbortedError, errno.ECONNABORTED),
        ("another", OSError, errno.EIO),
    ],
)
def test_kinds_of_failures(
    host: TcpHost, monkeypatch: pytest.MonkeyPatch, kind: str, error: Any, number: int
) -> None:
    host.grant("db.test", closed_port())
    told = host.State_Failed(f'{{"kind": "{kind}", "message": "why"}}')
    monkeypatch.setattr(host, "opened", lambda connection: told)
    with Socket() as s, pytest.raises(error, match="why") as caught:
        s.connect(next(iter(host.granted)))
    assert caught.value.errno == number
    # A timeout of the host is not one of the socket, which does not block.
    with Socket() as s:
        s.setblocking(False)
        assert s.connect_ex(next(iter(host.granted))) == number
