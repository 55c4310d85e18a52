"""What OpenAPI says of models of pydantic and msgspec, beside FastAPI's document."""

import json
from typing import Annotated, Any

import pytest

import bolt
from bolt import BoltAPI, Query, Struct
from bolt._openapi.document import openapi

fastapi = pytest.importorskip("fastapi")
msgspec = pytest.importorskip("msgspec")

from pydanticapp import Order, build  # noqa: E402


def without_titles(value: Any) -> Any:
    """Titles of parameters and responses differ, as they do for Structs."""
    if isinstance(value, dict):
        return {
            key: without_titles(item)
            for key, item in value.items()
            if key != "title" or not isinstance(item, str)
        }
    return [without_titles(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    reference = build(fastapi, fastapi.FastAPI()).openapi()
    ours = openapi(build(bolt, BoltAPI()))
    return json.loads(json.dumps(ours)), json.loads(json.dumps(reference))


def test_components_are_those_of_fastapi(both: Any) -> None:
    ours, reference = (one["components"]["schemas"] for one in both)
    own = {"HTTPValidationError", "ValidationError"}
    assert ours.keys() == reference.keys()
    for name in ours.keys() - own:
        assert without_titles(ours[name]) == without_titles(reference[name]), name
    assert ours["Order"]["title"] == "Order"


def test_operations_are_those_of_fastapi(both: Any) -> None:
    ours, reference = (one["paths"] for one in both)
    for path, methods in reference.items():
        for method, operation in methods.items():
            for key in ("parameters", "requestBody"):
                found, expected = ours[path][method].get(key), operation.get(key)
                assert without_titles(found) == without_titles(expected), (path, key)
            if path == "/two":
                # The host checks it; the SDK's form of a dict of anything is `{}`.
                continue
            found = ours[path][method]["responses"]["200"]
            assert without_titles(found) == without_titles(operation["responses"]["200"]), path


class Item(msgspec.Struct, rename="camel"):
    item_name: Annotated[str, msgspec.Meta(min_length=1)]
    count: int = 1


def test_structs_of_msgspec_and_of_the_sdk_have_names_of_their_own() -> None:
    ours = Struct

    class Own(ours):
        order: Order
        items: list[Item] = []

    class Namesake(ours):
        n: int = 0

    Namesake.__name__ = "Order"
    api = BoltAPI()

    @api.post("/own")
    def own(own: Own, other: Namesake) -> list[Item]: ...

    @api.get("/items")
    def items(q: Annotated[Item, Query()]) -> Item: ...

    document = openapi(api)
    schemas = document["components"]["schemas"]
    assert schemas["Item"] == {
        "title": "Item",
        "type": "object",
        "properties": {
            "itemName": {"type": "string", "minLength": 1},
            "count": {"type": "integer", "default": 1},
        },
        "required": ["itemName"],
    }
    assert schemas["Own"]["properties"] == {
        "order": {"$ref": "#/components/schemas/Order"},
        "items": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Item"},
            "title": "Items",
            "default": [],
        },
    }
    assert "item" in schemas["Order"]["properties"]
    assert any(
        "n" in schema.get("properties", {}) for name, schema in schemas.items() if "Order" in name
    )
    parameters = document["paths"]["/items"]["get"]["parameters"]
    assert [(one["name"], one["required"]) for one in parameters] == [
        ("itemName", True),
        ("count", False),
    ]
