"""Apps of Starlette, FastAPI, Flask and Django, as their authors write them."""

import asyncio
import contextlib
import importlib
import threading
from typing import Any

import pytest
from foreignfake import ForeignHost, foreign_host

from bolt import BoltAPI
from bolt._runtime.app_loader import LoadError, import_app
from bolt.wsgi import WSGIMiddleware


@pytest.fixture
def host(monkeypatch):
    """A host without threads."""

    def start(self: threading.Thread) -> None:
        raise AssertionError("a thread was started")

    monkeypatch.setattr(threading.Thread, "start", start)
    for name, door, changed in (
        ("anyio.to_thread", "anyio_to_thread", ("run_sync",)),
        ("anyio.from_thread", "anyio_from_thread", ("run", "run_sync", "check_cancelled")),
    ):
        with contextlib.suppress(ImportError):
            module: Any = importlib.import_module(name)
            for one in changed:
                monkeypatch.setattr(module, one, getattr(module, one))
            importlib.import_module(f"bolt._threads.{door}").open_door(module)
    yield from foreign_host(monkeypatch)


def test_starlette(host: ForeignHost):
    applications = pytest.importorskip("starlette.applications")
    base = pytest.importorskip("starlette.middleware.base")
    responses = pytest.importorskip("starlette.responses")
    background = pytest.importorskip("starlette.background")
    done = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Any):
        yield {"pool": 3}

    async def home(request: Any) -> Any:
        url = str(request.url_for("home"))
        return responses.JSONResponse({"pool": request.state.pool, "url": url})

    def sync(request: Any) -> Any:
        task = background.BackgroundTask(later)
        return responses.PlainTextResponse("sync", background=task)

    async def later() -> None:
        await asyncio.sleep(5)
        done.append("later")

    async def parts(request: Any) -> Any:
        async def flow():
            for number in range(3):
                await asyncio.sleep(1)
                yield f"{number}\n"

        return responses.StreamingResponse(flow(), media_type="text/plain")

    async def read(request: Any) -> Any:
        return responses.PlainTextResponse(await request.body())

    async def fail(request: Any) -> Any:
        raise ValueError("broken")

    class Naming(base.BaseHTTPMiddleware):  # type: ignore[misc,name-defined]
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            response = await call_next(request)
            response.headers["x-name"] = "1"
            return response

    app = applications.Starlette(lifespan=lifespan)
    app.add_middleware(Naming)
    for one in (home, sync, parts, read, fail):
        app.add_route(f"/{one.__name__}", one, methods=["GET", "POST"])
    api = BoltAPI()
    api.mount("/sub", app)
    host.serve(api)
    answer = host.request("GET", "/sub/home")
    assert answer.body == b'{"pool":3,"url":"http://app.example:8000/sub/home"}'
    assert answer.kind == "whole" and answer.header("x-name") == ["1"]
    assert host.request("POST", "/sub/read", body=b"abc").body == b"abc"
    host.start("GET", "/sub/sync")
    assert host.answer(0).body == b"sync" and not done
    host.answer()
    assert done == ["later"]
    answer = host.request("GET", "/sub/parts")
    assert (answer.kind, answer.body) == ("stream", b"0\n1\n2\n")
    assert host.request("GET", "/sub/other").status == 404 and not host.complaints
    answer = host.request("GET", "/sub/fail")
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert "ValueError: broken" in host.complaints.pop()


def test_a_client_that_leaves_a_stream_of_starlette(host: ForeignHost):
    applications = pytest.importorskip("starlette.applications")
    responses = pytest.importorskip("starlette.responses")
    ended = []

    async def parts(request: Any) -> Any:
        async def flow():
            try:
                while True:
                    yield b"x"
                    await asyncio.sleep(0.1)
            finally:
                ended.append(1)

        return responses.StreamingResponse(flow())

    app = applications.Starlette()
    app.add_route("/", parts)
    host.serve(app)
    host.start()
    host.answer(5)
    host.leave()
    assert ended == [1] and not host.complaints


