"""FastAPI as everybody writes it: a hello in both kinds of handlers, and an order of 1 KB."""

# mypy: ignore-errors
# What it imports is installed only where it runs.

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


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
async def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@app.get("/def")
def hello_def() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@app.post("/orders")
async def order(order: Order) -> dict[str, object]:
    total = sum(line.qty * line.price for line in order.lines)
    return {"id": order.id, "total": total, "lines": len(order.lines)}
