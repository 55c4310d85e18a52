"""Fields that a constructor does not take: `field(init=False)`. Results and OpenAPI have them."""

import dataclasses
from typing import Any

from bolt import BoltAPI
from bolt._app.manifest import manifest
from bolt._openapi.document import openapi
from bolt._schema.annotations import type_of
from bolt._serialization.response_model import Shape, compile_result
from bolt._serialization.serialize import plain
from bolt._serialization.serialize_checked import to_plain


@dataclasses.dataclass
class Item:
    n: int
    shown: str = dataclasses.field(init=False, default="s")
    made: int = dataclasses.field(init=False)
    found: list[int] = dataclasses.field(init=False, default_factory=lambda: [1])

    def __post_init__(self) -> None:
        self.made = self.n * 2


@dataclasses.dataclass
class Engine:
    n: int
    # Of a type without a wire form, which only matters when it is sent.
    lock: object = dataclasses.field(init=False, repr=False)
    when: complex = dataclasses.field(init=False, default=1j)


def sent(annotation: Any, value: Any, **shape: Any) -> Any:
    finish = compile_result(type_of(annotation), Shape(**shape))
    assert finish is not None
    return finish(value)


# As FastAPI, except for `made`: pydantic does not send fields that only `__post_init__` sets.
ONE = {"n": 1, "shown": "s", "made": 2, "found": [1]}


def test_results_have_them_however_the_record_is_declared() -> None:
    assert sent(Item, Item(1)) == plain(Item(1)) == to_plain(Item(1)) == ONE
    assert sent(list[Item], [Item(1)]) == [ONE]
    assert sent(dict[str, list[Item]], {"a": [Item(1)]}) == {"a": [ONE]}
    assert sent(list[Item], [Item(1)], exclude={"made"}) == [{"n": 1, "shown": "s", "found": [1]}]
    changed = Item(1)
    changed.shown = "other"
    assert sent(list[Item], [changed]) == [{**ONE, "shown": "other"}]


def test_those_of_a_dict_come_from_the_class() -> None:
    # As FastAPI, which ignores what a dict says about them.
    assert sent(list[Item], [{"n": 1, "shown": "z", "made": 5}]) == [ONE]


def test_requests_do_not_have_them_and_openapi_does() -> None:
    api = BoltAPI()

    @api.post("/item")
    def item(item: Item) -> Item:
        return item

    @api.post("/engine")
    def engine(engine: Engine) -> int:
        return engine.n

    described = manifest(api, "app:api")
    fields = [[one["name"] for one in model["fields"]] for model in described["defs"].values()]
    assert fields == [["n"], ["n"]]
    assert api.routes[0].invoke(((3,),)) == {"n": 3, "shown": "s", "made": 6, "found": [1]}
    assert api.routes[1].invoke(((3,),)) == 3
    schema = openapi(api)["components"]["schemas"]["Item"]
    assert schema["required"] == ["n"]
    assert schema["properties"]["shown"] == {"type": "string", "title": "Shown", "default": "s"}
    assert schema["properties"]["found"]["type"] == "array"
    assert schema["properties"]["made"] == {"type": "integer", "title": "Made", "readOnly": True}
