"""Structs of msgspec as parameters and results."""

from datetime import datetime
from typing import Annotated, Any

import pytest
from modelfake import ModelHost

from bolt import Body, BoltAPI, Form, Header, Query, Struct
from bolt._schema.annotations import model_kind

msgspec = pytest.importorskip("msgspec")


class Item(msgspec.Struct, rename="camel"):
    item_name: Annotated[str, msgspec.Meta(min_length=1)]
    count: int = 1


class Box(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    items: list[Item]
    at: datetime | None = None
    named: dict[str, Item] = {}


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Dog(msgspec.Struct, tag="dog"):
    name: str


class Heads(msgspec.Struct):
    x_token: str
    if_match: list[int] = []


class Holder(Struct):
    box: Box
    note: str = ""


@pytest.fixture(scope="module")
def host() -> ModelHost:
    api = BoltAPI()

    @api.post("/item")
    def item(item: Item) -> Item:
        return item

    @api.post("/box")
    async def box(box: Box) -> Box:
        return box

    @api.post("/pets")
    def pets(pets: list[Cat | Dog]) -> list[Cat | Dog]:
        return pets

    @api.post("/two")
    def two(item: Item, box: Box | None = None, n: Annotated[int, Body()] = 0) -> dict[str, Any]:
        return {"item": item, "box": box, "n": n}

    @api.get("/query")
    def query(q: Annotated[Item, Query()]) -> Item:
        return q

    @api.get("/heads")
    def heads(h: Annotated[Heads, Header()]) -> Heads:
        return h

    @api.post("/form")
    def form(f: Annotated[Item, Form()]) -> Item:
        return f

    @api.post("/holder")
    def holder(holder: Holder) -> Holder:
        return holder

    @api.get("/dict")
    def made_of_a_dict() -> Item:
        return {"itemName": "a"}  # type: ignore[return-value]

    @api.get("/wrong")
    def wrong() -> list[Item]:
        return [{"itemName": 5}]  # type: ignore[list-item]

    return ModelHost(api)


def error(kind: str, loc: list[Any], msg: str, given: Any) -> tuple[int, Any]:
    return 422, {"detail": [{"type": kind, "loc": loc, "msg": msg, "input": given}]}


ITEM = {"itemName": "a", "count": 2}


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/item", ITEM, (200, ITEM)),
        ("/item", ..., error("missing", ["body"], "Field required", None)),
        ("/item", [], error("type_error", ["body"], "Expected `object`, got `array`", [])),
        (
            "/item",
            {"count": 1},
            error(
                "missing",
                ["body", "itemName"],
                "Object missing required field `itemName`",
                {"count": 1},
            ),
        ),
        (
            "/item",
            {"itemName": ""},
            error("value_error", ["body", "itemName"], "Expected `str` of length >= 1", ""),
        ),
        ("/box", {"items": [ITEM]}, (200, {"items": [ITEM]})),
        (
            "/box",
            {"items": [ITEM, {"itemName": "b", "count": "x"}]},
            error("type_error", ["body", "items", 1, "count"], "Expected `int`, got `str`", "x"),
        ),
        (
            "/box",
            {"items": [], "other": 1},
            error("extra_forbidden", ["body", "other"], "Object contains unknown field `other`", 1),
        ),
        (
            "/box",
            {"items": [], "named": {"a": {"itemName": 1}}},
            error(
                "type_error",
                ["body", "named", "...", "itemName"],
                "Expected `str`, got `int`",
                None,
            ),
        ),
        (
            "/pets",
            [{"type": "dog", "name": "d"}, {"type": "cat", "lives": 9}],
            (200, [{"type": "dog", "name": "d"}, {"type": "cat", "lives": 9}]),
        ),
        (
            "/two",
            {"item": ITEM, "n": 3},
            (200, {"item": ITEM, "box": None, "n": 3}),
        ),
        (
            "/two",
            {"item": 5},
            error("type_error", ["body", "item"], "Expected `object`, got `int`", 5),
        ),
    ],
)
def test_bodies(host: ModelHost, path: str, body: Any, expected: Any) -> None:
    assert host.send("POST", path, body=body) == expected


def test_texts_become_numbers(host: ModelHost) -> None:
    assert host.send("GET", "/query", query="itemName=a&count=5&other=1") == (
        200,
        {"itemName": "a", "count": 5},
    )
    assert host.send("POST", "/form", form="itemName=a&count=5") == (
        200,
        {"itemName": "a", "count": 5},
    )
    assert host.send("GET", "/heads", headers={"x-token": "t", "if-match": "3"}) == (
        200,
        {"x_token": "t", "if_match": [3]},
    )
    status, answer = host.send("GET", "/query", query="itemName=a&count=x")
    assert status == 422
    assert answer["detail"][0]["loc"] == ["query", "count"]
    status, answer = host.send("GET", "/heads")
    assert answer["detail"][0]["loc"] == ["header", "x-token"]


def test_results_are_checked(host: ModelHost) -> None:
    assert host.send("GET", "/dict") == (200, {"itemName": "a", "count": 1})
    with pytest.raises(TypeError, match=r"result\[0\]\.itemName: Expected `str`, got `int`"):
        host.send("GET", "/wrong")


def test_a_field_of_a_record_of_the_sdk(host: ModelHost) -> None:
    body = {"box": {"items": [ITEM]}, "note": "n"}
    wire = (({"items": [ITEM]}, "n"),)
    route = next(one for one in host.api.routes if one.path == "/holder")
    assert route.invoke(wire) == body
    with pytest.raises(ValueError) as caught:
        route.invoke((({"items": [{}]}, "n"),))
    assert caught.value.errors()[0]["loc"] == [  # type: ignore[attr-defined]
        *("body", "box", "items", 0, "itemName")
    ]


def test_they_are_no_records_of_the_sdk() -> None:
    assert model_kind(Item) is None
    assert model_kind(Holder) == "struct"
