"""`ssl` of the standard library over the TLS of a host."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from tcpfake import TcpHost
from tcpservers import AUTHORITY, SERVER

Serve = Callable[..., int]


def wrapped(context: ssl.SSLContext, port: int, **options: Any) -> ssl.SSLSocket:
    plain = socket.create_connection(("db.test", port), timeout=10)
    return context.wrap_socket(plain, **{"server_hostname": "db.test", **options})


@pytest.fixture
def context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=AUTHORITY)


def test_a_connection_is_safe(serve: Serve, context: ssl.SSLContext) -> None:
    context.set_alpn_protocols(["two", "three"])
    port = serve("safe")
    with wrapped(context, port) as s:
        assert isinstance(s, socket.socket) and type(s) is ssl.SSLSocket
        assert s.version() == "TLSv1.3" and s.selected_alpn_protocol() == "two"
        assert s.server_hostname == "db.test" and s.context is context
        s.sendall(b"x" * 200_000)
        got = bytearray()
        while len(got) < 200_000:
            got += s.recv(65536)
        assert got == b"x" * 200_000
        s.write(b"hello")
        assert s.read(2) == b"he"
        buffer = bytearray(2)
        assert s.recv_into(buffer) == 2 and buffer == b"ll"
        assert s.recv(10) == b"o" and s.pending() == 0
        assert s.cipher() is None and s.compression() is None and s.session is None
        assert s.get_channel_binding() is None and not s.session_reused
        der = s.getpeercert(True)
        assert ssl.DER_cert_to_PEM_cert(der or b"").strip() in SERVER.read_text()
        with pytest.raises(NotImplementedError, match="getpeercert"):
            s.getpeercert()
        with pytest.raises(ValueError, match="non-zero flags"):
            s.recv(1, socket.MSG_PEEK)
        with s.makefile("rwb") as file:
            file.write(b"line\n")
            file.flush()
            assert file.readline() == b"line\n"


def test_the_handshake_may_wait(serve: Serve, context: ssl.SSLContext) -> None:
    port = serve("safe")
    s = wrapped(context, port, do_handshake_on_connect=False)
    assert s.version() is None
    s.sendall(b"a")
    assert s.recv(1) == b"a" and s.version() == "TLSv1.3"
    s.close()

    s = context.wrap_socket(socket.socket(), server_hostname="db.test")
    s.settimeout(10)
    s.connect(("db.test", port))
    s.sendall(b"b")
    assert s.recv(1) == b"b"
    s.close()

    s = wrapped(context, port, do_handshake_on_connect=False)
    s.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        s.do_handshake()
    while True:
        try:
            s.do_handshake()
            break
        except ssl.SSLWantReadError:
            assert select.select([s], [], [], 10)[0] == [s]
    with pytest.raises(ssl.SSLWantReadError):
        s.recv(1)
    with pytest.raises(ssl.SSLWantWriteError):
        while s.send(bytes(100_000)):
            pass
    s.close()


def test_a_timeout(serve: Serve, context: ssl.SSLContext) -> None:
    with wrapped(context, serve("safe")) as s:
        s.settimeout(0.01)
        with pytest.raises(TimeoutError, match="read operation"):
            s.recv(1)
    plain = socket.create_connection(("db.test", serve("late")), timeout=0.05)
    with pytest.raises(TimeoutError, match="handshake"):
        context.wrap_socket(plain, server_hostname="db.test")


def test_tls_ends_with_the_connection(serve: Serve, context: ssl.SSLContext) -> None:
    with wrapped(context, serve("safe")) as s:
        s.sendall(b"a")
        assert s.recv(1) == b"a"
        s.unwrap()
        with pytest.raises(BrokenPipeError):
            s.sendall(b"in plain text")


def test_select_waits_for_the_handshake(serve: Serve, context: ssl.SSLContext) -> None:
    for kind, error in (("safe", None), ("old", ssl.SSLError)):
        if error is not None:
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        s = wrapped(context, serve(kind), do_handshake_on_connect=False)
        s.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            s.do_handshake()
        assert select.select([], [s], [], 10)[1] == [s]
        if error is None:
            s.do_handshake()
        else:
            with pytest.raises(error):
                s.do_handshake()
        s.close()


# What is trusted.


def test_who_is_not_trusted(serve: Serve, context: ssl.SSLContext, host: TcpHost) -> None:
    port = serve("safe")
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        wrapped(context, port, server_hostname="other.test")
    assert caught.value.verify_message and isinstance(caught.value, ssl.CertificateError)
    assert "other.test" in str(caught.value) and isinstance(caught.value, ssl.SSLError)
    with pytest.raises(ssl.SSLCertVerificationError):
        wrapped(ssl.create_default_context(), port)
    assert host.tls[-1]["roots"] and host.tls[-1]["ca"] is None
    with pytest.raises(ssl.SSLCertVerificationError, match="none was loaded"):
        wrapped(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), port)
    with pytest.raises(ValueError, match="check_hostname"):
        wrapped(context, port, server_hostname=None)


def test_what_is_not_checked(serve: Serve, context: ssl.SSLContext, host: TcpHost) -> None:
    port = serve("safe")
    context.check_hostname = False
    with wrapped(context, port, server_hostname=None) as s:
        assert s.version()
    assert host.tls[-1]["server_name"] == "" and host.tls[-1]["verify"]
    context.verify_mode = ssl.CERT_NONE
    with wrapped(context, port, server_hostname="other.test") as s:
        assert s.getpeercert() == {}
    loose: Any = ssl.SSLContext(ssl.PROTOCOL_TLS)
    assert loose.verify_mode == ssl.CERT_NONE and not loose.check_hostname
    with wrapped(loose, port) as s:
        assert s.version()
    loose.check_hostname = True
    assert loose.verify_mode == ssl.CERT_REQUIRED
    with pytest.raises(ValueError, match="CERT_NONE"):
        loose.verify_mode = ssl.CERT_NONE


def test_versions(serve: Serve, context: ssl.SSLContext) -> None:
    port = serve("old")
    with wrapped(context, port) as s:
        assert s.version() == "TLSv1.2"
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    with pytest.raises(ssl.SSLError, match=r"speaks TLSv1\.2"):
        wrapped(context, port)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.options |= ssl.OP_NO_TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"speaks TLSv1\.2"):
        wrapped(context, port)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"speaks TLSv1\.3"):
        wrapped(context, serve("safe"))
    with pytest.raises(ValueError, match="Unsupported"):
        context.minimum_version = 5


def test_certificates_are_loaded(tmp_path: Any) -> None:
    text = AUTHORITY.read_text()
    der = ssl.PEM_cert_to_DER_cert(text)
    made = ssl.create_default_context(cadata=text)
    assert made.get_ca_certs(True) == [der]
    made.load_verify_locations(cadata=der + der)
    assert made.cert_store_stats()["x509"] == 1
    (tmp_path / "a.pem").write_text(text)
    made = ssl.create_default_context(capath=str(tmp_path))
    assert made.get_ca_certs(True) == [der]
    with pytest.raises(FileNotFoundError):
        made.load_verify_locations(tmp_path / "none.pem")
    for wrong in ("nothing", b"nothing", der[:100]):
        with pytest.raises(ssl.SSLError):
            made.load_verify_locations(cadata=wrong)
    with pytest.raises(TypeError):
        made.load_verify_locations()
    with pytest.raises(NotImplementedError):
        made.get_ca_certs()


# What is refused, and what is ignored.


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda c: c.load_cert_chain("a.pem"), "certificates of clients"),
        (lambda c: c.wrap_bio(None, None, server_hostname="a"), "start_tls"),
        (lambda c: ssl.MemoryBIO(), "start_tls"),
        (lambda c: c.load_dh_params("a"), "nothing can listen"),
        (lambda c: setattr(c, "verify_flags", ssl.VERIFY_CRL_CHECK_LEAF), "revoked"),
    ],
)
def test_what_is_refused(context: ssl.SSLContext, call: Any, part: str) -> None:
    with pytest.raises(NotImplementedError, match=part):
        call(context)


def test_a_server_is_refused(serve: Serve) -> None:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with pytest.raises(NotImplementedError, match="nothing can listen"):
        wrapped(made, serve("echo"), server_side=True, server_hostname=None)


def test_what_is_ignored(context: ssl.SSLContext) -> None:
    context.set_ciphers("HIGH:!aNULL")
    context.set_ecdh_curve("prime256v1")
    with pytest.raises(ssl.SSLError):
        context.set_ciphers("")
    assert context.get_ciphers() == [] and context.session_stats() == {}
    assert not hasattr(context, "keylog_filename")
    assert context.hostname_checks_common_name is False
    context.post_handshake_auth = True
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.protocol == ssl.PROTOCOL_TLS_CLIENT


def test_names_that_programs_look_at() -> None:
    assert ssl.HAS_SNI and ssl.HAS_ALPN and ssl.HAS_TLSv1_3 and not ssl.HAS_SSLv3
    assert ssl.OPENSSL_VERSION.startswith("OpenSSL ") and ssl.OPENSSL_VERSION_INFO >= (1, 1, 1)
    assert len(ssl.RAND_bytes(8)) == 8 and ssl.RAND_status()
    assert ssl.get_default_verify_paths().openssl_cafile == ""
    assert ssl.Purpose.SERVER_AUTH.shortname == "serverAuth"
    assert issubclass(ssl.SSLZeroReturnError, ssl.SSLError) and issubclass(ssl.SSLError, OSError)
    error = ssl.SSLError(1, "a sentence")
    assert str(error) == "a sentence" and error.reason is None
