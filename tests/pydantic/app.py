# /// script
# dependencies = ["pydantic==2.14.4", "msgspec==0.23.0"]
# ///
"""Models of pydantic and msgspec in the sandbox, beside the same records of the SDK.

Both packages have compiled code, of which `bolt-host wheel` makes wheels for the sandbox:
`bolt-host run --build first tests/pydantic/app.py --wheels FOLDER`.
"""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from bolt import Body, BoltAPI, Depends, Form, Header, Query, Struct
from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator

api = BoltAPI(title="Models")
T = TypeVar("T")


class Order(BaseModel):
    item: str = Field(min_length=1)
    count: int = Field(1, gt=0)
    at: datetime | None = None
    tags: list[str] = []

    @field_validator("item")
    @classmethod
    def known(cls, value: str) -> str:
        if value == "nothing":
            raise ValueError("there is nothing to order")
        return value.title()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def label(self) -> str:
        return f"{self.count} x {self.item}"


class Search(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=2)
    limit: int = 10
    tags: list[str] = []


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Heads(BaseModel):
    x_token: str


class Item(msgspec.Struct, rename="camel"):
    item_name: Annotated[str, msgspec.Meta(min_length=1)]
    count: int = 1


class Holder(Struct):
    order: Order
    item: Item


class Own(Struct):
    item: Annotated[str, Field(min_length=1)] = "a"
    count: int = 1


class Plain(BaseModel):
    item: str
    count: int = 1
    tags: list[str] = []


@api.post("/orders")
def create(order: Order) -> Order:
    return order


@api.post("/orders/later")
async def create_later(order: Order) -> Order:
    return order


@api.post("/orders/embedded")
def embedded(order: Annotated[Order, Body(embed=True)], note: str = "") -> Page[Order]:
    return Page(items=[order], total=1)


@api.post("/orders/many")
def many(orders: list[Order]) -> dict[str, Order]:
    return {order.item: order for order in orders}


@api.get("/orders", response_model_exclude_unset=True)
def find(q: Annotated[Search, Query()], h: Annotated[Heads, Header()]) -> list[Order]:
    return [Order(item=q.text, count=q.limit, tags=[*q.tags, h.x_token])]


@api.post("/form")
def form(q: Annotated[Search, Form()]) -> Search:
    return q


@api.post("/pets")
def pets(pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]]) -> list[Cat | Dog]:
    return pets


def checked(order: Order) -> Order:
    order.count += 1
    return order


@api.post("/depends")
def depends(order: Annotated[Order, Depends(checked)]) -> Order:
    return order


@api.get("/stream")
async def stream() -> AsyncIterator[Order]:
    for count in (1, 2):
        yield Order(item="a", count=count)


@api.get("/wrong")
def wrong() -> list[Order]:
    return [{"item": 5}]  # type: ignore[list-item]


@api.get("/undeclared")
def undeclared():  # type: ignore[no-untyped-def]
    return {"order": Order(item="a"), "item": Item("b")}


@api.post("/items")
def items(items: list[Item]) -> list[Item]:
    return items


@api.post("/holder")
def holder(holder: Holder) -> Holder:
    return holder


@api.post("/own")
def own(own: Own) -> Own:
    return own


@api.get("/cost")
def cost(times: int = 2000) -> dict[str, Any]:
    """Microseconds to validate and to encode an order in the sandbox, by the packages alone."""
    made = Plain(item="paper", count=3, tags=["a", "b"])
    given = {"item": "paper", "count": 3, "tags": ["a", "b"]}
    steps = {
        "pydantic validates": lambda: Plain.__pydantic_validator__.validate_python(given),
        "pydantic validates JSON": lambda: Plain.__pydantic_validator__.validate_json(
            b'{"item": "paper", "count": 3, "tags": ["a", "b"]}'
        ),
        "pydantic encodes": lambda: made.__pydantic_serializer__.to_json(made),
        # Of values that the host has checked.
        "a Struct is made": lambda: Own._from_wire(("paper", 3)),
        "msgspec converts": lambda: msgspec.convert({"itemName": "paper", "count": 3}, Item),
    }
    found = {}
    for name, step in steps.items():
        begun = time.perf_counter()
        for _ in range(times):
            step()
        found[name] = round((time.perf_counter() - begun) / times * 1e6, 2)
    return found
