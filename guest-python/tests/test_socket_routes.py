"""Websocket routes: declarations, dependencies, exception handlers, and what the host is told."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from socketfake import SocketHost, socket_host

from bolt import (
    APIView,
    BoltAPI,
    Cookie,
    Depends,
    Form,
    HTTPException,
    PlainText,
    Query,
    Request,
    Response,
    Router,
    Struct,
    UploadFile,
    WebSocket,
    WebSocketException,
    field_validator,
)
from bolt._app.manifest import manifest
from bolt._openapi.document import openapi
from bolt._runtime.warmup_samples import warmup_call
from bolt.exceptions import BuildError, WebSocketRequestValidationError
from bolt.requests import HTTPConnection
from bolt.security import HTTPAuthorizationCredentials, HTTPBearer


@pytest.fixture
def host(monkeypatch):
    yield from socket_host(monkeypatch)


async def accepts(websocket: WebSocket) -> None:
    await websocket.accept()


def paths(api: BoltAPI) -> list[tuple[str, str]]:
    return [(route.method, route.path) for route in api.routes]


# Declarations.


def test_routes_of_all_kinds():
    api, inner = BoltAPI(), BoltAPI()
    outer, router = Router("/outer"), Router("/router")

    class View(APIView):
        async def get(self) -> None: ...

        async def websocket(self, websocket: WebSocket) -> None: ...

    api.websocket("/a")(accepts)
    api.get("/a")(lambda: 1)
    api.websocket_route("/b", "named")(accepts)
    api.add_websocket_route("/c", accepts)
    api.add_api_websocket_route("/d", accepts, name="d", origins=["*"])
    router.websocket("/e")(accepts)
    outer.include_router(router)
    api.include_router(outer, "/prefix", tags=["x"])
    inner.websocket("/f")(accepts)
    api.mount("/inner", inner)
    api.view("/view")(View)
    assert paths(api) == [
        *(("WEBSOCKET", "/a"), ("GET", "/a"), ("WEBSOCKET", "/b"), ("WEBSOCKET", "/c")),
        *(("WEBSOCKET", "/d"), ("WEBSOCKET", "/prefix/outer/router/e"), ("WEBSOCKET", "/inner/f")),
        *(("GET", "/view"), ("WEBSOCKET", "/view")),
    ]
    assert [route.name for route in api.routes[2:5]] == ["named", "accepts", "d"]
    assert api.url_path_for("named") == "/b"
    assert list(openapi(api)["paths"]) == ["/a", "/view"]
    assert [route for route in api.routes if route.is_socket and warmup_call(route)] == []


def test_the_manifest():
    api = BoltAPI()

    @api.websocket("/chat/{room}", origins=["https://*.example.com", "*"], max_concurrency=7)
    async def chat(
        websocket: WebSocket, room: int, last: int = 0, session: Annotated[str, Cookie()] = ""
    ) -> None:
        """Talk.

        And more.
        """

    api.websocket("/plain")(accepts)
    told, plain = manifest(api, "app:api")["routes"]
    assert told | {"line": 0, "file": ""} == {
        **{"id": 0, "method": "WEBSOCKET", "path": "/chat/{room}", "name": "chat"},
        **{"file": "", "line": 0, "async": True, "handler_is_async": True, "isolation": None},
        **{"max_concurrency": 7, "max_requests": None, "status": 101, "doc": "Talk."},
        "params": [
            {
                **{"name": "room", "in": "path", "alias": "room", "required": True},
                "type": {"t": "int"},
            },
            {
                **{"name": "last", "in": "query", "alias": "last", "required": False},
                **{"type": {"t": "int"}, "default": 0},
            },
            {
                **{"name": "session", "in": "cookie", "alias": "session", "required": False},
                **{"type": {"t": "str"}, "default": ""},
            },
            {
                **{"name": "request", "in": "request", "alias": "request", "required": True},
                "type": {"t": "request"},
            },
        ],
        "origins": ["https://*.example.com", "*"],
    }
    assert plain["origins"] is None and [one["in"] for one in plain["params"]] == ["request"]


def test_a_path_twice():
    api = BoltAPI()
    api.websocket("/{a}")(accepts)
    with pytest.raises(BuildError, match=re.escape("WEBSOCKET /{b} is already served by accepts")):
        api.websocket("/{b}")(accepts)


def plain(websocket: WebSocket) -> None: ...


async def yields(websocket: WebSocket) -> Any:
    yield


async def with_request(websocket: WebSocket, request: Request) -> None: ...


async def with_bare_request(websocket: WebSocket, request) -> None: ...


async def with_body(websocket: WebSocket, item: dict[str, int]) -> None: ...


async def with_form(websocket: WebSocket, a: str = Form()) -> None: ...


async def with_file(websocket: WebSocket, a: UploadFile) -> None: ...


async def without_path(websocket: WebSocket) -> None: ...


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (plain, "an `async def`"),
        (yields, "an `async def`"),
        (with_request, "'request': a websocket route has a WebSocket and no Request"),
        (with_bare_request, "'request': a websocket route has a WebSocket and no Request"),
        (with_body, "'item' is read from the body"),
        (with_form, "'a' is read from the body"),
        (with_file, "'a' is read from the body"),
    ],
)
def test_handlers_that_cannot_be(handler: Any, error: str):
    for owner in (BoltAPI(), Router()):
        with pytest.raises(BuildError, match=re.escape(error)) as raised:
            owner.websocket("/")(handler)
        assert "test_socket_routes.py" in str(raised.value)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"status_code": 200}, "no option status_code"),
        ({"isolation": "x"}, "isolation"),
        ({"origins": "https://a.example"}, "is a list"),
        ({"origins": [5]}, "5 is no origin"),
        ({"origins": ["a.example"]}, "no origin"),
        ({"origins": ["https://a.example/"]}, "no origin"),
        ({"origins": ["https://A.example"]}, "no origin"),
        ({"origins": ["https://*"]}, "no origin"),
        ({"origins": ["https://a.*.example"]}, "no origin"),
    ],
)
def test_options_that_cannot_be(options: Any, error: str):
    with pytest.raises(BuildError, match=error):
        BoltAPI().websocket("/", **options)(accepts)


def test_origins_of_all_kinds():
    origins = [
        *("*", "http://localhost:3000", "https://*.example.com:8443", "http://[::1]:80"),
        *("https://xn--bcher-kva.example", "chrome-extension://abc", "http://127.0.0.1"),
    ]
    api = BoltAPI()
    api.websocket("/", origins=origins)(accepts)
    assert manifest(api, "app:api")["routes"][0]["origins"] == origins


def test_a_websocket_belongs_to_its_routes():
    with pytest.raises(BuildError, match="only a websocket route has a WebSocket"):
        BoltAPI().get("/")(accepts)
    with pytest.raises(ValueError, match="declared with `websocket"):
        BoltAPI().api_route("/", methods=["websocket"])(accepts)
    api = BoltAPI()
    api.get("/")(lambda websocket: websocket)
    assert api.routes[0].invoke(("text",)) == "text"


# The connection.


def test_what_a_websocket_knows(host: SocketHost):
    seen: list[Any] = []

    @host.api.websocket("/a/{n}", name="one")
    async def handler(websocket: WebSocket, n: int) -> None:
        seen.append(websocket)
        assert n == 5

    host.api.get("/page/{n}", name="page")(lambda n: n)
    headers = [("host", "a.example"), ("cookie", "q=1"), ("X-A", "b")]
    host.call("/a/{n}", 5, scheme="https", query="x=1&y=%C3%A4", headers=headers, path={"n": "5"})
    (one,) = seen
    assert str(one.url) == "wss://a.example/a/{n}?x=1&y=%C3%A4"
    assert str(one.base_url) == "wss://a.example/" and one.client == ("::1", 5)
    assert one.headers["x-a"] == "b" and one.cookies == {"q": "1"}
    assert dict(one.query_params) == {"x": "1", "y": "ä"} and one.path_params == {"n": "5"}
    assert one.app is host.api
    assert str(one.url_for("one", n=1)) == "wss://a.example/a/1"
    assert str(one.url_for("page", n=1)) == "https://a.example/page/1"
    scope = one.scope
    assert (scope["type"], scope["scheme"]) == ("websocket", "wss")
    assert "method" not in scope and "websocket.http.response" in scope["extensions"]
    wire = ("GET", "http", "/", "", [("host", "b")], None, {}, b"", "")
    assert str(Request(wire, host.api).url_for("one", n=1)) == "ws://b/a/1"


def test_a_handler_without_annotations(host: SocketHost):
    @host.api.websocket_route("/")
    async def handler(websocket):
        await websocket.accept()

    assert host.call("/")[0] == 101


def test_lifespans_and_state(host: SocketHost):
    async def lifespan(app: BoltAPI) -> Any:
        yield {"shared": 5}

    host.api = BoltAPI(lifespan=lifespan)
    seen: list[Any] = []

    async def user(connection: HTTPConnection) -> str:
        connection.user = "ann"
        return "ann"

    @host.api.websocket("/", dependencies=[Depends(user)])
    async def handler(websocket: WebSocket) -> None:
        seen.extend([websocket.state.shared, websocket.user])
        await websocket.accept()

    assert host.call("/")[0] == 101
    assert seen == [5, "ann"]


# Dependencies.


def events_of(events: list[str], *, fails: BaseException | None = None) -> Any:
    async def dependency(websocket: WebSocket) -> Any:
        events.append("enter")
        try:
            yield "value"
        except BaseException as exc:
            events.append(repr(exc))
            raise
        finally:
            events.append(f"exit {websocket.application_state.name}")
        if fails is not None:
            raise fails

    return dependency


def test_dependencies_of_all_kinds(host: SocketHost):
    seen: list[Any] = []

    def path_of(connection: HTTPConnection) -> str:
        return connection.url.path

    async def address(socket: WebSocket, path: Annotated[str, Depends(path_of)]) -> str:
        return f"{socket.url.scheme} {path}"

    async def token(
        found: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    ) -> str:
        return found.credentials

    def headers(response: Response) -> None:
        response.headers["x-a"] = "b"

    @host.api.websocket("/", dependencies=[Depends(headers)])
    async def handler(
        websocket: WebSocket,
        where: Annotated[str, Depends(address)],
        who: Annotated[str, Depends(token)],
        n: int = 3,
    ) -> None:
        await websocket.accept()
        await websocket.send_text(f"{where} {who} {n}")

    route = host.api.routes[0]
    host.call("/", 4, headers=[("authorization", "Bearer abc")])
    assert [param.name for param in route.params] == ["n", "request"]
    assert host.calls[2] == "text ws / abc 4" and seen == []
    assert host.call("/", 4, request=2)[0] == 401


def test_dependencies_of_routers_and_applications(host: SocketHost):
    seen: list[str] = []
    host.api = BoltAPI(dependencies=[Depends(lambda: seen.append("app"))])
    router = Router(dependencies=[Depends(lambda: seen.append("router"))])
    router.websocket("/", dependencies=[Depends(lambda: seen.append("route"))])(accepts)
    host.api.include_router(router, dependencies=[Depends(lambda: seen.append("include"))])
    assert host.call("/")[0] == 101 and seen == ["app", "include", "router", "route"]


def test_overrides_apply(host: SocketHost):
    def real() -> str:
        raise AssertionError

    @host.api.websocket("/")
    async def handler(websocket: WebSocket, name: str = Depends(real)) -> None:
        await websocket.accept(subprotocol=name)

    host.api.dependency_overrides[real] = lambda: "other"
    assert host.call("/", headers=[("sec-websocket-protocol", "other")])[1] == "other"


def test_a_dependency_is_left_before_the_end(host: SocketHost):
    events: list[str] = []

    async def manager(websocket: WebSocket) -> Any:
        await websocket.accept()
        yield
        await websocket.send_text("bye")
        await websocket.close(4000)

    @host.api.websocket("/")
    async def handler(a: str = Depends(events_of(events)), b: str = Depends(manager)) -> None:
        events.append("handler")

    host.call("/")
    assert events == ["enter", "handler", "exit DISCONNECTED"]
    assert host.calls[2:] == ["text bye", "linger begins", "close 4000", "linger ends"]


@pytest.mark.parametrize(
    ("exc", "close"),
    [
        (ValueError("x"), "close 1011"),
        (WebSocketException(4001, "why"), "close 4001 why"),
    ],
)
def test_a_dependency_sees_the_exception(host: SocketHost, exc: BaseException, close: str):
    events: list[str] = []

    @host.api.websocket("/")
    async def handler(websocket: WebSocket, a: str = Depends(events_of(events))) -> None:
        await websocket.accept()
        raise exc

    host.call("/")
    assert events == ["enter", repr(exc), "exit CONNECTED"] and host.calls[2:] == [close]


def test_a_dependency_that_fails_at_its_end(host: SocketHost):
    events: list[str] = []

    @host.api.websocket("/")
    async def handler(
        websocket: WebSocket,
        a: str = Depends(events_of(events)),
        b: str = Depends(events_of(events, fails=WebSocketException(4002))),
    ) -> None:
        await websocket.accept()

    host.call("/")
    assert events[:3] == ["enter", "enter", "exit CONNECTED"]
    assert events[3] == "WebSocketException(code=4002, reason='')"
    assert host.calls[2:] == ["close 4002"] and host.complaints == []


def test_a_dependency_refuses(host: SocketHost):
    events: list[str] = []

    def refuse() -> None:
        raise HTTPException(401, "no")

    @host.api.websocket("/")
    async def handler(
        websocket: WebSocket, a: str = Depends(events_of(events)), b: None = Depends(refuse)
    ) -> None:
        raise AssertionError

    assert host.call("/") == (401, {"detail": "no"})
    assert events == ["enter", "HTTPException(status_code=401, detail='no')", "exit CONNECTING"]


# Exceptions.


class Named(Struct):
    name: str

    @field_validator("name")
    def check(cls, name: str) -> str:
        if name == "bad":
            raise ValueError("a bad name")
        return name


@dataclass
class Even:
    n: int

    def __post_init__(self) -> None:
        if self.n % 2:
            raise ValueError("odd")


def test_validators_refuse(host: SocketHost):
    @host.api.websocket("/")
    async def handler(websocket: WebSocket, named: Annotated[Named, Query()]) -> None:
        await websocket.accept()

    assert host.call("/", ("good",))[0] == 101
    assert host.call("/", ("bad",), request=2)[0] == 403

    errors: list[Any] = []

    @host.api.exception_handler(WebSocketRequestValidationError)
    async def invalid(websocket: WebSocket, exc: WebSocketRequestValidationError) -> None:
        errors.extend(exc.errors())
        await websocket.close(1008)

    assert host.call("/", ("bad",), request=3)[0] == 403
    assert errors[0]["loc"] == ["query", "name"] or errors[0]["loc"] == ("query", "name")
    assert "a bad name" in errors[0]["msg"] and host.complaints == []


def test_a_record_that_the_handler_makes(host: SocketHost):
    @host.api.websocket("/")
    async def handler(websocket: WebSocket, even: Annotated[Even, Query()]) -> None:
        await websocket.accept()
        Even(3)

    host.call("/", (2,))
    assert host.calls[-1] == "close 1011" and "odd" in host.complaints[0]


class Mine(Exception):
    pass


def test_exception_handlers(host: SocketHost):
    seen: list[str] = []

    @host.api.exception_handler(WebSocketException)
    async def closing(websocket: WebSocket, exc: WebSocketException) -> None:
        seen.append(f"{exc}")
        await websocket.close(4999)

    @host.api.exception_handler(Mine)
    def answering(websocket: WebSocket, exc: Mine) -> Response:
        return PlainText("mine", 418)

    @host.api.exception_handler(Exception)
    def never(websocket: WebSocket, exc: Exception) -> Response:
        raise AssertionError

    @host.api.websocket("/{kind}")
    async def handler(websocket: WebSocket, kind: str, early: bool) -> None:
        if not early:
            await websocket.accept()
        raise {"closing": WebSocketException(4001, "a"), "mine": Mine(), "key": KeyError()}[kind]

    expected = [
        ("closing", False, "close 4999"),
        ("closing", True, "reply 403"),
        ("mine", True, "reply 418"),
        ("mine", False, "close 1011"),
        ("key", False, "close 1011"),
        ("key", True, "reply 500"),
    ]
    for number, (kind, early, last) in enumerate(expected, 1):
        host.calls.clear()
        host.call("/{kind}", kind, early, request=number)
        assert [call for call in host.calls if "linger" not in call][-1] == last, kind
    assert seen == ["4001: a", "4001: a"]
    assert "websocket.http.response.start" in host.complaints[0]
    assert ["KeyError\n" in said for said in host.complaints] == [False, True, True]
