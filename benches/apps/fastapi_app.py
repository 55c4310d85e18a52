"""The bench app for FastAPI: the same routes and answers as every app beside it."""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

import asyncio
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel

app = FastAPI()

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


class Customer(BaseModel):
    name: str
    email: str
    street: str
    city: str
    country: str
    vip: bool


class Line(BaseModel):
    sku: str
    qty: int
    price: float


class Order(BaseModel):
    id: int
    customer: Customer
    note: str
    lines: list[Line]


@app.get("/")
def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@app.get("/async")
async def hello_async() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@app.get("/items/{item_id}")
async def item(item_id: int, q: str, limit: int) -> dict[str, object]:
    return {"id": item_id, "q": q, "limit": limit}


@app.post("/orders")
async def order(order: Order) -> dict[str, object]:
    total = sum(line.qty * line.price for line in order.lines)
    return {"id": order.id, "total": total, "lines": len(order.lines)}


# Three parameters, two dependencies, and a body of 1 KB.


def current_user(shop_id: int) -> str:
    return f"user of shop {shop_id}"


def paging(page: Annotated[int, Query(ge=1)], size: Annotated[int, Query(le=100)]) -> int:
    return (page - 1) * size


@app.post("/shops/{shop_id}/orders")
async def shop_order(
    shop_id: int,
    order: Order,
    user: Annotated[str, Depends(current_user)],
    first: Annotated[int, Depends(paging)],
) -> dict[str, object]:
    total = sum(line.qty * line.price for line in order.lines)
    return {"shop": shop_id, "user": user, "first": first, "total": total}


@app.get("/rows")
async def rows() -> list[dict[str, object]]:
    return ROWS


@app.get("/sleep")
async def sleep() -> dict[str, object]:
    await asyncio.sleep(0.01)
    return {"slept": 10}


# Only modes.py requests the route below. One client for the whole process; with httpx's own
# limits (100 connections, 20 of them kept open) it would be the bottleneck.
client = httpx.AsyncClient(
    limits=httpx.Limits(max_connections=1000, max_keepalive_connections=1000), trust_env=False
)


@app.get("/gather")
async def gather(port: int) -> dict[str, object]:
    url = f"http://127.0.0.1:{port}/"
    answers = await asyncio.gather(client.get(url), client.get(url), client.get(url))
    return {"total": sum(answer.json()["value"] for answer in answers)}
