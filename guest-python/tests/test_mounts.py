"""Mounted applications: middleware, lifespans and handlers of nested ones."""

import asyncio
import inspect
import marshal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest

from bolt import (
    Body,
    BoltAPI,
    Depends,
    HTTPException,
    JSONResponse,
    Request,
    Struct,
    field_validator,
)
from bolt._app.host_errors import host_error_handlers
from bolt._app.manifest import manifest
from bolt._dependencies.invoke import REQUEST
from bolt._serialization.replies import encode_exception, encode_reply
from bolt.asgi import ASGIApp
from bolt.exceptions import BuildError, RequestValidationError

JSON_TYPE = "application/json"


class Tea(Exception): ...


class OnlyOuter(Exception): ...


class Item(Struct):
    a: int

    @field_validator("a")
    @classmethod
    def positive(cls, value: int) -> int:
        if value < 1:
            raise ValueError("not positive")
        return value


def wire(path: str, headers: Any = (), body: bytes = b"", method: str = "GET") -> tuple[Any, ...]:
    return (method, "http", path, "", [("host", "shop.example"), *headers], None, {}, body, "")


def add_routes(api: BoltAPI) -> None:
    @api.get("/state")
    def state(request: Request) -> Any:
        return {
            "state": dict(vars(request.state)),
            "app": request.app.title,
            "root": request.scope["root_path"],
            "path": request.scope["path"],
            "base": str(request.base_url),
        }

    @api.get("/tea")
    def tea() -> Any:
        raise Tea

    @api.get("/only")
    async def only() -> Any:
        raise OnlyOuter

    @api.get("/http")
    def refused() -> Any:
        raise HTTPException(404, "gone")

    @api.post("/item")
    def item(item: Item) -> Any:
        return item


def add_middleware(api: BoltAPI, name: str) -> None:
    @api.middleware("http")
    async def mark(request: Request, call_next: Callable[..., Any]) -> Any:
        before = request.app.title
        if request.headers.get("x-stop") == name:
            return JSONResponse({"stopped": name}, 403)
        setattr(request.state, name, name)
        response = await call_next(request)
        order = response.headers.get("x-order", "")
        response.headers["x-order"] = f"{order}{name}({before}>{request.app.title})"
        return response


def shop(log: list[str]) -> BoltAPI:
    """Three applications, one inside of the other."""

    def lifespan(name: str) -> Any:
        @asynccontextmanager
        async def enter(app: BoltAPI) -> AsyncIterator[Any]:
            log.append(f"{name} in")
            yield {f"pool {name}": name}

        return enter

    outer = BoltAPI(
        "outer",
        lifespan=lifespan("outer"),
        dependencies=[Depends(lambda: log.append("dependency"))],
    )
    inner = BoltAPI("inner", lifespan=lifespan("inner"))
    deep = BoltAPI("deep", docs_url="/d", openapi_url="/o.json", redoc_url=None)
    for api in (outer, inner, deep):
        add_routes(api)
    inner.mount("/deep", deep)
    outer.mount("/sub/", inner)
    for api in (deep, inner, outer):
        add_middleware(api, api.title)

    @inner.get("/late")
    def late() -> Any:
        return "late"

    outer.add_exception_handler(Tea, lambda request, exc: JSONResponse({"tea": "outer"}, 418))
    outer.add_exception_handler(OnlyOuter, lambda request, exc: JSONResponse("outer", 418))

    @inner.exception_handler(Tea)
    def told(request: Request, exc: Tea) -> Any:
        return JSONResponse({"tea": "inner", "app": request.app.title}, 418)

    return outer


