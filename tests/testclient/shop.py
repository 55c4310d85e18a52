"""A small app for the tests of the test client."""

from typing import Annotated, Any

from bolt import BoltAPI, Depends, HTTPException, Struct

api = BoltAPI(title="Shop")
SOLD: list[str] = []


class Item(Struct):
    name: str
    price: float = 1.0


def store() -> str:
    return "the real store"


@api.get("/store")
def which(found: Annotated[str, Depends(store)]) -> str:
    return found


@api.post("/items", status_code=201)
def sell(item: Item) -> Item:
    if item.price < 0:
        raise HTTPException(400, "too cheap")
    SOLD.append(item.name)
    return item


@api.get("/items")
def sold() -> list[str]:
    return SOLD


@api.get("/broken")
def broken() -> Any:
    return 1 / 0
