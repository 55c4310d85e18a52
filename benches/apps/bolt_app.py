"""The bench app for bolt-host: the same routes and answers as every app beside it."""

import asyncio
import time
from typing import Annotated

from bolt import BoltAPI, Depends, Query, Struct, http

api = BoltAPI()

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


class Customer(Struct):
    name: str
    email: str
    street: str
    city: str
    country: str
    vip: bool


class Line(Struct):
    sku: str
    qty: int
    price: float


class Order(Struct):
    id: int
    customer: Customer
    note: str
    lines: list[Line]


@api.get("/")
def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@api.get("/async")
async def hello_async() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@api.get("/items/{item_id}")
async def item(item_id: int, q: str, limit: int) -> dict[str, object]:
    return {"id": item_id, "q": q, "limit": limit}


@api.post("/orders")
async def order(order: Order) -> dict[str, object]:
    total = sum(line.qty * line.price for line in order.lines)
    return {"id": order.id, "total": total, "lines": len(order.lines)}


# Three parameters, two dependencies, and a body of 1 KB.


def current_user(shop_id: int) -> str:
    return f"user of shop {shop_id}"


def paging(page: Annotated[int, Query(ge=1)], size: Annotated[int, Query(le=100)]) -> int:
    return (page - 1) * size


@api.post("/shops/{shop_id}/orders")
async def shop_order(
    shop_id: int,
    order: Order,
    user: Annotated[str, Depends(current_user)],
    first: Annotated[int, Depends(paging)],
) -> dict[str, object]:
    total = sum(line.qty * line.price for line in order.lines)
    return {"shop": shop_id, "user": user, "first": first, "total": total}


@api.get("/rows")
async def rows() -> list[dict[str, object]]:
    return ROWS


@api.get("/sleep")
async def sleep() -> dict[str, object]:
    await asyncio.sleep(0.01)
    return {"slept": 10}


@api.get("/spin")
def spin(ms: int) -> dict[str, object]:
    # Computes without ever yielding, so that the host needs another instance for
    # the next request; only the memory case calls it.
    start = time.perf_counter()
    rounds = 0
    while (time.perf_counter() - start) * 1000 < ms:
        rounds += 1
    return {"ms": ms, "computed": rounds > 0}


# Only modes.py requests the routes below.


@api.get("/serial-async", isolation="serial")
async def hello_serial_async() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@api.get("/fresh", isolation="fresh")
def hello_fresh() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@api.get("/fresh-async", isolation="fresh")
async def hello_fresh_async() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@api.get("/wait")
async def wait(ms: int) -> dict[str, object]:
    await asyncio.sleep(ms / 1000)
    return {"waited": ms}


@api.get("/compute")
def compute(rounds: int) -> dict[str, object]:
    # A fixed amount of work, without calls to the host.
    done = 0
    while done < rounds:
        done += 1
    return {"done": done}


@api.get("/gather")
async def gather(port: int) -> dict[str, object]:
    url = f"http://127.0.0.1:{port}/"
    answers = await asyncio.gather(http.get(url), http.get(url), http.get(url))
    return {"total": sum(answer.json()["value"] for answer in answers)}
