"""The compiled call of a handler, and the manifest."""

import inspect
import json
import sys
from datetime import date
from typing import Any

import app_example
import pytest
from app_example import Address, Color, Event, Node, User, api

from bolt import BoltAPI, Struct
from bolt._app.manifest import manifest
from bolt._routing.route import Route
from bolt._serialization.serialize import RECORDS
from bolt.exceptions import BuildError


def route_of(handler: Any, path: str = "/") -> Route:
    app = BoltAPI()
    app.post(path)(handler)
    app.finish()
    return app.routes[0]


def named(name: str) -> Route:
    return next(route for route in api.routes if route.name == name)


def finished(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing, without an event loop."""
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    return stop.value.value


class Inner(Struct):
    a: int


class Outer(Struct):
    inner: Inner
    name: str = "n"


def test_plain_arguments_are_handed_on_as_they_are():
    def handler(a: int, b: str = "x"): ...

    lines = route_of(handler, "/{a}").source.splitlines()
    assert len(lines) == 3
    assert lines[1].strip().endswith("= wire")
    assert lines[2].strip().startswith("return K")
    assert "if" not in " ".join(lines) and "..." not in " ".join(lines)


def test_no_parameters():
    assert route_of(lambda: 5).invoke(()) == 5


def test_a_nested_record_is_built_without_calls():
    def handler(outer: Outer):
        return outer

    route = route_of(handler)
    assert "..." not in route.source and "_from_wire" not in route.source
    assert route.invoke((((1,), "x"),)) == Outer(inner=Inner(a=1), name="x")


def test_compiled_on_first_use():
    app = BoltAPI()
    app.get("/{a}")(lambda a: a)
    assert app.routes[0].source == ""
    assert app.routes[0].invoke(("v",)) == "v"
    assert app.routes[0].source


def test_only_absent_values_take_the_default():
    def handler(a: int, at: date = date(2024, 1, 2), tags: list[str] = ["t"], *, k: Color):  # noqa: B006
        return a, at, tags, k

    invoke = route_of(handler).invoke
    assert invoke((1, ..., ..., 0)) == (1, date(2024, 1, 2), ["t"], Color.RED)
    assert invoke((1, (2020, 1, 1), ["x"], 1)) == (1, date(2020, 1, 1), ["x"], Color.BLUE)
    assert invoke((1, ..., ..., 0))[2] is not invoke((1, ..., ..., 0))[2]


def test_keyword_only_and_positional_only():
    def handler(a: int, /, b: int, *, c: int = 3, at: date | None = None):
        return a, b, c, at

    route = route_of(handler)
    keywords = [argument.keyword for argument in route.plan.root.arguments]
    assert keywords == [False, False, True, True]
    assert route.invoke((1, 2, 3, ...)) == (1, 2, 3, None)
    assert route.invoke((1, 2, 3, (0, (2024, 1, 2)))) == (1, 2, 3, date(2024, 1, 2))
    assert route.invoke((1, 2, 3, (1, None))) == (1, 2, 3, None)


def test_example_routes():
    api.finish()
    assert named("get_user").invoke((5, False))["address"]["city"] == "Oslo"
    wire = (1, "Bo", ("Rome", "00100"), ..., ..., None)
    made = named("create_user").invoke(((1, "Bo", ("Rome", "00100"), 1, ["x"], "b"),))
    assert inspect.iscoroutine(made)
    user = User(
        id=1,
        name="Bo",
        address=Address(city="Rome", zip="00100"),
        color=Color.BLUE,
        tags=["x"],
        nick="b",
    )
    assert finished(made) == user.model_dump(by_alias=True)
    assert finished(named("create_user").invoke((wire,)))["color"] == "red"
    assert named("post_node").invoke(((4, [(5, ...)]),)) == 4
    event = named("post_event").invoke((((2024, 1, 2, 0, 0, 0, 0, None), 5, ...), ...))
    assert event["at"] == "2024-01-02T00:00:00" and event["shown"] == "x"
    assert named("patch_user").invoke((1, ("n", 1), ...)) == {"name": "n", "color": "blue"}
    assert named("get_file").invoke(("a/b", "3")) == "a/b"


def test_errors_in_a_handler_come_through():
    def handler(a: int):
        raise KeyError(a)

    with pytest.raises(KeyError):
        route_of(handler).invoke((1,))


def test_manifest():
    made = manifest(api, "app_example:api")
    assert json.loads(json.dumps(made)) == made
    assert {key: made[key] for key in ("abi", "sdk", "marshal", "app", "title")} == {
        "abi": 4,
        "sdk": "0.1.0",
        "marshal": 4,
        "app": "app_example:api",
        "title": "Example",
    }
    assert made["interpreter"].count(".") == 2
    first = made["routes"][0]
    with open(app_example.__file__) as text:
        wanted = (
            text.read()
            .splitlines()
            .index("def get_user(user_id: int, verbose: bool = False) -> User:")
        )
    assert first == {
        "id": 0,
        "method": "GET",
        "path": "/users/{user_id}",
        "name": "get_user",
        "file": "app_example.py",
        "line": wanted + 1,
        "async": False,
        "handler_is_async": False,
        "isolation": None,
        "max_concurrency": None,
        "max_requests": None,
        "status": 200,
        "doc": "Finds a user by number.",
        "params": [
            {
                "name": "user_id",
                "in": "path",
                "alias": "user_id",
                "type": {"t": "int"},
                "required": True,
            },
            {
                "name": "verbose",
                "in": "query",
                "alias": "verbose",
                "type": {"t": "bool"},
                "required": False,
                "default": False,
            },
        ],
    }
    routes = {route["name"]: route for route in made["routes"]}
    assert routes["create_user"]["async"] and routes["create_user"]["status"] == 201
    assert [p["in"] for p in routes["patch_user"]["params"]] == ["path", "body", "query"]
    when = routes["patch_user"]["params"][2]
    assert when["required"] is False and "default" not in when
    assert routes["get_file"]["params"][0]["type"] == {"t": "str"}
    assert routes["get_file"]["params"][1]["default"] == 3


def test_manifest_defs():
    defs = manifest(api, "app_example:api")["defs"]
    assert set(defs) == {f"app_example.{n}" for n in ("User", "Address", "Node", "Event", "Patch")}
    assert {key.split(".")[1]: value["kind"] for key, value in defs.items()} == {
        "User": "struct",
        "Address": "struct",
        "Node": "struct",
        "Event": "dataclass",
        "Patch": "typeddict",
    }
    user = {item["name"]: item for item in defs["app_example.User"]["fields"]}
    assert list(user) == ["id", "name", "address", "color", "tags", "nick"]
    assert user["address"]["type"] == {"t": "ref", "id": "app_example.Address"}
    assert user["id"] == {"name": "id", "type": {"t": "int"}, "required": True}
    assert user["color"]["required"] is False and "default" not in user["color"]
    assert user["tags"]["required"] is False and "default" not in user["tags"]
    assert user["nick"]["default"] is None
    assert defs["app_example.Address"]["fields"][1]["default"] == "0000"
    event = [item["name"] for item in defs["app_example.Event"]["fields"]]
    assert event == ["at", "limit", "notes"]
    node = defs["app_example.Node"]["fields"][1]["type"]
    assert node == {"t": "list", "item": {"t": "ref", "id": "app_example.Node"}}


def test_the_manifest_compiles_what_replies_need():
    RECORDS.pop(Node, None)
    manifest(api, "app_example:api")
    assert all(route.source for route in api.routes)
    assert User in RECORDS and Event in RECORDS


def test_classes_of_the_same_name_get_their_own_ids():
    def make(kind: type) -> type:
        class Local(Struct):
            a: kind  # type: ignore[valid-type]

        return Local

    app = BoltAPI()
    for number, cls in enumerate((make(int), make(str))):

        def handler(x): ...

        handler.__annotations__ = {"x": cls}
        app.post(f"/{number}")(handler)
    defs = manifest(app, "x:y")["defs"]
    assert [value["fields"][0]["type"]["t"] for value in defs.values()] == ["int", "str"]
    assert list(defs) == (names := sorted(defs)) and names[1] == names[0] + "#2"


def test_a_record_may_mention_a_later_one_but_not_none_at_all():
    class Waits(Struct):
        later: "Later"

    app = BoltAPI()

    @app.post("/")
    def handler(w: Waits):
        return w

    with pytest.raises(BuildError, match=r"Later.*handler.*test_route.py"):
        manifest(app, "x:y")
    global Later

    class Later(Struct):
        a: int

    manifest(app, "x:y")
    assert app.routes[0].invoke((((1,),),)).later == Later(a=1)


LAZY = """
from datetime import date
from typing import ClassVar
from bolt import BoltAPI, Struct

api = BoltAPI()

class First(Struct):
    kind: ClassVar[Later] = None
    later: Later
    date: date | None = None

@api.post("/{n}")
def handler(n: int, first: First) -> Nowhere:
    return first

def local():
    class Loop(Struct):
        inner: Loop | None = None

    @api.post("/loop")
    def loop(x: Loop) -> Loop:
        return x

local()

class Later(Struct):
    a: int
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are lazy from 3.14 on")
def test_lazy_annotations():
    scope: dict[str, Any] = {"__name__": "lazy"}
    exec(LAZY, scope)
    app = scope["api"]
    manifest(app, "lazy:api")
    first = app.routes[0].invoke((1, ((5,), (0, (2024, 1, 2)))))
    assert (first.later.a, first.date) == (5, date(2024, 1, 2))
    assert app.routes[1].invoke((((0, (...,)),),)).inner.inner is None
    bad = BoltAPI()
    exec("def wrong(a: int, b: Nowhere): ...", scope)
    with pytest.raises(BuildError, match=r"'b'.*Nowhere"):
        bad.get("/")(scope["wrong"])