def answer(api: BoltAPI, path: str, **headers: str) -> tuple[int, Any, str | None]:
    """The status, the value and the order of the middleware."""
    (route,) = (one for one in api.routes if one.method == "GET" and one.path == path)
    route.compile()
    assert [param for param in route.params if param is not REQUEST] == []
    sent = [(name.replace("_", "-"), value) for name, value in headers.items()]

    async def call() -> Any:
        result = route.invoke((wire(path, sent),) * len(route.params))
        return await result if inspect.isawaitable(result) else result

    try:
        reply = encode_reply(route.status_code, asyncio.run(call()))
    except HTTPException as exc:
        reply = encode_exception(exc)
    found = marshal.loads(reply.encode("latin-1"))
    order = dict(found[2]).get("x-order") if len(found) > 2 else None
    return found[0], found[-1], order


OUTER, INNER, DEEP = "outer(outer>outer)", "outer(outer>inner)", "outer(outer>deep)"


# What FastAPI 0.165 answers, except that it only runs the lifespan of the outermost application.
@pytest.mark.parametrize(
    ("path", "app", "root", "marks", "order"),
    [
        ("/state", "outer", "", ["outer"], OUTER),
        ("/sub/state", "inner", "/sub", ["outer", "inner"], "inner(inner>inner)" + INNER),
        (
            "/sub/deep/state",
            "deep",
            "/sub/deep",
            ["outer", "inner", "deep"],
            "deep(deep>deep)inner(inner>deep)" + DEEP,
        ),
    ],
)
def test_middleware_and_lifespans_are_nested(
    path: str, app: str, root: str, marks: list[str], order: str
) -> None:
    log: list[str] = []
    status, found, seen = answer(shop(log), path)
    own = [mark for mark in marks if mark != "deep"]
    assert (status, seen) == (200, order)
    assert list(found["state"]) == [*(f"pool {name}" for name in own), *marks]
    del found["state"]
    assert found == {"app": app, "root": root, "path": path, "base": "http://shop.example/"}
    dependency = ["dependency"] if app == "outer" else []
    assert log == [f"{name} in" for name in own] + dependency


@pytest.mark.parametrize(
    ("path", "by", "status", "order"),
    [
        ("/sub/state", "outer", 403, None),
        ("/sub/state", "inner", 403, INNER),
        ("/sub/state", "deep", 200, "inner(inner>inner)" + INNER),
        ("/sub/deep/state", "outer", 403, None),
        ("/sub/deep/state", "inner", 403, INNER),
        ("/sub/deep/state", "deep", 403, "inner(inner>deep)" + DEEP),
        ("/sub/late", "outer", 403, None),
        ("/sub/docs", "outer", 403, None),
        ("/sub/docs", "inner", 403, INNER),
        ("/sub/openapi.json", "outer", 403, None),
        ("/sub/deep/o.json", "inner", 403, INNER),
    ],
)
def test_middleware_stops_requests_to_mounted_applications(
    path: str, by: str, status: int, order: str | None
) -> None:
    api = shop([])
    manifest(api, "a:b")
    assert answer(api, path, x_stop=by)[::2] == (status, order)


@pytest.mark.parametrize(
    ("path", "status", "value", "order"),
    [
        ("/sub/tea", 418, {"tea": "inner", "app": "inner"}, "inner(inner>inner)" + INNER),
        ("/tea", 418, {"tea": "outer"}, OUTER),
        ("/sub/http", 404, {"detail": "gone"}, "inner(inner>inner)" + INNER),
        ("/sub/late", 200, "late", "inner(inner>inner)" + INNER),
    ],
)
def test_an_application_handles_its_own_exceptions(
    path: str, status: int, value: Any, order: str
) -> None:
    assert answer(shop([]), path) == (status, value, order)


@pytest.mark.parametrize(("path", "kind"), [("/sub/only", OnlyOuter), ("/sub/deep/tea", Tea)])
def test_the_handlers_of_the_outer_application_do_not_count(path: str, kind: Any) -> None:
    # FastAPI answers 500.
    with pytest.raises(kind):
        answer(shop([]), path)