def test_fastapi(host: ForeignHost):
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    def shop() -> Any:
        yield "shop"

    @app.get("/items/{number}")
    def item(number: int, shop: str = fastapi.Depends(shop)) -> dict[str, Any]:
        return {"number": number, "shop": shop}

    @app.post("/items")
    async def create(request: fastapi.Request) -> Any:  # type: ignore[name-defined]
        return await request.json()

    host.serve(app)
    assert host.request("GET", "/items/3").body == b'{"number":3,"shop":"shop"}'
    assert host.request("GET", "/items/x").status == 422
    json = [("content-type", "application/json")]
    assert host.request("POST", "/items", json, b'{"a":1}').body == b'{"a":1}'
    assert host.request("GET", "/docs").status == 200
    assert host.request("GET", "/openapi.json").content_type == "application/json"
    assert host.request("POST", "/items/3").status == 405 and not host.complaints


def flask_app() -> Any:
    flask = pytest.importorskip("flask")
    app = flask.Flask("app")

    @app.get("/")
    def home() -> Any:
        return {"root": flask.request.script_root, "a": flask.request.args.get("a")}

    @app.post("/form")
    def form() -> Any:
        return flask.request.form["a"]

    @app.get("/parts")
    def parts() -> Any:
        def flow():
            yield flask.request.path
            yield "!"

        return flask.Response(flask.stream_with_context(flow()), mimetype="text/plain")

    @app.get("/session")
    def session() -> Any:
        flask.session["a"] = 1
        return flask.redirect("/")

    app.secret_key = "secret"
    return app


def test_flask(host: ForeignHost):
    api = BoltAPI()
    api.mount("/old", flask_app())
    host.serve(api)
    answer = host.request("GET", "/old/", query="a=1")
    assert answer.body == b'{"a":"1","root":"/old"}\n' and answer.kind == "whole"
    kind = [("content-type", "application/x-www-form-urlencoded"), ("content-length", "6")]
    assert host.request("POST", "/old/form", kind, b"a=%C3%9F").status == 200
    answer = host.request("GET", "/old/parts")
    assert (answer.kind, answer.body) == ("stream", b"/parts!")
    answer = host.request("GET", "/old/session")
    assert answer.status == 302 and answer.header("set-cookie")[0].startswith("session=")
    assert host.request("GET", "/old/no").status == 404 and not host.complaints


def test_flask_inside_of_fastapi(host: ForeignHost):
    fastapi = pytest.importorskip("fastapi")
    wsgi = pytest.importorskip("starlette.middleware.wsgi")
    inner = flask_app()
    app = fastapi.FastAPI()
    app.mount("/old", wsgi.WSGIMiddleware(inner))
    host.serve(app)
    assert host.request("GET", "/old/").body == b'{"a":null,"root":"/old"}\n'
    for one in (WSGIMiddleware(inner), wsgi.WSGIMiddleware(inner)):
        api = BoltAPI()
        api.mount("/old", one)
        host.serve(api)
        assert host.request("GET", "/old/").body == b'{"a":null,"root":"/old"}\n'
    assert not host.complaints


SOURCES = {
    "both": ("from bolt import BoltAPI\napp = lambda environ, start: []\napplication = BoltAPI()"),
    "foreign": "api = 3\nasync def application(scope, receive, send): ...\n",
    "module": "import json as api\ndef app(environ, start_response): ...\n",
}


@pytest.mark.parametrize(
    ("name", "title"), [("both", "BoltAPI"), ("foreign", "application"), ("module", "app")]
)
def test_which_app_of_a_module_is_served(tmp_path, monkeypatch, name: str, title: str):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"served_{name}.py").write_text(SOURCES[name])
    assert import_app(f"served_{name}", "api").title == title


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "or one of ASGI or WSGI `app` or `application`"),
        ("api = 3", "is a int, not a BoltAPI and no app of ASGI or WSGI"),
        ("class app:\n    def __call__(self, a, b): ...", "give an object of it, such as app()"),
        ("def app(scope):\n    return None", "is an application of ASGI 2"),
        ("def app(*given): ...", "does not say whether it is"),
    ],
)
def test_what_is_said_of_a_module_without_an_app(tmp_path, monkeypatch, source: str, said: str):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"unserved_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    with pytest.raises(LoadError) as raised:
        import_app(name, "api")
    assert said in str(raised.value)
