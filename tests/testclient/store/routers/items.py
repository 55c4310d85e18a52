"""Routes with dependencies that tests replace."""

import logging
from typing import Annotated, Any

from bolt import JSON, Depends, Router, Struct

router = Router(prefix="/items")
log = logging.getLogger("store")


class User(Struct):
    name: str
    admin: bool = False


class Prices:
    def price(self, item: str) -> int:
        return len(item)


def current_user() -> User:
    return User(name="nobody")


def prices() -> Prices:
    return Prices()


@router.get("/{item}")
def price(
    item: str,
    user: Annotated[User, Depends(current_user)],
    prices: Annotated[Prices, Depends(prices)],
) -> dict[str, Any]:
    return {"price": prices.price(item), "user": user.name, "admin": user.admin}


@router.get("/broken/def")
def broken() -> Any:
    log.error("about to fail")
    return {}["missing"]


@router.get("/broken/async")
async def broken_async() -> Any:
    raise ValueError('a "quoted"\ntext, request=1')


@router.get("/refused/meant")
def meant() -> JSON:
    return JSON({"meant": True}, 500)


@router.get("/moved/there/")
def moved() -> str:
    return "here"