def lost(api: BoltAPI, asynchronous: bool) -> BoltAPI:
    def told(request: Request, exc: Any) -> Any:
        detail = exc.detail if isinstance(exc, HTTPException) else exc.errors()
        return JSONResponse([api.title, request.app.title, detail], 400)

    async def told_later(request: Request, exc: Any) -> Any:
        await asyncio.sleep(0)
        return told(request, exc)

    for wanted in (404, 405, RequestValidationError):
        api.add_exception_handler(wanted, told_later if asynchronous else told)
    return api


# The application that FastAPI 0.165 asks, by the path; None stands for the default answer.
@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/nowhere", "outer"),
        ("/subway/x", "outer"),
        ("/sub/nowhere", "inner"),
        ("/s%75b/nowhere", "inner"),
        ("/sub/", "inner"),
        ("/sub/deep/nowhere", None),
        ("/sub/deepest/x", "inner"),
        ("/tenants/5/x", "tenant"),
        ("/tenants//x", "outer"),
        ("/tenants/5/6/x", "tenant"),
        ("/sub/own/x", "outer"),
        ("/sub/own/x/y", "inner"),
        ("/sub/deep/rest/x/y", "outer"),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_application_of_the_path_handles_what_the_host_refuses(
    path: str, asked: str | None, asynchronous: bool
) -> None:
    outer, inner = lost(BoltAPI("outer"), False), lost(BoltAPI("inner"), asynchronous)
    inner.mount("/deep", BoltAPI("deep"))
    outer.mount("/sub", inner)
    outer.mount("/tenants/{id}", lost(BoltAPI("tenant"), False))
    outer.get("/sub/own/{n}")(lambda n: n)
    outer.get("/sub/deep/rest/{n:path}")(lambda n: n)
    handlers = host_error_handlers(outer)
    assert [one.status_code for one in handlers] == [404, 405, 422]
    assert manifest(outer, "a:b")["refusals"] == [
        {"status": status, "async": asynchronous} for status in (404, 405, 422)
    ]
    for one, error in zip(
        handlers, ("Not Found", "Method Not Allowed", [{"type": "x"}]), strict=True
    ):
        result = one.invoke((error, wire(path)))
        assert inspect.iscoroutine(result) == one.is_async == asynchronous
        if asynchronous:
            result = asyncio.run(result)
        if asked is None:
            assert (result.status_code, result.data) == (one.status_code, {"detail": error})
        else:
            assert (result.status_code, result.data) == (400, [asked, asked, error])


def test_without_a_handler_the_host_asks_nobody() -> None:
    outer = BoltAPI()
    outer.mount("/sub", BoltAPI())
    assert host_error_handlers(outer) == []


@pytest.mark.parametrize(
    ("body", "kind", "wanted"),
    [
        (b'{"x": "z"}', JSON_TYPE, {"x": "z"}),
        (b"[1]", JSON_TYPE + "; charset=utf-8", [1]),
        (b"null", JSON_TYPE, None),
        (b"{bad", JSON_TYPE, "{bad"),
        (b'{"x":1}', "application/vnd+json", {"x": 1}),
        (b'{"x":1}', None, b'{"x":1}'),
        (b"abc", "text/plain", b"abc"),
        (b"", JSON_TYPE, None),
        (b"", None, None),
    ],
)
def test_a_validation_error_has_the_body(body: bytes, kind: str | None, wanted: Any) -> None:
    api = BoltAPI()
    seen: list[Any] = []
    api.add_exception_handler(
        RequestValidationError, lambda request, exc: seen.append((exc.body, exc.errors()))
    )
    (refusal,) = host_error_handlers(api)
    headers = [("content-type", kind)] if kind else []
    refusal.invoke(([1], wire("/", headers, body)))
    assert seen == [(wanted, [1])]


