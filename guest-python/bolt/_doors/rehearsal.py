"""What can be rehearsed of a foreign app before the snapshot: that a page is not there.

Handlers of the app may have side effects, which would be in the snapshot. So the app is asked only
if its framework says that it has no handler for the page. Its middleware runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .apps import ForeignApp

__all__ = ["PAGE", "asgi_stand_in", "is_missing", "wsgi_stand_in"]

PAGE = "bolt-rehearsal/not-there"
"""The path of a page that no app has."""


async def asgi_stand_in(scope: Any, receive: Any, send: Any) -> None:
    """An app in place of the real one."""
    await receive()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"2")],
        }
    )
    await send({"type": "http.response.body", "body": b"{}"})


def wsgi_stand_in(environ: Any, start_response: Any) -> list[bytes]:
    """As `asgi_stand_in`."""
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [environ["wsgi.input"].read() or b"{}"]


def is_missing(foreign: ForeignApp) -> bool:
    """Whether the app has no handler for the page, as far as it can be known."""
    if not foreign.rehearse:
        return False
    path = f"/{PAGE}"
    for knows, has_none in _FRAMEWORKS:
        try:
            if knows(foreign.app):
                return has_none(foreign.app, path)
        except Exception:
            return False
    return False


def _starlette(app: Any, path: str) -> bool:
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    return not any(route.matches(dict(scope))[0].value for route in app.routes)


def _werkzeug(app: Any, path: str) -> bool:
    try:
        app.url_map.bind("localhost").match(path)
    except Exception as exc:
        return type(exc).__name__ == "NotFound"
    return False


def _django(app: Any, path: str) -> bool:
    try:
        sys.modules["django.urls"].resolve(path)
    except Exception as exc:
        return type(exc).__name__ == "Resolver404"
    return False


def _bottle(app: Any, path: str) -> bool:
    try:
        app.router.match({"PATH_INFO": path, "REQUEST_METHOD": "GET"})
    except Exception as exc:
        return getattr(exc, "status_code", None) == 404
    return False


def _falcon(app: Any, path: str) -> bool:
    return app._router.find(path) is None and not app._sinks


def _module(name: str) -> Callable[[Any], bool]:
    return lambda app: any(cls.__module__.startswith(name) for cls in type(app).__mro__)


# How each framework is known, and how its routes are asked.
_FRAMEWORKS: tuple[tuple[Callable[[Any], bool], Callable[[Any, str], bool]], ...] = (
    (_module("starlette.applications"), _starlette),
    (lambda app: hasattr(app, "url_map"), _werkzeug),
    (_module("django.core.handlers"), _django),
    (_module("bottle"), _bottle),
    (_module("falcon"), _falcon),
)
