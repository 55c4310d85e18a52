"""The bench app as bare ASGI with msgspec: what Python can do without a framework."""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

JSON_TYPE = (b"content-type", b"application/json")

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


class Customer(msgspec.Struct):
    name: str
    email: str
    street: str
    city: str
    country: str
    vip: bool


class Line(msgspec.Struct):
    sku: str
    qty: int
    price: float


class Order(msgspec.Struct):
    id: int
    customer: Customer
    note: str
    lines: list[Line]


encode = msgspec.json.Encoder().encode
decode_order = msgspec.json.Decoder(Order).decode


async def read(receive: Receive) -> bytes:
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            return body


def item(path: str, query: bytes) -> tuple[int, object]:
    fields = parse_qs(query.decode())
    try:
        item_id = int(path.removeprefix("/items/"))
        return 200, {"id": item_id, "q": fields["q"][0], "limit": int(fields["limit"][0])}
    except (KeyError, ValueError):
        return 422, {"detail": "wrong parameters"}


def order(body: bytes) -> tuple[int, object]:
    try:
        order = decode_order(body)
    except msgspec.ValidationError as error:
        return 422, {"detail": str(error)}
    total = sum(line.qty * line.price for line in order.lines)
    return 200, {"id": order.id, "total": total, "lines": len(order.lines)}


async def answer(scope: dict[str, Any], receive: Receive) -> tuple[int, object]:
    path = scope["path"]
    if path in ("/", "/async"):
        return 200, {"message": "hello", "n": 1}
    if path.startswith("/items/"):
        return item(path, scope["query_string"])
    if path == "/orders":
        return order(await read(receive))
    if path == "/rows":
        return 200, ROWS
    if path == "/sleep":
        await asyncio.sleep(0.01)
        return 200, {"slept": 10}
    return 404, {"detail": "no such route"}


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    status, value = await answer(scope, receive)
    body = encode(value)
    headers = [JSON_TYPE, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
