"""The environ of WSGI: what an app is told about a request (PEP 3333)."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

from .._streams.inflow import block_parts
from ..requests import Request
from .asgi_scope import server_of

__all__ = ["make_environ"]

_FIXED: dict[str, Any] = {
    "SERVER_SOFTWARE": "bolt-host",
    # The host does not say which version the client speaks.
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.file_wrapper": FileWrapper,
    "wsgi.input_terminated": True,
}
# Names that are not `HTTP_` and the name of the header.
_OWN = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_COMMON = (
    "accept accept-encoding accept-language authorization cache-control connection cookie host "
    "if-none-match origin referer user-agent x-forwarded-for x-forwarded-proto"
)
_KEYS = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in _COMMON.split()} | _OWN


def make_environ(request: Request) -> dict[str, Any]:
    """The environ of a request, whose body is read from `wsgi.input`."""
    environ = _FIXED.copy()
    script: str = request._prefix + request.app.root_path
    path: str = request._prefix + request._raw_path
    if "%" in path or script or not path.isascii():
        path, script = _decoded(path), _decoded(script)
        path = path.removeprefix(script)
        environ["SCRIPT_NAME"] = script
    headers: list[tuple[str, str]] = request._raw_headers
    target, query = _latin1(request._prefix + request._raw_path), _latin1(request._query)
    name, port = server_of(headers, request._scheme)
    environ["REQUEST_METHOD"] = request.method
    environ["PATH_INFO"] = path
    environ["QUERY_STRING"] = query
    environ["REQUEST_URI"] = environ["RAW_URI"] = f"{target}?{query}" if query else target
    environ["SERVER_NAME"] = name
    environ["SERVER_PORT"] = str(port)
    environ["wsgi.url_scheme"] = request._scheme
    environ["wsgi.errors"] = sys.stderr
    if request.client is not None:
        environ["REMOTE_ADDR"] = request.client.host
        environ["REMOTE_PORT"] = str(request.client.port)
    for name, value in headers:
        key = _KEYS.get(name)
        if key is None:
            # `x_user` would be taken for `x-user`, which a proxy may have checked.
            if "_" in name:
                continue
            key = f"HTTP_{name.upper().replace('-', '_')}"
        if key in environ:
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        environ[key] = value
    _add_input(environ, request)
    return environ


def _decoded(path: str) -> str:
    """A path as WSGI has it: each byte as the character of the same number."""
    return unquote_to_bytes(path).decode("latin-1")


def _latin1(text: str) -> str:
    """As `_decoded`, with its escapes."""
    return text if text.isascii() else text.encode().decode("latin-1")


def _add_input(environ: dict[str, Any], request: Request) -> None:
    if request._body is None and not request._is_consumed:
        environ["wsgi.input"] = io.BufferedReader(_Inflow(block_parts()))
        return
    body: bytes = request.content
    if body and "CONTENT_LENGTH" not in environ:
        environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)


class _Inflow(io.RawIOBase):
    """A body that is read while it arrives. Reading blocks the interpreter."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._rest or next(self._parts, b"")
        size = len(buffer)
        buffer[: len(part[:size])] = part[:size]
        self._rest = part[size:]
        return min(size, len(part))
