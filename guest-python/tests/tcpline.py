"""A connection of the fake host for the tests of connections, with CPython's socket and TLS."""

from __future__ import annotations

import _socket
import contextlib
import errno
import json
import os
import select
import ssl
from dataclasses import dataclass, field
from typing import Any

# What the host holds for a guest and for a server.
ROOM = 65536


def told_of(kind: str, message: str) -> str:
    return json.dumps({"kind": kind, "message": message})


class Tls:
    """TLS of a connection, in memory."""

    def __init__(self, options: dict[str, Any]) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = options["verify"] and options["check_name"]
        context.verify_mode = ssl.CERT_REQUIRED if options["verify"] else ssl.CERT_NONE
        if options["roots"]:
            context.load_default_certs()
        if options["ca"]:
            context.load_verify_locations(cadata=options["ca"])
        if options["alpn"]:
            context.set_alpn_protocols(options["alpn"])
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = options["server_name"] or None
        self.object = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.is_done = False


@dataclass
class Line:
    """A connection."""

    socket: Any
    state: str = "connecting"
    failed: str = ""
    inbox: bytearray = field(default_factory=bytearray)
    outbox: bytearray = field(default_factory=bytearray)
    has_ended: bool = False
    is_shut: bool = False
    has_sent_end: bool = False
    # There is progress that `news` has not listed, and it has ended a park.
    is_fresh: bool = False
    has_ended_park: bool = False
    tls: Tls | None = None
    # What was asked for in vain since the last progress.
    wants: set[str] = field(default_factory=set)

    def progress(self, what: str) -> None:
        if what in self.wants:
            self.wants.clear()
            self.is_fresh, self.has_ended_park = True, False

    def fail(self, kind: str, message: str) -> None:
        if not self.failed:
            self.failed = told_of(kind, message)
        self.state = "failed"
        if self.wants:
            self.wants.clear()
            self.is_fresh, self.has_ended_park = True, False

    def mask(self) -> int:
        if self.state in ("failed", "denied"):
            return 0
        if self.state == "connecting":
            return select.POLLOUT
        found = 0
        if not self.has_ended and len(self.inbox) < ROOM:
            found |= select.POLLIN
        if self.outbox or (self.tls is not None and self.tls.outgoing.pending):
            found |= select.POLLOUT
        return found

    def work(self) -> None:
        """Send and receive what there is."""
        if self.state == "connecting":
            error = self.socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
            if error:
                kinds = {errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timeout"}
                self.fail(kinds.get(error, "unreachable"), os.strerror(error))
                return
            self.state = "ready"
            self.progress("opened")
        try:
            if self.state == "starting":
                # What was written before goes out first.
                self._push()
                if not self.outbox:
                    self.state = "handshake"
            if self.state == "handshake":
                self._shake()
            elif self.state == "ready":
                self._push()
                self._pull()
        except ssl.SSLCertVerificationError as exc:
            self.fail("certificate", exc.verify_message)
        except ssl.SSLError as exc:
            self.fail("tls", str(exc))
        except OSError as exc:
            self.fail("reset", exc.strerror)

    def _push(self) -> None:
        before = len(self.outbox)
        if self.tls is not None and self.state == "ready":
            while self._send_tls() and self.outbox:
                count = self.tls.object.write(self.outbox[:16384])
                del self.outbox[:count]
        else:
            with contextlib.suppress(BlockingIOError):
                while self.outbox:
                    count = self.socket.send(self.outbox)
                    del self.outbox[:count]
        if len(self.outbox) < before:
            self.progress("write")
        if self.is_shut and not self.outbox and not self.has_sent_end:
            if self.tls is not None:
                with contextlib.suppress(ssl.SSLError):
                    self.tls.object.unwrap()
                if not self._send_tls():
                    return
            self.has_sent_end = True
            self.socket.shutdown(_socket.SHUT_WR)

    def _send_tls(self) -> bool:
        tls: Any = self.tls
        while tls.outgoing.pending:
            data = tls.outgoing.read(65536)
            try:
                count = self.socket.send(data)
            except BlockingIOError:
                count = 0
            if count < len(data):
                # What is not sent goes back to the beginning.
                rest = data[count:] + tls.outgoing.read()
                tls.outgoing.write(rest)
                return False
        return True

    def _receive(self) -> bytes | None:
        try:
            return self.socket.recv(65536)  # type: ignore[no-any-return]
        except BlockingIOError:
            return None

    def _shake(self) -> None:
        tls: Any = self.tls
        data = self._receive()
        if data:
            tls.incoming.write(data)
        elif data is not None:
            tls.incoming.write_eof()
        try:
            tls.object.do_handshake()
        except ssl.SSLWantReadError:
            self._send_tls()
            return
        except ssl.SSLError:
            self._send_tls()
            raise
        self._send_tls()
        self.state, tls.is_done = "ready", True
        self.progress("opened")
        self._decrypt()

    def _pull(self) -> None:
        while not self.has_ended and len(self.inbox) < ROOM:
            data = self._receive()
            if data is None:
                break
            if self.tls is None:
                self.inbox += data
                self.has_ended = not data
            elif data:
                self.tls.incoming.write(data)
            else:
                self.tls.incoming.write_eof()
            if self.tls is not None:
                self._decrypt()
            self.progress("read")

    def _decrypt(self) -> None:
        tls: Any = self.tls
        try:
            while data := tls.object.read(65536):
                self.inbox += data
                self.progress("read")
            self.has_ended = True
        except ssl.SSLWantReadError:
            return
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.has_ended = True
        self.progress("read")
