"""Uses each of four native packages for its main job, so that a test sees their extensions run.

The packages are imported at the top, as the build must see them; the routes need them all.
"""

from datetime import date
from typing import Any

import markupsafe
import markupsafe._speedups
import msgspec
import orjson
import pydantic_core
from bolt import BoltAPI
from pydantic_core import core_schema

api = BoltAPI(title="Wheels")


class Order(msgspec.Struct):
    item: str
    count: int = 1


# Made once, at build time: what an extension keeps is part of the snapshot.
DECODER = msgspec.json.Decoder(list[Order])
VALIDATOR = pydantic_core.SchemaValidator(
    core_schema.typed_dict_schema(
        {
            "item": core_schema.typed_dict_field(core_schema.str_schema(min_length=1)),
            "count": core_schema.typed_dict_field(core_schema.int_schema(gt=0)),
            "day": core_schema.typed_dict_field(core_schema.date_schema()),
        }
    )
)


@api.get("/markupsafe")
def escape(text: str = "<a href=\"x\">Tom & 'Jerry'</a>") -> dict[str, Any]:
    # The function of the extension, not the one in Python that stands in for it.
    return {
        "native": markupsafe._speedups.__name__.endswith("_speedups"),
        "escaped": str(markupsafe.escape(text)),
        "inner": markupsafe._speedups._escape_inner("<&>"),
    }


@api.get("/msgspec")
def decode(body: str = '[{"item": "tea", "count": 2}, {"item": "milk"}]') -> dict[str, Any]:
    try:
        orders = DECODER.decode(body)
    except msgspec.ValidationError as error:
        return {"error": str(error)}
    return {
        "count": sum(order.count for order in orders),
        "json": msgspec.json.encode(orders).decode(),
        "msgpack": msgspec.msgpack.encode(orders).hex(),
    }


@api.get("/orjson")
def dump() -> dict[str, Any]:
    text = orjson.dumps({"day": date(2026, 1, 2), "list": [1, 2.5, None, "é"]})
    try:
        orjson.loads(b'{"broken": ')
        error = ""
    except orjson.JSONDecodeError as e:
        error = str(e)
    return {"json": text.decode(), "again": orjson.loads(text), "refused": bool(error)}


@api.get("/pydantic-core")
def validate(item: str = "tea", count: str = "2", day: str = "2026-01-02") -> dict[str, Any]:
    try:
        value = VALIDATOR.validate_python({"item": item, "count": count, "day": day})
    except pydantic_core.ValidationError as error:
        return {"errors": [{"loc": list(e["loc"]), "type": e["type"]} for e in error.errors()]}
    return {"value": pydantic_core.to_jsonable_python(value)}
