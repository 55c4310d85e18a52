"""A small app to test the test client with."""

from typing import Annotated, Any

from bolt import (
    JSON,
    BoltAPI,
    Depends,
    HTTPException,
    Request,
    RequestValidationError,
    Struct,
    field_validator,
)

api = BoltAPI(title="Shop")
SOLD: list[str] = []


class Item(Struct):
    name: str
    price: float = 1.0

    @field_validator("name")
    @classmethod
    def known(cls, value: str) -> str:
        if value == "sword":
            raise ValueError("we sell none")
        return value


@api.exception_handler(RequestValidationError)
async def wrong(request: Request, exc: RequestValidationError) -> JSON:
    places = [".".join(map(str, error["loc"])) for error in exc.errors()]
    return JSON({"wrong": places, "path": request.path}, 400)


@api.exception_handler(404)
def lost(request: Request, exc: HTTPException) -> JSON:
    return JSON({"lost": request.path, "detail": exc.detail}, 404)


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
