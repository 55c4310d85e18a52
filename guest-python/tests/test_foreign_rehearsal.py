"""Foreign apps are rehearsed before the snapshot, and leave nothing behind."""

import asyncio
import marshal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
from loop_host import REQUEST, loop_host

from bolt import BoltAPI
from bolt._doors.rehearsal import is_missing
from bolt._doors.tasks import running
from bolt._runtime.warmup_doors import _live, foreign_routes, warm_up_doors
from bolt._serialization.replies import encode_reply
from bolt.asgi import ASGIApp
from bolt.wsgi import WSGIApp


class Handlers:
    """What the entry does with a call. statuses: those of the replies, by route."""

    def __init__(self, routes: list[Any], loop: Any) -> None:
        self.routes = routes
        self.loop = loop
        self.statuses: dict[int, list[int]] = {}

    def call(self, request: int, route: int, args: bytes) -> None:
        invoke, status, is_async = self.routes[route]
        made = invoke(marshal.loads(args))
        if not is_async:
            self.note(route, encode_reply(status, made))
            return
        assert REQUEST.get() == request == 0
        task = asyncio.Task(made, loop=self.loop)
        self.loop.run_ready()
        if task.done():
            self.note(route, encode_reply(status, task.result()))

    def note(self, route: int, reply: str) -> None:
        status = marshal.loads(reply.encode("latin-1"))[0]
        self.statuses.setdefault(route, []).append(status)


@pytest.fixture
def host(monkeypatch):
    yield from loop_host(monkeypatch)


def rehearse(host: Any, api: BoltAPI) -> dict[int, list[int]]:
    for route in api.routes:
        route.compile()
    routes = [(route.invoke, route.status_code, route.is_async) for route in api.routes]
    before = list(routes)
    handlers = Handlers(routes, host.loop)
    runtime: Any = ModuleType("runtime")
    names = "call_import waitable_set_new waitable_join subtask_drop promise_get_result"
    vars(runtime).update(dict.fromkeys(names.split()))
    warm_up_doors(handlers, routes, foreign_routes(api), host.loop, runtime, None)
    assert routes == before and not running and runtime.call_import is None
    return handlers.statuses


def test_an_app_of_its_own_is_stood_in_for(host: Any):
    async def app(scope, receive, send):
        pytest.fail("the app was called")

    for one in (app, WSGIApp(lambda environ, start_response: pytest.fail("it was called"))):
        statuses = rehearse(host, BoltAPI.serving(one))
        assert list(statuses.values()) == [[200] * 50] * 2 and 0 not in statuses
    assert rehearse(host, BoltAPI()) == {}


def test_starlette(host: Any):
    applications = pytest.importorskip("starlette.applications")
    responses = pytest.importorskip("starlette.responses")
    routing = pytest.importorskip("starlette.routing")
    lifespans = []

    async def home(request: Any) -> Any:
        pytest.fail("a handler was called")

    app = applications.Starlette(
        routes=[routing.Route("/", home), routing.Route("/a/{b}", home)],
        lifespan=lifespans.append,
    )
    api = BoltAPI()
    api.mount("/sub", app)
    statuses = rehearse(host, api)
    assert statuses.pop(0) == [404] * 10 and not lifespans
    # Without that of a `def`, which runs in a thread here.
    assert list(statuses.values()) == [[200] * 50] * 3
    assert not any(life.entered for route in api.routes for life in route.plan.lifespans)
    app.mount("/", responses.Response("all"))
    assert not is_missing(ASGIApp(app)) and 0 not in rehearse(host, api)


def test_fastapi(host: Any):
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()
    app.get("/")(lambda: pytest.fail("a handler was called"))
    statuses = rehearse(host, BoltAPI.serving(app))
    assert statuses.pop(0) == [404] * 10
    assert list(statuses.values()) == [[200] * 50] * 4


def test_fastapi_knows_the_handlers_of_an_app(host: Any):
    fastapi = pytest.importorskip("fastapi")
    kept = pytest.importorskip("fastapi.routing")._endpoint_context_cache

    def needed() -> None: ...
    def inner() -> None: ...
    def outer(it: Any = fastapi.Depends(needed)) -> None: ...

    router = fastapi.APIRouter()
    router.get("/inner")(inner)
    app = fastapi.FastAPI()
    app.include_router(router, prefix="/a")
    app.get("/outer")(outer)
    rehearse(host, BoltAPI.serving(app))
    for function in (needed, inner, outer):
        assert kept[id(function)]["function"] == function.__name__


def test_a_lifespan_that_is_stood_in_for_ends(host: Any):
    starlette = pytest.importorskip("starlette.applications")
    seen = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        seen.append("started")
        await asyncio.sleep(0)
        yield
        seen.append("stopped")

    _live(starlette.Starlette(lifespan=lifespan), host.loop, running)
    assert seen == ["started", "stopped"] * 10 and not running
    seen.clear()

    @asynccontextmanager
    async def waiting(app: Any) -> AsyncIterator[None]:
        seen.append("started")
        await asyncio.sleep(10)
        yield

    _live(starlette.Starlette(lifespan=waiting), host.loop, running)
    assert seen == ["started"] and not running


def test_middleware_that_waits_is_ended(host: Any):
    applications = pytest.importorskip("starlette.applications")
    begun, ended = [], []

    class Waiting:
        def __init__(self, app: Any) -> None: ...

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            begun.append(1)
            try:
                await asyncio.sleep(10)
            finally:
                ended.append(1)

    app = applications.Starlette()
    app.add_middleware(Waiting)
    rehearse(host, BoltAPI.serving(app))
    assert begun == ended == [1]


def test_flask(host: Any):
    flask = pytest.importorskip("flask")
    app = flask.Flask("app")
    statuses = rehearse(host, BoltAPI.serving(app))
    assert statuses.pop(0) == [404] * 10
    assert list(statuses.values()) == [[200] * 50] * 3
    assert 0 not in rehearse(host, BoltAPI.serving(WSGIApp(app, rehearse=False)))
    app = flask.Flask("app")
    app.add_url_rule("/<path:rest>", view_func=lambda rest: pytest.fail("a handler was called"))
    assert 0 not in rehearse(host, BoltAPI.serving(app))
