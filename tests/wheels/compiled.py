# /// script
# dependencies = ["markupsafe==3.0.4", "msgspec==0.23.0"]
# ///
"""Packages with extensions in C, each used for its main job."""

import markupsafe
import markupsafe._speedups
import msgspec
from bolt import BoltAPI

api = BoltAPI(openapi_url=None)


class Order(msgspec.Struct):
    item: str
    count: int = 1


class Nested(msgspec.Struct):
    inner: "Nested | None" = None


# Made at import: what an extension keeps is part of the snapshot.
DECODER = msgspec.json.Decoder(list[Order])


@api.get("/escape")
def escape() -> dict[str, object]:
    # The function of the extension, not the one in Python that stands in for it.
    native = "_speedups" in markupsafe._escape_inner.__module__
    return {"native": native, "escaped": str(markupsafe.escape("<b>Tom & 'Jerry'</b>"))}


@api.get("/decode")
def decode() -> list[dict[str, object]]:
    orders = DECODER.decode(b'[{"item": "tea", "count": 2}, {"item": "milk"}]')
    return [msgspec.to_builtins(order) for order in orders]


@api.get("/wrong")
def wrong() -> str:
    try:
        DECODER.decode(b'[{"item": "tea", "count": "x"}]')
    except msgspec.ValidationError as error:
        return str(error)
    return "no error"


@api.get("/deep")
def deep() -> str:
    """Nested too deeply for the stack: an error, and the interpreter lives on."""
    try:
        msgspec.json.decode(b'{"inner":' * 100_000 + b"null" + b"}" * 100_000, type=Nested)
    except RecursionError:
        return "RecursionError"
    return "decoded"
