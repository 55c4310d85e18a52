"""Endpoints of WebSockets that sleep: declarations, the manifest, and what a message may be."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import pytest

from bolt import (
    APIView,
    BoltAPI,
    Depends,
    Field,
    Header,
    Request,
    Router,
    SleepingSocket,
    Struct,
    UploadFile,
    WebSocket,
    WebSocketEndpoint,
    WebSocketException,
    field_validator,
)
from bolt._app.manifest import manifest
from bolt._dependencies.params import declared
from bolt._errors import Unsupported
from bolt._openapi.document import openapi
from bolt._runtime.warmup_samples import warmup_call
from bolt._websockets.incoming import compile_message, message_type
from bolt.exceptions import BuildError


class Whole(WebSocketEndpoint):
    async def on_connect(self, socket: SleepingSocket, n: int, x_a: str = Header()) -> None:
        """Talk."""

    def on_message(self, socket: SleepingSocket, message: str) -> None: ...

    async def on_disconnect(self, socket: SleepingSocket, code: int, reason: str) -> None: ...


class Quiet(WebSocketEndpoint):
    """No handler of its own."""

    def on_disconnect(self, socket) -> None: ...


# Declarations.


def test_the_manifest():
    api, inner, router = BoltAPI(), BoltAPI(), Router("/router")
    api.get("/")(lambda: 1)
    api.websocket("/{n}", origins=["*"], isolation="fresh")(Whole)
    router.websocket_route("/a", "named")(Quiet)
    api.include_router(router)
    inner.add_api_websocket_route("/b", Quiet)
    api.mount("/inner", inner)
    api.exception_handler(404)(lambda request, exc: 1)
    told = manifest(api, "app:api")
    whole, quiet = told["routes"][1:3]
    assert [one["status"] for one in told["refusals"]] == [404]
    assert told["sleepers"] == [
        {"route": 1, "event": "message", "async": False},
        {"route": 1, "event": "disconnect", "async": True},
        {"route": 2, "event": "disconnect", "async": False},
        {"route": 3, "event": "disconnect", "async": False},
    ]
    assert [told["routes"][at]["path"] for at in (2, 3)] == ["/router/a", "/inner/b"]
    assert (whole["method"], whole["name"], whole["doc"]) == ("WEBSOCKET", "Whole", "Talk.")
    assert whole["async"] and whole["isolation"] == "fresh" and whole["origins"] == ["*"]
    assert [param["in"] for param in whole["params"]] == ["path", "header", "request"]
    assert (quiet["name"], quiet["doc"]) == ("named", "")
    assert quiet["file"] == "test_sleeping_routes.py" and quiet["line"] > whole["line"] > 0
    assert list(openapi(api)["paths"]) == ["/"]
    assert [route for route in api.routes if route.is_socket and warmup_call(route)] == []
    assert manifest(BoltAPI(), "app:api")["sleepers"] == []


def test_what_makes_all_handlers_async():
    async def lifespan(app: BoltAPI) -> Any:
        yield

    async def handler(socket: SleepingSocket, exc: KeyError) -> None: ...

    for api in (BoltAPI(lifespan=lifespan), BoltAPI(exception_handlers={KeyError: handler})):
        api.websocket("/")(Quiet)
        assert manifest(api, "app:api")["sleepers"][0]["async"]


def test_a_mixin():
    class Mixin:
        def on_message(self, socket: SleepingSocket, message: str) -> None: ...

    class Both(Mixin, WebSocketEndpoint): ...

    api = BoltAPI()
    assert api.websocket("/")(Both) is Both
    assert [one["event"] for one in manifest(api, "app:api")["sleepers"]] == ["message"]


def connect(function: Callable[..., Any]) -> type:
    return type("Endpoint", (WebSocketEndpoint,), {"on_connect": function})


def message(function: Callable[..., Any]) -> type:
    return type("Endpoint", (WebSocketEndpoint,), {"on_message": function})


def end(function: Callable[..., Any]) -> type:
    return type("Endpoint", (WebSocketEndpoint,), {"on_disconnect": function})


class Plain:
    def on_message(self, socket: SleepingSocket, message: str) -> None: ...


class Starlette(WebSocketEndpoint):
    async def on_receive(self, websocket: Any, data: Any) -> None: ...


class Encoding(Quiet):
    encoding = "json"


class Empty(WebSocketEndpoint): ...


class WithConstructor(Quiet):
    def __init__(self, name: str) -> None: ...


class Static(WebSocketEndpoint):
    @staticmethod
    def on_message(socket: SleepingSocket, message: str) -> None: ...


async def items(self: Any, socket: SleepingSocket, message: str) -> Any:
    yield


async def yields(self: Any, socket: SleepingSocket) -> Any:
    yield


def alone(self: Any, socket: SleepingSocket) -> None: ...


def more(self: Any, socket: SleepingSocket, message: str, user: str = Depends(alone)) -> None: ...


def keyword(self: Any, socket: SleepingSocket, *, message: str) -> None: ...


def old(self: Any, socket: WebSocket, message: str) -> None: ...


def with_request(self: Any, request: Request) -> None: ...


def with_old(self: Any, socket: WebSocket) -> None: ...


def with_body(self: Any, socket: SleepingSocket, item: dict[str, int]) -> None: ...


def both(self: Any, socket: SleepingSocket, message: str | dict[str, int]) -> None: ...


def upload(self: Any, socket: SleepingSocket, message: list[UploadFile]) -> None: ...


def unknown(self: Any, socket: SleepingSocket, message: complex) -> None: ...


def four(self: Any, socket: SleepingSocket, code: int, reason: str, n: int = 1) -> None: ...


def limited(self: Any, socket: SleepingSocket, message: Annotated[str, Field(gt=1)]) -> None: ...


@pytest.mark.parametrize(
    ("cls", "error"),
    [
        (Plain, "Plain is a class: let it inherit from WebSocketEndpoint"),
        (WebSocketEndpoint, "let it inherit from WebSocketEndpoint"),
        (APIView, "let it inherit from WebSocketEndpoint"),
        (Starlette, "on_receive is called on_message here"),
        (Encoding, "no use for `encoding`"),
        (Empty, "none of the methods on_connect, on_message, on_disconnect"),
        (WithConstructor, "its constructor takes nothing"),
        (Static, "it takes `self`"),
        (message(items), "yields nothing"),
        (connect(yields), "on_connect is a `def` or an `async def` that yields nothing"),
        (message(alone), "on_message takes the socket and the message, and nothing else"),
        (message(more), "so `on_connect` puts what it needs from them into the attachment"),
        (message(keyword), "on_message takes the socket and the message"),
        (end(four), "on_disconnect takes the socket, the code and the reason"),
        (message(old), "'socket': the socket of an endpoint is a SleepingSocket"),
        (message(both), "'message': str and bytes are a message as it came"),
        (message(upload), "a message has no upload"),
        (message(unknown), "'message': the annotation complex is not supported"),
        (message(limited), "gt cannot be asked of the type 'str'"),
        (connect(with_request), "has a SleepingSocket and no Request"),
        (connect(with_old), "has a SleepingSocket and no WebSocket"),
        (connect(with_body), "'item' is read from the body"),
    ],
)
def test_endpoints_that_cannot_be(cls: type, error: str):
    for owner in (BoltAPI(), Router()):
        with pytest.raises(BuildError, match=re.escape(error)):
            owner.websocket("/")(cls)
            # What depends on records is found when all are defined.
            assert isinstance(owner, BoltAPI)
            owner.finish()
        if "upload" in error:
            break


def test_what_belongs_to_endpoints_only():
    async def handler(socket: SleepingSocket) -> None: ...

    for declare in (BoltAPI().get("/"), BoltAPI().websocket("/")):
        with pytest.raises(BuildError, match="only a WebSocketEndpoint has a SleepingSocket"):
            declare(handler)
    with pytest.raises(BuildError, match="no option status_code"):
        BoltAPI().websocket("/", status_code=200)(Quiet)  # type: ignore[call-arg]
    with pytest.raises(BuildError, match=r"handler Plain, test_sleeping_routes\.py:[1-9]"):
        BoltAPI().websocket("/x")(Plain)


# Messages.


class Color(Enum):
    RED = "red"


class Point(Struct, forbid_unknown=True):
    x: int
    y: Annotated[float, Field(ge=0)] = 1.5
    tags: set[str] = set()


class Named(Struct):
    name: str = Field(alias="Name")

    @field_validator("name")
    def check(cls, name: str) -> str:
        if name == "bad":
            raise ValueError("a bad name")
        return name.upper()


@dataclass
class Tree:
    children: list["Tree"]
    color: Color = Color.RED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tree) and self.children == other.children


class Cat(Struct, tag="cat"):
    lives: int


class Dog(Struct, tag="dog"):
    lives: int


class Pair(NamedTuple):
    a: int
    b: str = "b"


class Loose(TypedDict, total=False):
    a: date


def reader(annotation: Any) -> Callable[[str | bytes], Any]:
    def on_message(socket: SleepingSocket, message: Any) -> None: ...

    on_message.__annotations__["message"] = annotation
    return compile_message(message_type(declared(on_message)[1]))


def test_messages_as_they_came():
    assert reader(str)("a") == "a" and reader(bytes)(b"a") == b"a"
    either = reader(bytes | str)
    assert either("a") == "a" and either(b"\xff") == b"\xff"
    short = reader(Annotated[str, Field(max_length=3)])
    assert short("abc") == "abc"
    for read, data, said in (
        (reader(str), b"a", "1003: a text message was expected"),
        (reader(bytes), "a", "1003: a binary message was expected"),
        (short, "abcd", "1008: message is not of a length of at most 3"),
    ):
        with pytest.raises(WebSocketException) as raised:
            read(data)
        assert str(raised.value) == said


MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
NUMBER = UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("annotation", "sent", "found"),
    [
        (dict, {"a": [1, None]}, {"a": [1, None]}),
        (dict[str, Any], {"a": 1}, {"a": 1}),
        (list[int], ["1", 2.0, 3], [1, 2, 3]),
        (Any, 5, 5),
        (int | None, None, None),
        (float, 1, 1.0),
        (bool, "yes", True),
        (Decimal, "1.50", Decimal("1.50")),
        (datetime, "2026-01-02T03:04:05.000006Z", MOMENT),
        (datetime, "2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5)),
        (date, "2026-01-02", date(2026, 1, 2)),
        (UUID, str(NUMBER), NUMBER),
        (Literal["a", 1], 1, 1),
        (Color, "red", Color.RED),
        (dict[date, Color], {"2026-01-02": "red"}, {date(2026, 1, 2): Color.RED}),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[int, ...], [1, 2], (1, 2)),
        (set[int], [1, 1, 2], {1, 2}),
        (list[bytes], ["ä"], ["ä".encode()]),
        (Point, {"x": 1}, Point(x=1, y=1.5, tags=set())),
        (Point, {"x": "1", "y": 2, "tags": ["a", "a"]}, Point(x=1, y=2.0, tags={"a"})),
        (Named, {"Name": "ann"}, Named(name="ANN")),
        (Tree, {"children": [{"children": []}]}, Tree([Tree([])])),
        (Cat | Dog, {"type": "dog", "lives": 1}, Dog(lives=1)),
        (Cat, {"lives": 1}, Cat(lives=1)),
        (Point | date, "2026-01-02", date(2026, 1, 2)),
        (int | list[int], [1], [1]),
        (Pair, [1], Pair(1)),
        (Pair, {"a": 1, "b": "c"}, Pair(1, "c")),
        (Loose, {"a": "2026-01-02"}, {"a": date(2026, 1, 2)}),
        (Loose, {}, {}),
    ],
)
def test_json_that_fits(annotation: Any, sent: Any, found: Any):
    for data in (json.dumps(sent), json.dumps(sent).encode()):
        made = reader(annotation)(data)
        assert made == found and type(made) is type(found)


@pytest.mark.parametrize(
    ("annotation", "sent", "said"),
    [
        (dict, "", "1007: message is not JSON"),
        (dict, '{"a": NaN}', "1007: message is not JSON"),
        (dict, b"\xff", "1007: message is not JSON"),
        (dict, "[" * 100_000, "1007: message is not JSON"),
        (dict, "[]", "1008: message is not an object"),
        (list[int], '[1, "x"]', "1008: message[1] is not an integer"),
        (list[int], "{}", "1008: message is not a list"),
        (Annotated[list[int], Field(max_length=1)], "[1, 2]", "1008: message is not of a length"),
        (set[str], "[[1]]", "1008: message[0] is not a text"),
        (tuple[int, int], "[1]", "1008: message is not a list of 2"),
        (Literal["a"], '"b"', "1008: message is not one of ['a']"),
        (Color, '"blue"', "1008: message is not one of ['red']"),
        (datetime, '"soon"', "1008: message is not a date with a time"),
        (UUID, "5", "1008: message is not a UUID"),
        (Decimal, '"x"', "1008: message is not a decimal number"),
        (Point, "5", "1008: message is not an object"),
        (Point, "{}", "1008: message.x is missing"),
        (Point, '{"x": 1, "y": -1}', "1008: message.y is not at least 0"),
        (Point, '{"x": 1, "z": -1}', "1008: message.z is not expected"),
        (Tree, '{"children": [{"children": 5}]}', "1008: message.children[0].children is not a l"),
        (Named, '{"Name": "bad"}', "1008: message.Name: Value error, a bad name"),
        (list[Named], '[{"Name": "bad"}]', "1008: message[0].Name: Value error, a bad name"),
        (Cat | Dog, '{"type": "cow"}', "1008: message is none of the types that it may have"),
        (Cat | Dog, '{"lives": 1}', "1008: message is none of the types that it may have"),
        (Pair, '[1, "b", 3]', "1008: message has more than 2 items"),
    ],
)
def test_json_that_does_not_fit(annotation: Any, sent: str | bytes, said: str):
    with pytest.raises(WebSocketException) as raised:
        reader(annotation)(sent)
    assert str(raised.value).startswith(said)


def test_a_constructor_that_fails_by_itself():
    class Broken(Struct):
        n: int

        @field_validator("n")
        def check(cls, n: int) -> int:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        reader(Broken)('{"n": 1}')


def test_types_that_a_message_cannot_have():
    for annotation in (str | int, bytes | None, Annotated[str, "x"] | dict[str, int]):
        with pytest.raises(Unsupported, match="cannot be both"):
            reader(annotation)
