"""The bench routes for both wasi:http apps, with nothing but the standard library."""

import json
from typing import Any
from urllib.parse import parse_qs

ROWS: list[dict[str, object]] = [
    {
        "id": i,
        "name": f"item number {i:03}",
        "price": i + 0.5,
        "quantity": i * 3,
        "active": i % 2 == 0,
        "tags": ["red", "large"],
    }
    for i in range(100)
]
SLEEP_NS = 10_000_000

CUSTOMER_TEXTS = ("name", "email", "street", "city", "country")


def has(value: Any, name: str, *kinds: type) -> bool:
    return isinstance(value, dict) and type(value.get(name)) in kinds


def valid_order(order: Any) -> bool:
    """Validates by hand what the other apps' model libraries validate."""
    if not (has(order, "id", int) and has(order, "note", str) and has(order, "lines", list)):
        return False
    customer = order.get("customer")
    if not (has(customer, "vip", bool) and all(has(customer, key, str) for key in CUSTOMER_TEXTS)):
        return False
    return all(
        has(line, "sku", str) and has(line, "qty", int) and has(line, "price", int, float)
        for line in order["lines"]
    )


def item(path: str, query: str) -> tuple[int, object]:
    fields = parse_qs(query)
    try:
        item_id = int(path.removeprefix("/items/"))
        return 200, {"id": item_id, "q": fields["q"][0], "limit": int(fields["limit"][0])}
    except (KeyError, ValueError):
        return 422, {"detail": "wrong parameters"}


def order(body: bytes) -> tuple[int, object]:
    try:
        found = json.loads(body)
    except ValueError:
        return 400, {"detail": "not JSON"}
    if not valid_order(found):
        return 422, {"detail": "not an order"}
    lines = found["lines"]
    total = sum(line["qty"] * line["price"] for line in lines)
    return 200, {"id": found["id"], "total": total, "lines": len(lines)}


def answer(target: str, body: bytes) -> tuple[int, bytes]:
    """The status and JSON body for a request; the app itself does the waiting of /sleep."""
    path, _, query = target.partition("?")
    status = 200
    value: object
    if path in ("/", "/async"):
        value = {"message": "hello", "n": 1}
    elif path.startswith("/items/"):
        status, value = item(path, query)
    elif path == "/orders":
        status, value = order(body)
    elif path == "/rows":
        value = ROWS
    elif path == "/sleep":
        value = {"slept": 10}
    else:
        status, value = 404, {"detail": "no such route"}
    return status, json.dumps(value, separators=(",", ":")).encode()
