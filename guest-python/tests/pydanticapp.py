"""Handlers with models of pydantic, for an app of the SDK and one of FastAPI."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    RootModel,
    computed_field,
    field_serializer,
    field_validator,
    model_validator,
)

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Order(BaseModel):
    item: str = Field(min_length=1)
    count: int = 1

    @field_validator("item")
    @classmethod
    def known(cls, value: str) -> str:
        if value == "nothing":
            raise ValueError("there is nothing to order")
        return value.strip()


class Line(BaseModel):
    order: Order
    at: datetime | None = None
    price: Decimal = Decimal("1.50")
    colour: Colour = Colour.RED
    tags: list[str] = []


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    size: int = 0


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    first: str = Field(alias="firstName")
    second: int = Field(default=2, serialization_alias="secondOut")
    third: int = Field(default=3, validation_alias=AliasChoices("third", "drei"))


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int = 0


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Names(RootModel[list[str]]):
    pass


class Computed(BaseModel):
    width: int
    height: int
    made: datetime = datetime(2024, 1, 2)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.width * self.height

    @field_serializer("made")
    def only_the_day(self, value: datetime) -> str:
        return value.date().isoformat()

    @model_validator(mode="after")
    def not_flat(self) -> "Computed":
        assert self.height, "it is flat"
        return self


class OfAttributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str
    when: date


class Search(BaseModel):
    text: str = Field(min_length=2, description="What to find")
    limit: int = Field(10, gt=0, le=100)
    tags: list[str] = []
    order_by: Literal["name", "age"] = "name"
    id: UUID | None = None


class Heads(BaseModel):
    x_token: str
    if_match: list[int] = []
    accept_language: str = Field("de", alias="lang")


class Row:
    def __init__(self, name: Any, when: Any) -> None:
        self.name, self.when = name, when


def build(framework: Any, app: Any) -> Any:
    """The handlers, in either framework."""
    Body, Query, Header = framework.Body, framework.Query, framework.Header
    Cookie, Form, Depends = framework.Cookie, framework.Form, framework.Depends

    @app.post("/alone")
    def alone(order: Order) -> Order:
        return order

    @app.post("/nested")
    async def nested(line: Line) -> Line:
        return line

    @app.post("/embed")
    def embed(order: Annotated[Order, Body(embed=True)]) -> Order:
        return order

    @app.post("/two")
    def two(order: Order, pet: Pet, note: Annotated[str, Body()] = "none") -> dict[str, Any]:
        return {"order": order, "pet": pet, "note": note}

    @app.post("/list")
    def many(orders: list[Order]) -> list[Order]:
        return orders

    @app.post("/mapping")
    def mapping(orders: dict[str, Order]) -> dict[str, Order]:
        return orders

    @app.post("/optional")
    def optional(order: Order | None = None) -> Order | None:
        return order

    @app.post("/default")
    def default(order: Order = Order(item="made")) -> Order:
        order.count += 1
        return order

    @app.post("/union")
    def union(value: Strict | Order) -> Strict | Order:
        return value

    @app.post("/pet")
    def pet(pet: Pet) -> Pet:
        return pet

    @app.post("/pets")
    def pets(pets: list[Pet]) -> list[Pet]:
        return pets

    @app.post("/page")
    def page(page: Page[Order]) -> Page[Order]:
        return page

    @app.post("/root")
    def root(names: Names) -> Names:
        return names

    @app.post("/strict")
    def strict(value: Strict) -> Strict:
        return value

    @app.post("/aliased")
    def aliased(value: Aliased) -> Aliased:
        return value

    @app.post("/aliased/names", response_model_by_alias=False)
    def aliased_names(value: Aliased) -> Aliased:
        return value

    @app.post("/computed")
    def computed(value: Computed) -> Computed:
        return value

    @app.post("/shortest")
    def shortest(orders: Annotated[list[Order], Body(min_length=2)]) -> int:
        return len(orders)

    @app.post("/checked")
    def checked(word: Annotated[str, AfterValidator(str.upper), Body()]) -> str:
        return word

    @app.post("/unset", response_model_exclude_unset=True)
    def unset(line: Line) -> Line:
        return line

    @app.post("/picked", response_model_include={"order": {"item"}, "tags": True})
    def picked(line: Line) -> Line:
        return line

    @app.post("/left", response_model_exclude={"order"}, response_model_exclude_none=True)
    def left(line: Line) -> Line:
        return line

    @app.get("/search")
    def search(q: Annotated[Search, Query()]) -> Search:
        return q

    @app.get("/strict")
    def strict_query(q: Annotated[Strict, Query()]) -> Strict:
        return q

    @app.get("/aliased")
    def aliased_query(q: Annotated[Aliased, Query()]) -> Aliased:
        return q

    @app.get("/heads")
    def heads(given: Annotated[Heads, Header()]) -> Heads:
        return given

    @app.get("/cookies")
    def cookies(given: Annotated[Strict, Cookie()]) -> Strict:
        return given

    @app.post("/form")
    def form(given: Annotated[Search, Form()]) -> Search:
        return given

    @app.get("/url")
    def url(
        url: HttpUrl, sizes: Annotated[list[Annotated[int, Field(gt=1)]], Query()]
    ) -> list[Any]:
        return [str(url), sizes]

    def filters(order: Order, n: int = 0) -> Order:
        order.count += n
        return order

    @app.post("/depends")
    def depends(order: Annotated[Order, Depends(filters)]) -> Order:
        return order

    @app.get("/class")
    def of_class(order: Annotated[Order, Depends()]) -> Order:
        return order

    @app.get("/dict")
    def from_dict() -> Order:
        return {"item": "a", "count": "3"}  # type: ignore[return-value]

    @app.get("/model", response_model=list[OfAttributes])
    def from_rows() -> Any:
        return [Row("a", date(2024, 1, 2)), {"name": "b", "when": "2024-01-03"}]

    @app.get("/subclass", response_model=Order)
    def subclass() -> Any:
        class Secret(Order):
            key: str = "secret"

        return Secret(item="a")

    @app.get("/wrong")
    def wrong() -> list[Order]:
        return [Order(item="a"), {"item": 5}]  # type: ignore[list-item]

    @app.get("/undeclared")
    def undeclared():
        return {"order": Order(item="a"), "aliased": [Aliased(first="x")]}

    @app.get("/undeclared/alone")
    def undeclared_alone():
        return Computed(width=1, height=2)

    return app
