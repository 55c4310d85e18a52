# /// script
# requires-python = ">=3.14"
# dependencies = [
#   "fastapi==0.165.0",
#   "orjson==3.13.0",
#   "pydantic-core==2.50.5",
#   "python-multipart==0.0.34",
# ]
# ///
"""An app of FastAPI, to compare its answers inside the sandbox with those under uvicorn."""

from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
from fastapi import (
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Form,
    Header,
    HTTPException,
    Query,
    Request,
    Response,
    UploadFile,
)
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field, computed_field, field_validator, model_validator

app = FastAPI(title="Orders", version="1.2.3")
DONE: list[str] = []


class ORJSON(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


class Kind(StrEnum):
    tea = "tea"
    milk = "milk"


class Line(BaseModel):
    item: str = Field(min_length=1, max_length=20)
    kind: Kind = Kind.tea
    count: int = Field(1, gt=0, le=100)
    price: Decimal = Field(max_digits=6, decimal_places=2)

    @field_validator("item")
    @classmethod
    def not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("the item is blank")
        return value.strip()


class Order(BaseModel):
    id: UUID
    day: date
    at: datetime | None = None
    lines: list[Line] = Field(min_length=1)
    notes: dict[str, str | int] = {}

    @model_validator(mode="after")
    def at_is_of_day(self) -> Self:
        if self.at is not None and self.at.date() != self.day:
            raise ValueError("at is of another day")
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> Decimal:
        return sum((line.price * line.count for line in self.lines), Decimal(0))


class Filters(BaseModel):
    model_config = {"extra": "forbid"}

    limit: int = Field(10, gt=0, le=100)
    tags: list[str] = []


class Denied(Exception):
    pass


@app.exception_handler(Denied)
async def denied(request: Request, error: Denied) -> JSONResponse:
    return JSONResponse({"denied": request.url.path}, status_code=418)


@app.middleware("http")
async def add_header(request: Request, call_next: Any) -> Any:
    response = await call_next(request)
    response.headers["x-seen"] = request.method
    return response


def session() -> Iterator[list[str]]:
    steps = ["opened"]
    yield steps
    DONE.append("closed")


async def user(authorization: Annotated[str | None, Header()] = None) -> str:
    if authorization is None:
        raise HTTPException(401, "who?", headers={"www-authenticate": "Bearer"})
    return authorization.removeprefix("Bearer ")


@app.get("/")
async def hello() -> dict[str, str]:
    return {"hello": "async"}


@app.get("/sync/{name}")
def hello_sync(name: str, q: Annotated[int | None, Query(ge=0)] = None) -> dict[str, Any]:
    return {"hello": name, "q": q}


@app.post("/orders", status_code=201)
async def create(order: Order) -> Order:
    return order


@app.put("/orders/{id}", response_model=Order, response_model_exclude_unset=True)
def replace(id: UUID, order: Annotated[Order, Body(embed=True)]) -> Any:
    return order.model_copy(update={"id": id})


@app.get("/filters")
async def filters(given: Annotated[Filters, Query()]) -> Filters:
    return given


@app.get("/orjson")
async def with_orjson() -> ORJSON:
    return ORJSON({"z": [1, 2.5, None, "é"], "day": date(2026, 1, 2), "a": UUID(int=1)})


@app.get("/stream")
async def stream(n: int = 3) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for i in range(n):
            yield f"part {i}\n".encode()

    return StreamingResponse(parts(), media_type="text/plain")


@app.get("/stream-sync")
def stream_sync() -> StreamingResponse:
    return StreamingResponse((f"{i}," for i in range(1000)), media_type="text/csv")


@app.get("/depends")
async def depends(
    who: Annotated[str, Depends(user)], steps: Annotated[list[str], Depends(session)]
) -> dict[str, Any]:
    return {"user": who, "steps": steps}


@app.post("/background", status_code=202)
async def background(tasks: BackgroundTasks, text: Annotated[str, Body()]) -> dict[str, int]:
    DONE.clear()
    tasks.add_task(DONE.append, text)
    return {"done": len(DONE)}


@app.get("/background")
async def done() -> list[str]:
    return DONE


@app.post("/form")
async def form(name: Annotated[str, Form()], file: UploadFile) -> dict[str, Any]:
    data = await file.read()
    return {"name": name, "file": file.filename, "type": file.content_type, "size": len(data)}


@app.get("/cookies")
def cookies(response: Response, seen: Annotated[int, Cookie()] = 0) -> dict[str, int]:
    response.set_cookie("seen", str(seen + 1), httponly=True)
    return {"seen": seen}


@app.get("/denied")
def raise_denied() -> None:
    raise Denied


@app.get("/broken")
def broken() -> None:
    raise RuntimeError("not caught")
