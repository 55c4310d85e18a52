"""Rehearses the apps of other frameworks before the snapshot is taken.

The doors are rehearsed with apps that stand in for the real ones. The real ones are asked for a
page that is not there, if no handler runs for it. Their lifespans are not entered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from marshal import dumps
from types import ModuleType
from typing import Any

from .._app.application import BoltAPI
from .._routing.route import Route
from .warmup import stage

__all__ = ["foreign_routes", "warm_up_doors"]

_TIMES = 50
# A request to an app takes longer than one to its door, and its code is warm sooner.
_TIMES_APP = 10
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
    from .._doors.rehearsal import PAGE, asgi_stand_in, is_missing, wsgi_stand_in
    from .._doors.tasks import running

    first = len(routes)
    for stand_in in (asgi_stand_in, wsgi_stand_in):
        api = BoltAPI.serving(stand_in)
        # No task of a lifespan may be in the snapshot.
        api.context.lifespan = None
        for route in api.routes[:1]:
            made = Route(0, route.declared, (api.context,), route.path_names)
            made.compile()
            routes.append((made.invoke, made.status_code, made.is_async))
    # By `getattr`, as in `warm_up`.
    call = "call"
    with stage(runtime, lambda *arguments: parked):
        wire = _wire("/")
        for route_id in range(first, len(routes)):
            for _ in range(_TIMES):
                getattr(handlers, call)(0, route_id, wire)
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


def _wire(path: str) -> bytes:
    sent: tuple[Any, ...] = (
        "GET",
        "http",
        path,
        "a=1",
        _HEADERS,
        ("127.0.0.1", 50_000),
        {},
        b"",
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
