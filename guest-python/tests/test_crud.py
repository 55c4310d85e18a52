"""`crud` in Python, over a fake host: cases that the host answers too, models, statements."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest
from crudfake import send, served_items
from sqlfake import SqlHost, host

from bolt import BoltAPI, Field, Struct, field_validator, model_validator, sql

__all__ = ["host"]

HERE = Path(__file__).parent
# They are replayed against the real host as well: by Python, and by the host alone.
CASES: list[dict[str, Any]] = json.loads((HERE / "crud_cases.json").read_text())
db = sql.Database("main")


@pytest.fixture
def items(host: SqlHost) -> BoltAPI:
    return served_items()


@pytest.mark.parametrize("path", ["/crud/python", "/crud/native"])
def test_cases(items: BoltAPI, path: str) -> None:
    for number, case in enumerate(CASES):
        told = f"case {number}: {case['about']}: {case['method']} {case['path']}"
        asked = (items, case["method"], path + case["path"], case.get("body", ...))
        if case["status"] == 500:
            with pytest.raises(sql.ProgrammingError):
                send(*asked)
            continue
        status, answer = send(*asked)
        assert status == case["status"], (told, answer)
        if "json" in case:
            # As text, because the order of keys counts, and 1 is not 1.0.
            assert json.dumps(answer) == json.dumps(case["json"]), told
        if "loc" in case:
            assert answer["detail"][0]["loc"] == case["loc"], told


class User(Struct):
    id: int | None = None
    name: str
    age: int = 0


TABLE = "create table users (id integer primary key, name text not null unique, age integer)"


@pytest.fixture
def users(host: SqlHost) -> SqlHost:
    db.sync.execute(TABLE)
    return host


class Checked(Struct):
    id: int | None = None
    name: str
    low: int = 0
    high: int = 9

    @field_validator("name")
    def stripped(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("nothing but space")
        return value.strip()

    @model_validator()
    def in_order(self) -> "Checked":
        if self.low > self.high:
            raise AssertionError("low is above high")
        return self


def test_what_the_model_refuses(host: SqlHost) -> None:
    db.sync.execute("create table checked (id integer primary key, name, low, high)")
    api = BoltAPI()
    api.crud(Checked, table="checked")
    made = {"id": 1, "name": "ann", "low": 0, "high": 9}
    assert send(api, "POST", "/checked", {"name": " ann "}) == (201, made)
    status, told = send(api, "POST", "/checked", {"name": " "})
    assert (status, told["detail"][0]["loc"]) == (422, ["body", "name"])
    status, told = send(api, "POST", "/checked", {"name": "x", "low": 10})
    assert status == 422
    assert told["detail"][0]["loc"] == ["body"]
    assert told["detail"][0]["msg"] == "Assertion failed, low is above high"
    # The record is that which the change leads to.
    assert send(api, "PATCH", "/checked/1", {"low": 10})[0] == 422
    assert send(api, "PATCH", "/checked/1", {"low": 10, "high": 11})[1]["low"] == 10
    assert send(api, "PATCH", "/checked/1", {"name": " "})[0] == 422
    assert send(api, "PATCH", "/checked/1", {"name": " b "})[1]["name"] == "b"
    assert send(api, "PATCH", "/checked/2", {"low": 1})[0] == 404
    # A row may be older than the checks.
    db.sync.execute("insert into checked values (2, ' ', 5, 1)")
    assert send(api, "GET", "/checked/2")[1] == {"id": 2, "name": " ", "low": 5, "high": 1}


class Level(Enum):
    LOW = 1
    HIGH = 2


class Inner(Struct):
    at: date


class Wide(Struct, tag="wide"):
    id: UUID = Field(default_factory=uuid4)
    level: Level = Level.LOW
    colour: Literal["red", "blue"] = "red"
    inner: Inner | None = None
    words: list[str] = Field(default_factory=list)
    either: int | str = 0
    day: date = date(2026, 1, 2)


def test_defaults_that_only_python_makes(host: SqlHost) -> None:
    db.sync.execute(
        "create table wide (id uuid primary key, level, colour, inner, words json, either, day)"
    )
    api = BoltAPI()
    api.crud(Wide, table="wide")
    status, made = send(api, "POST", "/wide", {"inner": {"at": "2026-03-04"}})
    key = made.pop("id")
    assert (status, UUID(key).version) == (201, 4)
    rest = {
        **{"type": "wide", "level": 1, "colour": "red", "inner": {"at": "2026-03-04"}},
        **{"words": [], "either": 0, "day": "2026-01-02"},
    }
    assert made == rest
    assert send(api, "GET", f"/wide/{key}")[1] == {"id": key, **rest}
    changed = {"words": ["a"], "level": 2}
    assert send(api, "PATCH", f"/wide/{key}", changed)[0] == 200
    assert send(api, "GET", f"/wide/{key}")[1] == {"id": key, **rest, **changed}


def test_what_is_in_a_table_is_shown(host: SqlHost) -> None:
    """Nulls and values that the model does not have are there, whoever wrote them."""
    db.sync.execute("create table wide (id, level, colour, inner, words, either, day)")
    db.sync.execute("insert into wide values ('x', 7, 'mauve', null, null, null, null)")
    api = BoltAPI()
    api.crud(Wide, table="wide", only=["list"])
    with pytest.raises(TypeError, match="the column 'id'"):
        send(api, "GET", "/wide")
    db.sync.execute("update wide set id = $1", str(UUID(int=1)))
    shown = send(api, "GET", "/wide")[1][0]
    assert shown == {
        **{"type": "wide", "id": str(UUID(int=1)), "level": 7, "colour": "mauve"},
        **{"inner": None, "words": None, "either": None, "day": None},
    }


@dataclass
class Point:
    id: int
    x: int
    twice: int = field(init=False)

    def __post_init__(self) -> None:
        if self.x > 9:
            raise ValueError("too far")
        self.twice = 2 * self.x


def test_a_dataclass(host: SqlHost) -> None:
    db.sync.execute("create table points (id integer primary key, x integer)")
    api = BoltAPI()
    api.crud(Point, table="points")
    shown = {"id": 5, "x": 4, "twice": 8}
    assert send(api, "POST", "/points", {"id": 5, "x": 4}) == (201, shown)
    assert send(api, "POST", "/points", {"id": 6, "x": 10})[0] == 422
    assert send(api, "PATCH", "/points/5", {"x": 10})[0] == 422
    assert send(api, "GET", "/points/5") == (200, shown)


def test_statements(users: SqlHost) -> None:
    """The host makes the same ones."""
    api = BoltAPI()
    api.crud(User, table="users", filters=("name", "age__gte"))
    requests: list[tuple[Any, ...]] = [
        ("GET", "/users/1"),
        ("GET", "/users?name=x&age__gte=3&order=-name&limit=1&offset=2"),
        ("GET", "/users?order=-id"),
        ("POST", "/users", {"name": "x"}),
        ("PATCH", "/users/1", {"name": "y", "age": None}),
        ("PATCH", "/users/1", {"age": 4, "name": "y"}),
        ("DELETE", "/users/1"),
    ]
    users.log.clear()
    for one in requests:
        send(api, *one)
    shown = '"id", "name", "age"'
    assert [text for _, text in users.log] == [
        f'select {shown} from "users" where "id" = $1',
        f'select {shown} from "users" where "name" = $1 and "age" >= $2 '
        'order by "name" desc, "id" limit $3 offset $4',
        f'select {shown} from "users" order by "id" desc limit $1 offset $2',
        f'insert into "users" ("name", "age") values ($1, $2) returning {shown}',
        f'update "users" set "name" = $1, "age" = $2 where "id" = $3 returning {shown}',
        'delete from "users" where "id" = $1 returning 1',
    ]


def test_what_goes_wrong(users: SqlHost) -> None:
    api = BoltAPI()
    api.crud(User, table="users")
    text = 'select "id", "name", "age" from "users" where "id" = $1'
    for kind, answer in (
        ("busy", (503, {"detail": "Service Unavailable"})),
        ("integrity", (422, {"detail": "The database does not accept the item"})),
    ):
        users.problems[text] = (kind, "told")
        assert send(api, "GET", "/users/1") == answer
    for kind, cls in (
        ("operational", sql.DatabaseUnavailable),
        ("cancelled", sql.StatementCancelled),
        ("limit", sql.LimitExceeded),
    ):
        users.problems[text] = (kind, "told")
        with pytest.raises(cls):
            send(api, "GET", "/users/1")


Wrong = Callable[[BoltAPI], Any]


def used(cls: type, **options: Any) -> Wrong:
    return lambda api: api.crud(User, table="users", **options)(cls)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda api: api.crud(User), r"crud\(User\) needs the name of its table"),
        (lambda api: api.crud(int, table="x"), "a Struct, a dataclass, or a model of SQLAlchemy"),
        (lambda api: api.crud(User, table=""), "needs the name of its table"),
        (lambda api: api.crud(User, table="a\0b"), "the name of a table is a text"),
        (lambda api: api.crud(User, table="x", key="uid"), "has no field 'uid'"),
        (lambda api: api.crud(Wide, table="x", key="day"), "is none of int, str and UUID"),
        (lambda api: api.crud(User, table="x", only=["drop"]), "no operation 'drop'"),
        (lambda api: api.crud(User, table="x", filters=["size"]), "'size' is no column"),
        (lambda api: api.crud(User, table="x", filters=["age__like"]), "'age__like' is no column"),
        (lambda api: api.crud(Wide, table="x", filters=["words"]), "'words' holds nothing"),
        (lambda api: api.crud(User, table="x", page=0), "page is a number from 1 on"),
        (lambda api: api.crud(User, table="x", most=10), "a page of 20 is more than the most, 10"),
        (lambda api: api.crud(User, table="x", response_model=int), "no option response_model"),
        (lambda api: api.crud(User, table="x", path="x"), "must start with '/'"),
        (used(type("A", (), {"before_read": lambda self: 1})), "'before_read' belongs to no"),
        (used(type("B", (), {"before_save": lambda self: 1})), "'before_save' belongs to no"),
        (used(type("C", (), {"list": print}), only=["read"]), "'list' is none of the operations"),
        (used(type("D", (), {"after_create": lambda self, *x: 1})), "'x' of after_create"),
    ],
)
def test_what_cannot_be_served(wrong: Wrong, told: str) -> None:
    with pytest.raises(TypeError, match=told) as raised:
        wrong(BoltAPI())
    assert "test_crud.py:" in str(raised.value)
