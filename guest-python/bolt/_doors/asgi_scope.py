"""The scopes of ASGI: what an app is told about a request before it reads the body."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from .._websockets.messages import offered
from ..requests import Request
from ..websockets import WebSocket

__all__ = ["http_scope", "server_of", "websocket_scope"]

# The version of the specification of HTTP and WebSockets: from 2.4 on, `send` raises OSError when
# the client is gone, and from 2.5 on a disconnected WebSocket has a reason.
_VERSIONS = {"version": "3.0", "spec_version": "2.5"}
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def server_of(headers: list[tuple[str, str]], scheme: str) -> tuple[str, int]:
    """The name and the port that the client has asked for."""
    for name, value in headers:
        if name == "host":
            host, colon, port = value.rpartition(":")
            if not (colon and port.isdigit()):
                # A port may be empty.
                host, port = value.removesuffix(":"), ""
            if not host:
                break
            # An address of version 6 stands in brackets only in URLs.
            return host.strip("[]"), int(port) if port else _PORTS[scheme]
    return "localhost", _PORTS[scheme]


def http_scope(request: Request) -> dict[str, Any]:
    """The scope of a request. `state` is that of the request, which its middleware sees as well."""
    raw_path: str = request._prefix + request._raw_path
    headers: list[tuple[str, str]] = request._raw_headers
    return {
        "type": "http",
        "asgi": _VERSIONS.copy(),
        # The host does not say which version the client speaks.
        "http_version": "1.1",
        "method": request.method,
        "scheme": request._scheme,
        "path": unquote(raw_path) if "%" in raw_path else raw_path,
        "raw_path": raw_path.encode(),
        "query_string": request._query.encode(),
        "root_path": request._prefix + request.app.root_path,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "client": request.client and tuple(request.client),
        "server": server_of(headers, request._scheme),
        "state": vars(request.state),
        "extensions": {"http.response.pathsend": {}},
    }


def websocket_scope(socket: WebSocket) -> dict[str, Any]:
    """The scope of a WebSocket; see `http_scope`."""
    raw_path: str = socket._prefix + socket._raw_path
    headers: list[tuple[str, str]] = socket._raw_headers
    return {
        "type": "websocket",
        "asgi": _VERSIONS.copy(),
        "http_version": "1.1",
        "scheme": socket._scheme,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": socket._query.encode(),
        "root_path": socket._prefix + socket.app.root_path,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "client": socket.client and tuple(socket.client),
        "server": server_of(headers, socket._scheme),
        "subprotocols": offered(socket.headers),
        "state": vars(socket.state),
        "extensions": {"websocket.http.response": {}},
    }
