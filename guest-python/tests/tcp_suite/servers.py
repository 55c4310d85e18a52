"""Servers for the checks beside it, with CPython's own sockets: `servers.py KIND` prints its port.

It ends when its input does.
"""

from __future__ import annotations

import http.server
import os
import socketserver
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

SERVER = Path(__file__).parents[1] / "tls" / "server.pem"


def context(*protocols: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(SERVER)
    made.set_alpn_protocols(list(protocols))
    return made


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients of the checks break off on purpose."""


class Echo(socketserver.BaseRequestHandler):
    """Sends back what it gets."""

    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class SafeEcho(Echo):
    """The same with TLS."""

    made = context("one", "two")

    def setup(self) -> None:
        self.request = self.made.wrap_socket(self.request, server_side=True)


class OldEcho(SafeEcho):
    """The same with TLS 1.2."""

    made = context()
    made.maximum_version = ssl.TLSVersion.TLSv1_2


class Late(socketserver.BaseRequestHandler):
    """Sends a byte for each that it gets, after a moment."""

    def handle(self) -> None:
        while data := self.request.recv(1):
            threading.Event().wait(0.1)
            self.request.sendall(data)


class Pages(http.server.BaseHTTPRequestHandler):
    """A web server that keeps connections."""

    protocol_version = "HTTP/1.1"

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("location", "/page")
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self._answer(f"{self.path} for {self.headers['host']}".encode())

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"])).upper())

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class SafePages(Pages):
    """The same with TLS."""

    def setup(self) -> None:
        self.request = context("http/1.1").wrap_socket(self.request, server_side=True)
        super().setup()


class Mail(socketserver.StreamRequestHandler):
    """A mail server with STARTTLS and a login, which prints what it gets to its error output."""

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self) -> None:
        is_safe = False
        self.say("220 mail.test")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "EHLO":
                self.say("250-mail.test")
                self.say("250 AUTH PLAIN" if is_safe else "250 STARTTLS")
            elif word == "STARTTLS":
                self.say("220 go on")
                self.request = context().wrap_socket(self.request, server_side=True)
                self.setup()
                is_safe = True
            elif word == "AUTH":
                self.say("235 welcome")
            elif word == "DATA":
                self.say("354 send it")
                count = 0
                while (text := self.rfile.readline()) != b".\r\n":
                    count += len(text)
                self.say(f"250 got {count}")
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")


KINDS: dict[str, Any] = {
    "echo": Echo,
    "safe": SafeEcho,
    "old": OldEcho,
    "late": Late,
    "http": Pages,
    "https": SafePages,
    "smtp": Mail,
}


def main(kind: str) -> None:
    server = Server(("127.0.0.1", 0), KINDS[kind])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
