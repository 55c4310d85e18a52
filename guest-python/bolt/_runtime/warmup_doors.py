"""Rehearses the apps of other frameworks before the snapshot is taken.

The doors are rehearsed with apps that stand in for the real ones, and so are the frameworks, with
their lifespans. The real ones are asked for a page that is not there, if no handler runs for it.
Their lifespans are not entered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from marshal import dumps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .._app.application import BoltAPI
from .._app.lifespan import Lifespan
from .._routing.route import Route
from .warmup import stage

if TYPE_CHECKING:
    from .._doors.stand_ins import StandIn

__all__ = ["foreign_routes", "warm_up_doors"]

_TIMES = 50
# A request to an app takes longer than one to its door, and its code is warm sooner.
_TIMES_APP = 10
# Rounds of the loop in which a lifespan is entered and left.
_ROUNDS = 30
_HEADERS = [
    *(("host", "localhost:8000"), ("user-agent", "rehearsal"), ("accept", "*/*")),
    *(("accept-encoding", "gzip"), ("cookie", "a=b")),
]


def foreign_routes(api: BoltAPI) -> list[Route]:
    """The GET route of each foreign app that an application has."""
    return [
        route
        for route in api.routes
        if route.method == "GET" and route.context.app.foreign is not None
    ]


def warm_up_doors(
    handlers: Any,
    routes: list[Any],
    foreign: list[Route],
    loop: Any,
    runtime: ModuleType,
    parked: object,
) -> None:
    """Send requests through the doors. The parameters are those of `warm_up`.

    foreign: see `foreign_routes`.
    loop: the event loop.
    """
    if not foreign:
        return
    # Late: most apps are none of another framework.
    from .._doors.first_calls import know_handlers
    from .._doors.rehearsal import PAGE, asgi_stand_in, is_missing, wsgi_stand_in
    from .._doors.stand_ins import StandIn, stand_ins
    from .._doors.tasks import running

    first = len(routes)
    doors = [StandIn(app, "GET", "/") for app in (asgi_stand_in, wsgi_stand_in)]
    apps = [route.context.app.foreign for route in foreign]
    for one in apps:
        know_handlers(one.app)
    frameworks = [one for app in apps if app.rehearse for one in stand_ins(app.app)]
    wires = []
    for one in (*doors, *frameworks):
        made = _route_to(one)
        routes.append((made.invoke, made.status_code, made.is_async))
        wires.append(_wire(one.path, one.method, one.body))
    # By `getattr`, as in `warm_up`.
    call = "call"
    with stage(runtime, lambda *arguments: parked):
        for app in {id(one.app): one.app for one in frameworks}.values():
            _live(app, loop, running)
        for route_id, wire in enumerate(wires, first):
            for _ in range(_TIMES):
                getattr(handlers, call)(0, route_id, wire)
                if running:
                    _end(running, loop)
                    break
        for route in foreign:
            if _runs_code_of_the_app(route) or not is_missing(route.context.app.foreign):
                continue
            wire = _wire(route.path.removesuffix("{path:path}") + PAGE)
            with _as_entered(route):
                for _ in range(_TIMES_APP):
                    getattr(handlers, call)(0, route.id, wire)
                    if running:
                        # It waits for what is not there before the snapshot.
                        _end(running, loop)
                        break
    del routes[first:]


def _route_to(stand_in: StandIn) -> Route:
    """A route to an app that stands in."""
    api = BoltAPI.serving(stand_in.app)
    # No task of a lifespan may be in the snapshot.
    api.context.lifespan = None
    of_method = next(route for route in api.routes if route.method == stand_in.method)
    made = Route(0, of_method.declared, (api.context,), of_method.path_names)
    made.compile()
    return made


def _live(app: Any, loop: Any, running: set[Any]) -> None:
    """Enter and leave the lifespan of an app that stands in."""
    for _ in range(_TIMES_APP):
        lifespan = BoltAPI.serving(app).context.lifespan
        if lifespan is None:
            return
        task = asyncio.Task(_enter_and_leave(lifespan), loop=loop)
        for _ in range(_ROUNDS):
            loop.run_ready()
        if not task.done():
            _end({task, *running}, loop)
            return


async def _enter_and_leave(lifespan: Lifespan) -> None:
    await lifespan.enter()
    await lifespan.leave()


def _wire(path: str, method: str = "GET", body: bytes = b"") -> bytes:
    of_body = (("content-type", "application/json"), ("content-length", str(len(body))))
    headers = [*_HEADERS, *of_body] if body else _HEADERS
    sent: tuple[Any, ...] = (
        method,
        "http",
        path,
        "a=1",
        headers,
        ("127.0.0.1", 50_000),
        {},
        body,
        "",
    )
    return dumps((sent,))


def _runs_code_of_the_app(route: Route) -> bool:
    """Whether functions of the application around the foreign app would run."""
    plan = route.plan
    return bool(plan.middleware or plan.on_error or len(route.params) != 1)


@contextmanager
def _as_entered(route: Route) -> Iterator[None]:
    lifespans = route.plan.lifespans
    for lifespan in lifespans:
        lifespan.entered = True
    try:
        yield
    finally:
        for lifespan in lifespans:
            lifespan.entered = False


def _end(running: set[Any], loop: Any) -> None:
    for task in list(running):
        task.cancel()
    loop.run_ready()
    running.clear()
