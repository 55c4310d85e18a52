"""Options of Structs, other records, validators, and the locations of their errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import pytest

from bolt import (
    BoltAPI,
    Field,
    Query,
    Struct,
    ValidationInfo,
    field_validator,
    model_validator,
)
from bolt._app.manifest import manifest
from bolt._errors import Unsupported
from bolt._schema.annotations import type_of
from bolt._schema.models import model_of
from bolt._serialization.replies import encode_reply
from bolt._serialization.serialize import plain
from bolt._serialization.serialize_checked import to_plain
from bolt.exceptions import RequestValidationError


class User(Struct, rename="camel", forbid_unknown=True):
    first_name: Annotated[str, Field(min_length=1)]
    e_mail: str = Field("x", alias="e-mail", serialization_alias="mail")
    tags: list[str] = Field(default_factory=list, max_length=3)

    @field_validator("first_name")
    @classmethod
    def checked(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("no")
        return value.upper()


class Child(User):
    age: int = 1

    @model_validator(mode="after")
    def whole(self) -> "Child":
        assert self.age > 0, "too young"
        return self


class Team(Struct):
    users: list[User]
    by_name: dict[str, Child] = {}


class Cat(Struct, tag="cat"):
    lives: int


class Point(NamedTuple):
    x: int
    y: int = 2


def test_fields_have_their_names_and_constraints():
    fields = {item.name: item for item in model_of(User).fields}
    assert [(f.alias, f.out) for f in fields.values()] == [
        ("firstName", "firstName"),
        ("e-mail", "mail"),
        ("", ""),
    ]
    assert fields["first_name"].type.checks == (("min_length", 1),)
    assert fields["tags"].type.checks == (("max_length", 3),) and fields["tags"].factory is list
    assert model_of(Child).forbid and len(model_of(Child).fields) == 4


def test_constructors_make_defaults_anew():
    one, two = User(first_name="a"), User(first_name="b")
    assert one.tags == [] and one.tags is not two.tags and one.e_mail == "x"
    with pytest.raises(TypeError):
        User()


def test_records_are_sent_under_their_names():
    user = Child(first_name="a")
    expected = {"firstName": "a", "mail": "x", "tags": [], "age": 1}
    assert plain(user) == to_plain(user) == expected
    assert plain(Cat(lives=9)) == to_plain(Cat(lives=9)) == {"type": "cat", "lives": 9}
    assert "firstName" in encode_reply(200, user)
    assert plain(Point(1)) == [1, 2]


def test_the_manifest_tells_of_names_tags_and_strictness():
    api = BoltAPI()

    @api.post("/")
    def handler(user: User, pet: Cat | None = None, point: Point | None = None): ...

    defs = {d["name"]: d for d in manifest(api, "a:api")["defs"].values()}
    assert [f["name"] for f in defs["User"]["fields"]] == ["firstName", "e-mail", "tags"]
    assert defs["User"]["forbid"] and defs["Cat"]["tag"] == ("type", "cat")
    assert defs["Point"]["fields"][1]["default"] == 2


def refusals(handler: Any, *wire: Any) -> list[tuple[str, list[Any]]]:
    api = BoltAPI()
    api.post("/")(handler)
    api.finish()
    with pytest.raises(RequestValidationError) as caught:
        api.routes[0].invoke(wire)
    return [(error["type"], error["loc"]) for error in caught.value.errors()]


def user(name: str) -> tuple[Any, ...]:
    return (name, "x", ...)


def test_refusals_of_validators_name_their_place():
    def one(user: User): ...
    def team(team: Team, other: Child): ...

    assert refusals(one, user("bad")) == [("value_error", ["body", "firstName"])]
    wire = ([user("ok"), user("bad")], {"k": (*user("a"), 0)})
    assert refusals(team, wire, (*user("bad"), 0)) == [
        ("value_error", ["body", "team", "users", 1, "firstName"]),
        ("assertion_error", ["body", "team", "by_name", "k"]),
        ("value_error", ["body", "other", "firstName"]),
    ]


def test_validators_may_change_values():
    api = BoltAPI()

    @api.post("/")
    def handler(user: User) -> str:
        return user.first_name

    assert api.routes[0].invoke((user("ann"),)) == "ANN"


class Booking(Struct, rename="camel"):
    first: int
    last_day: int
    note: str = ""

    @field_validator("last_day")
    @classmethod
    def after_first(cls, value: int, info: ValidationInfo) -> int:
        assert info.field_name == "last_day" and cls is Booking
        if value < info.data["first"]:
            raise ValueError("too early")
        return value + 100

    @field_validator("*")
    @classmethod
    def no_fives(cls, value: Any) -> Any:
        if value in (5, "5"):
            raise ValueError(f"a {value}")
        return value

    @field_validator("first")
    @staticmethod
    def doubled(value: int) -> int:
        return value * 2


def test_validators_may_ask_for_the_fields_before_and_for_all():
    def handler(booking: Booking) -> Any:
        return booking.first, booking.last_day

    api = BoltAPI()
    api.post("/")(handler)
    assert api.routes[0].invoke(((1, 2, "x"),)) == (2, 102)
    assert refusals(handler, (1, 1, "x")) == [("value_error", ["body", "lastDay"])]
    assert refusals(handler, (1, 1, "5")) == [
        ("value_error", ["body", "lastDay"]),
        ("value_error", ["body", "note"]),
    ]
    assert refusals(handler, (1, 2, "5")) == [("value_error", ["body", "note"])]


class Two(Struct):
    a: int
    b: int

    @field_validator("*")
    def positive(cls, value: int, info: ValidationInfo) -> int:
        assert value > 0, f"{info.field_name} after {list(info.data)}"
        return value


def test_all_fields_that_a_validator_refuses_are_told():
    def handler(two: Two): ...

    place = ["body"]
    assert refusals(handler, (0, 0)) == [
        ("assertion_error", [*place, "a"]),
        ("assertion_error", [*place, "b"]),
    ]


def test_a_validator_names_its_fields():
    for wrong in ((), (lambda cls, value: value,)):
        with pytest.raises(TypeError, match="names its fields"):
            field_validator(*wrong)


def test_a_validator_before_the_types_is_refused():
    with pytest.raises(TypeError, match="mode='after'"):
        field_validator("x", mode="before")


T = TypeVar("T")


class Page(Struct, Generic[T]):
    """Some of many."""

    items: list[T]
    first: T | None = None
    tags: list[str] = Field(default_factory=list)


def test_a_generic_struct_is_a_record_for_each_of_its_types():
    numbers, names = type_of(Page[int]), type_of(Page[str])
    assert type_of(Page[int]).data is numbers.data is not names.data
    assert numbers.data.__name__ == "Page[int]" and issubclass(numbers.data, Page)
    items, first, tags = model_of(numbers.data).fields
    assert (items.type.args[0].kind, first.type.args[0].kind) == ("int", "int")
    assert items.required and not first.required and tags.factory is list
    made = numbers.data(items=[1])
    assert plain(made) == {"items": [1], "first": None, "tags": []}
    users = type_of(Page[User])
    assert model_of(users.data).fields[0].type.args[0].data is User


def test_a_generic_struct_may_be_a_parameter_and_a_result():
    api = BoltAPI()

    @api.post("/")
    def handler(page: Page[int]) -> Page[str]:
        return {"items": [str(item) for item in page.items], "more": 1}

    api.finish()
    assert api.routes[0].invoke((([1, 2], 1, ...),)) == {
        "items": ["1", "2"],
        "first": None,
        "tags": [],
    }
    made = manifest(api, "a:api")
    assert [model["name"] for model in made["defs"].values()] == ["Page[int]"]


def test_constraints_that_make_no_sense_are_refused():
    for annotation in (Annotated[str, Query(gt=1)], Annotated[int, Field(pattern="x")]):
        with pytest.raises(Unsupported, match="cannot be asked of"):
            type_of(annotation)


def test_constraints_hold_inside_of_unions_and_lists():
    kind = type_of(Annotated[Sequence[Annotated[int, Field(gt=0)]] | None, Field(min_length=1)])
    several = kind.args[0]
    assert several.checks == (("min_length", 1),)
    assert several.args[0].checks == (("gt", 0),)


def test_a_dataclass_may_be_nested_in_a_validated_struct():
    @dataclass
    class Box:
        user: User

    def handler(box: Box): ...

    assert refusals(handler, (user("bad"),)) == [("value_error", ["body", "user", "firstName"])]
