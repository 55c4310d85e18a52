"""Where models of other packages meet what is the SDK's own: records, streams, the build."""

import asyncio
import dataclasses
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest

from bolt import BoltAPI, Query, Request, Struct
from bolt._app.manifest import manifest
from bolt._dependencies.params import declared
from bolt._runtime.warmup_models import warm_up_models
from bolt._runtime.warmup_samples import warmup_call
from bolt._websockets.incoming import compile_message, message_type
from bolt.encoders import jsonable_encoder
from bolt.exceptions import BuildError, RequestValidationError, WebSocketException
from bolt.responses import EventSourceResponse, JSONResponse

pydantic = pytest.importorskip("pydantic")
msgspec = pytest.importorskip("msgspec")

from pydantic import BaseModel, ConfigDict, field_validator  # noqa: E402


class Order(BaseModel):
    item: str
    count: int = 1

    @field_validator("item")
    @classmethod
    def known(cls, value: str) -> str:
        if value == "nothing":
            raise ValueError("there is nothing to order")
        return value


class Own(Struct):
    order: Order
    more: list[Order] = []


@dataclasses.dataclass
class Data:
    order: Order | None = None


class Item(msgspec.Struct):
    name: str


def route_of(handler: Any, method: str = "post", **options: Any) -> Any:
    api = BoltAPI()
    getattr(api, method)("/", **options)(handler)
    manifest(api, "app:api")
    return api.routes[0]


def test_a_field_of_a_struct_or_a_dataclass() -> None:
    def handler(own: Own, data: Data) -> Own:
        assert data.order is not None
        return Own(order=own.order, more=[data.order])

    route = route_of(handler)
    made = route.invoke((({"item": "a"}, ...), ({"item": "b"},)))
    assert made == {
        "order": {"item": "a", "count": 1},
        "more": [{"item": "b", "count": 1}],
    }
    with pytest.raises(RequestValidationError) as caught:
        route.invoke((({"item": "a"}, [{"item": "nothing"}, 5]), ({},)))
    assert [(one["type"], one["loc"]) for one in caught.value.errors()] == [
        ("value_error", ["body", "own", "more", 0, "item"]),
        ("model_attributes_type", ["body", "own", "more", 1]),
        ("missing", ["body", "data", "order", "item"]),
    ]
    assert caught.value.errors()[0]["ctx"] == {"error": {}}


def test_the_host_is_told_of_plain_values() -> None:
    def handler(
        order: Order,
        q: Annotated[Order, Query()],
        sizes: Annotated[list[Annotated[int, pydantic.Field(gt=1)]], Query()],
    ) -> Order: ...

    api = BoltAPI()
    api.post("/")(handler)
    made = manifest(api, "app:api")
    body, query, sizes = made["routes"][0]["params"]
    assert body["type"] == {"t": "any"}
    assert sizes["type"] == {"t": "list", "item": {"t": "any"}}
    assert query["spread"] is True
    fields = made["defs"][query["type"]["id"]]["fields"]
    assert fields == [
        {"name": "item", "type": {"t": "any"}, "required": False},
        {"name": "count", "type": {"t": "any"}, "required": False},
    ]


def test_streamed_items_are_checked_and_encoded() -> None:
    async def lines() -> AsyncIterator[Order]:
        yield Order(item="a")
        yield {"item": "b"}  # type: ignore[misc]

    async def events() -> AsyncIterator[Item]:
        yield Item("a")

    async def sent(route: Any) -> list[str]:
        response = await route.invoke(())
        return [part async for part in response.body_iterator]

    parts = asyncio.run(sent(route_of(lines, "get")))
    assert [json.loads(part) for part in parts] == [
        {"item": "a", "count": 1},
        {"item": "b", "count": 1},
    ]
    parts = asyncio.run(sent(route_of(events, "get", response_class=EventSourceResponse)))
    assert parts == ['data: {"name":"a"}\n\n']


def test_instances_without_a_declared_type() -> None:
    values = {"order": Order(item="a"), "items": [Item("b")]}
    plain = {"order": {"item": "a", "count": 1}, "items": [{"name": "b"}]}
    assert jsonable_encoder(values) == plain
    assert jsonable_encoder(Order(item="a"), exclude_unset=True) == {"item": "a"}
    assert jsonable_encoder(Order(item="a"), include={"count"}) == {"count": 1}
    assert json.loads(JSONResponse(values).body) == plain
    url = pydantic.HttpUrl("http://a.example/")
    assert json.loads(JSONResponse({"url": url}).body) == {"url": "http://a.example/"}


