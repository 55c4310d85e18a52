"""Makes the routes through which the host serves a foreign app: all methods, and all paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .._routing.options import WEBSOCKET
from .._routing.router import Declaration
from ..requests import Request
from .apps import ASGIApp, ForeignApp, WSGIApp
from .asgi_http import asgi_handler
from .asgi_lifespan import asgi_lifespan
from .asgi_websocket import asgi_socket_handler
from .wsgi_http import wsgi_handler

__all__ = ["door_lifespan", "door_routes"]

# All methods that the host knows.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PATH = "/{path:path}"


def door_lifespan(foreign: ForeignApp) -> Callable[[Any], Any] | None:
    """The lifespan of a foreign app, or None."""
    if isinstance(foreign, ASGIApp) and foreign.lifespan:
        return asgi_lifespan(foreign.app)
    return None


def door_routes(foreign: ForeignApp) -> Iterator[Declaration]:
    """The routes of a foreign app."""
    file, line = foreign.place()
    handler = _handler(foreign)
    handler.__name__ = handler.__qualname__ = foreign.title
    for method in _METHODS:
        options: dict[str, Any] = {"include_in_schema": False}
        yield Declaration(method, _PATH, options, handler, file, line)
    if isinstance(foreign, ASGIApp):
        socket_handler = asgi_socket_handler(foreign.app)
        socket_handler.__name__ = socket_handler.__qualname__ = foreign.title
        yield Declaration(
            WEBSOCKET, _PATH, {"origins": foreign.origins}, socket_handler, file, line
        )


def _handler(foreign: ForeignApp) -> Callable[..., Any]:
    if not isinstance(foreign, WSGIApp):
        return asgi_handler(foreign.app)
    handle = wsgi_handler(foreign.app)
    if not foreign.stream_body:
        return handle

    def handle_stream(request: Request, body: Iterator[bytes]) -> Any:
        # The parameter asks the host not to read the body, which `wsgi.input` does.
        return handle(request)

    return handle_stream