def test_a_form_is_told_with_repeated_keys() -> None:
    seen: list[Any] = []
    api = BoltAPI()
    api.add_exception_handler(RequestValidationError, lambda request, exc: seen.append(exc.body))
    (refusal,) = host_error_handlers(api)
    headers = [("Content-Type", "application/x-www-form-urlencoded")]
    refusal.invoke(([], wire("/", headers, b"x=z&y=a&y=b%20c")))
    assert seen[0]["x"] == "z" and seen[0].getlist("y") == ["a", "b c"]


def test_a_validator_of_a_mounted_application_refuses_with_the_body() -> None:
    outer, inner = BoltAPI("outer"), BoltAPI("inner")
    add_routes(inner)
    outer.mount("/sub", inner)
    inner.add_exception_handler(
        RequestValidationError,
        lambda request, exc: [request.app.title, exc.body, exc.errors()[0]["loc"]],
    )
    (route,) = (one for one in outer.routes if one.method == "POST")
    sent = wire("/sub/item", [("content-type", JSON_TYPE)], b'{"a": 0}')
    assert route.invoke(((0,), sent)) == ["inner", {"a": 0}, ["body", "a"]]
    error = RequestValidationError([{"type": "x"}], body={"a": 1})
    assert error.body == {"a": 1} and RequestValidationError().body is None


def test_an_application_is_not_inside_of_itself() -> None:
    outer, inner, deep = BoltAPI("outer"), BoltAPI("inner"), BoltAPI("deep")
    outer.mount("/inner", inner)
    inner.mount("/deep", deep)
    for one, other in ((outer, outer), (inner, outer), (deep, outer), (deep, inner)):
        with pytest.raises(ValueError, match="inside of itself"):
            one.mount("/x", other)
    with pytest.raises(ValueError, match="'/shop', not 'x'"):
        outer.mount("x", BoltAPI())


def test_a_late_route_is_refused_where_it_is_declared() -> None:
    outer, inner = BoltAPI("outer"), BoltAPI("inner")
    outer.get("/sub/x")(lambda: 1)
    outer.mount("/sub", inner)
    with pytest.raises(BuildError, match="already served"):

        @inner.get("/x")
        def late() -> Any: ...


def test_the_isolation_of_the_outer_application_holds_where_none_is_asked_for() -> None:
    async def foreign(scope: Any, receive: Any, send: Any) -> None: ...

    plain, own = BoltAPI(openapi_url=None), BoltAPI(isolation="serial", openapi_url=None)
    for inner in (plain, own):
        inner.get("/late", isolation="concurrent")(lambda: 1)
        inner.get("/")(lambda: 1)
    outer = BoltAPI(isolation="fresh", max_requests=7, openapi_url=None)
    outer.mount("/plain", plain)
    outer.mount("/own", own)
    outer.mount("/foreign", foreign, "asgi")
    outer.mount("/asking", ASGIApp(foreign, isolation="serial", max_concurrency=3))
    told = {
        route["path"]: (route["isolation"], route["max_concurrency"], route["max_requests"])
        for route in manifest(outer, "app:outer")["routes"]
    }
    assert told == {
        "/plain/late": ("concurrent", None, 7),
        "/plain/": ("fresh", None, 7),
        "/own/late": ("concurrent", None, 7),
        "/own/": ("serial", None, 7),
        "/foreign/{path:path}": ("fresh", None, 7),
        "/asking/{path:path}": ("serial", 3, 7),
    }
    with pytest.raises(ValueError, match="isolation is one of"):
        ASGIApp(foreign, isolation="none")  # type: ignore[arg-type]


def test_an_application_may_be_mounted_twice() -> None:
    outer, inner = BoltAPI("outer"), BoltAPI("inner")
    outer.mount("/a", inner)
    outer.mount("/b", inner)

    @inner.get("/x")
    def late(n: Annotated[int, Body()] = 1) -> Any: ...

    assert [route.path for route in outer.routes] == ["/a/x", "/b/x"]
    assert [route.path for route in inner.routes] == ["/x"]
