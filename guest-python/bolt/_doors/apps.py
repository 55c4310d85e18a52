"""`ASGIApp` and `WSGIApp`: a foreign app, with what the host has to know about it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .._routing.options import Isolation, IsolationOptions, given_isolation
from .interface import Interface, check_interface, interface_of

__all__ = ["ASGIApp", "ForeignApp", "WSGIApp", "foreign_app"]


class ForeignApp:
    """An app that another framework made.

    app: the callable.
    interface: how it is called.
    title: what errors call it.
    """

    interface: Interface

    def __init__(
        self, app: Callable[..., Any], rehearse: bool, isolation: IsolationOptions
    ) -> None:
        if not callable(app):
            raise TypeError(
                f"{app!r} is no {self.interface.upper()} application: it is not callable"
            )
        self.app = app
        self.rehearse = rehearse
        self.isolation_options = isolation

    @property
    def title(self) -> str:
        """A name for errors and lists."""
        given = getattr(self.app, "title", None)
        if isinstance(given, str) and given:
            return given
        name = getattr(self.app, "__qualname__", type(self.app).__qualname__)
        return str(name)

    def place(self) -> tuple[str, int]:
        """The file in which the app is, as far as it says, and a line."""
        kind = self.app if hasattr(self.app, "__code__") else type(self.app)
        code = getattr(kind, "__code__", None)
        module = sys.modules.get(getattr(kind, "__module__", None) or "")
        file = (getattr(module, "__file__", None) or "<unknown>").replace("\\", "/")
        return file.rsplit("/", 1)[-1], 1 if code is None else code.co_firstlineno

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.app!r})"


class ASGIApp(ForeignApp):
    """An ASGI app, to mount in a BoltAPI or to serve: FastAPI, Starlette, Litestar, Quart, Django.

    app: a callable of ASGI 3.
    lifespan: tell the app about its start and its end. An app that knows neither goes without.
    origins: whose pages may open a WebSocket; see `BoltAPI.websocket`. By default those of all
        sites, as on other servers, so the app has to check the origin if it reads cookies.
    rehearse: send the app requests for a page that is not there when it is built, so that its first
        requests are fast. This is done only where no handler is called.
    isolation, max_concurrency, max_requests: as for `BoltAPI`.
    """

    interface = "asgi"

    def __init__(
        self,
        app: Callable[..., Any],
        *,
        lifespan: bool = True,
        origins: Sequence[str] | None = ("*",),
        rehearse: bool = True,
        isolation: Isolation | None = None,
        max_concurrency: int | None = None,
        max_requests: int | None = None,
    ) -> None:
        shared = given_isolation(isolation, max_concurrency, max_requests)
        super().__init__(app, rehearse, shared)
        self.lifespan = lifespan
        self.origins = None if origins is None else list(origins)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Call the app, as a part of another ASGI app."""
        await self.app(scope, receive, send)


class WSGIApp(ForeignApp):
    """A WSGI app, to mount in a BoltAPI or to serve: Flask, Bottle, Falcon, Django.

    app: a callable of PEP 3333.
    stream_body: have the app read bodies while they arrive, up to the limit of uploads; the
        interpreter then waits for each slow client. By default the host has read the whole body
        before, up to its limit for bodies.
    rehearse: as for `ASGIApp`.
    isolation, max_requests: as for `BoltAPI`. A WSGI app has one request at a time.
    """

    interface = "wsgi"

    def __init__(
        self,
        app: Callable[..., Any],
        *,
        stream_body: bool = False,
        rehearse: bool = True,
        isolation: Isolation | None = None,
        max_requests: int | None = None,
    ) -> None:
        super().__init__(app, rehearse, given_isolation(isolation, None, max_requests))
        self.stream_body = stream_body

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Call the app, as a part of another WSGI app."""
        return self.app(environ, start_response)


# What `WSGIMiddleware` of Starlette is, which runs a WSGI app in threads.
_STARLETTE_WSGI = "starlette.middleware.wsgi"


def foreign_app(app: Any, interface: str | None = None) -> ForeignApp:
    """A foreign app in the form that says what it is.

    interface: "asgi" or "wsgi", for an app that does not say. Raises TypeError if there is no app,
        or if it does not say.
    """
    check_interface(interface)
    if isinstance(app, ForeignApp):
        return app
    kind = type(app)
    if kind.__name__ == "WSGIMiddleware" and kind.__module__ == _STARLETTE_WSGI:
        return WSGIApp(app.app)
    found = interface or interface_of(app)
    if found is None:
        _refuse(app)
    return ASGIApp(app) if found == "asgi" else WSGIApp(app)


def _refuse(app: Any) -> NoReturn:
    if isinstance(app, type):
        raise TypeError(
            f"{app.__qualname__} is a class: give an object of it, such as {app.__qualname__}()"
        )
    if not callable(app):
        raise TypeError(
            f"a {type(app).__qualname__} is no application: give a BoltAPI, or one of ASGI or WSGI"
        )
    name = getattr(app, "__qualname__", type(app).__qualname__)
    raise TypeError(
        f"{name} does not say whether it is an application of ASGI or of WSGI: "
        f"give `bolt.asgi.ASGIApp({name})` or `bolt.wsgi.WSGIApp({name})`, or start the host with "
        "--interface asgi or wsgi"
    )