def test_models_may_be_defined_later() -> None:
    class First(BaseModel):
        second: "Later"

    def handler(first: First) -> First:
        return first

    api = BoltAPI()
    api.post("/")(handler)
    Later = type("Later", (BaseModel,), {"__annotations__": {"n": int}, "__module__": __name__})
    First.model_rebuild(_types_namespace={"Later": Later})
    manifest(api, "app:api")
    made = api.routes[0].invoke(({"second": {"n": "5"}},))
    assert json.loads(made.body) == {"second": {"n": 5}}


def test_what_the_package_cannot_check_is_told() -> None:
    def two(value: Order | Item) -> None: ...

    def beside(value: Order | Own) -> None: ...

    def nested(value: Annotated[dict[str, Order], Query()]) -> None: ...

    for handler, words in (
        (two, "holds types of pydantic and of msgspec"),
        (beside, "pydantic cannot check the annotation"),
        (nested, "a query cannot hold"),
    ):
        with pytest.raises(BuildError, match=words):
            route_of(handler)


def test_exception_handlers_see_the_errors() -> None:
    api = BoltAPI()

    @api.exception_handler(RequestValidationError)
    def refused(request: Request, exc: RequestValidationError) -> Any:
        return JSONResponse([one["type"] for one in exc.errors()], 400)

    @api.post("/")
    def handler(order: Order) -> Order:
        return order

    manifest(api, "app:api")
    request = ("POST", "http", "/", "", [], None, {}, b"{}", "")
    answer = api.routes[0].invoke(({}, request))
    assert answer.status_code == 400
    assert json.loads(answer.body) == ["missing"]


def test_own_validation_errors_of_a_handler_are_no_422() -> None:
    def handler(order: Order) -> Order:
        return Order(item="nothing")

    with pytest.raises(pydantic.ValidationError):
        route_of(handler).invoke(({"item": "a"},))


def test_extra_values_are_refused_by_the_host() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        name: str

    def handler(q: Annotated[Strict, Query()]) -> None: ...

    api = BoltAPI()
    api.get("/")(handler)
    made = manifest(api, "app:api")
    assert made["defs"][made["routes"][0]["params"][0]["type"]["id"]]["forbid"] is True


def test_the_warmup_runs_no_code_of_the_app() -> None:
    ran: list[str] = []

    class Noisy(BaseModel):
        item: str = "a"

        @field_validator("item")
        @classmethod
        def heard(cls, value: str) -> str:
            ran.append(value)
            return value

    async def handler(noisy: Noisy) -> Noisy:
        ran.append("handler")
        return noisy

    route = route_of(handler)
    warm = warmup_call(route)
    assert warm is not None
    with warm:
        asyncio.run(route.invoke(warm.wire))
    warm_up_models()
    assert ran == []
    made = asyncio.run(route.invoke(({"item": "b"},)))
    assert json.loads(made.body) == {"item": "b"}
    assert ran == ["b", "handler"]


def test_neither_package_is_imported_for_an_app_without_it() -> None:
    code = (
        "import sys\n"
        "from bolt import BoltAPI, Struct\n"
        "from bolt._app.manifest import manifest\n"
        "from bolt._runtime.warmup_models import warm_up_models\n"
        "class A(Struct):\n    x: int\n"
        "api = BoltAPI()\n"
        "@api.post('/')\ndef f(a: A) -> A: return a\n"
        "manifest(api, 'app:api'); warm_up_models()\n"
        "found = {name.partition('.')[0] for name in sys.modules} & {'pydantic', 'msgspec'}\n"
        "own = {name for name in sys.modules if name.startswith('bolt._adapters.of_')}\n"
        "assert not found and not own and 'bolt._adapters.spread' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_messages_of_a_socket_that_sleeps() -> None:
    def on_message(order: Order, items: list[Item]) -> None: ...

    order, items = (compile_message(message_type(one)) for one in declared(on_message))
    assert order('{"item": "a"}') == Order(item="a")
    assert items(b'[{"name": "a"}]') == [Item("a")]
    with pytest.raises(WebSocketException) as caught:
        order('{"item": "nothing"}')
    assert caught.value.code == 1008
    assert caught.value.reason == "message.item: Value error, there is nothing to order"
    with pytest.raises(WebSocketException, match="message is not JSON"):
        order("{")
