"""`jsonable_encoder`."""

import dataclasses
from collections import deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest

from bolt import Field, Struct
from bolt.encoders import jsonable_encoder

U = UUID("12345678-1234-5678-1234-567812345678")


class Color(Enum):
    RED = "red"


class Inner(Struct):
    a: int
    b: str | None = None


class Item(Struct, rename="camel"):
    first_name: str
    when: datetime | None = None
    inner: Inner | None = None
    tags: list[str] = Field(default_factory=list)


class Secret(Inner):
    password: str = "x"


@dataclasses.dataclass
class Data:
    n: int
    item: Any = None


class Plain:
    def __init__(self) -> None:
        self.color = Color.RED
        self._sa_state = object()


def test_values_of_many_kinds():
    when = datetime(2024, 1, 2, tzinfo=UTC)
    made = jsonable_encoder(
        {
            "when": when,
            "for": timedelta(minutes=1),
            "path": PurePosixPath("/a/b"),
            "many": deque([U, Color.RED, (1, 2)]),
            "made": (n for n in range(2)),
            Color.RED: Decimal("1.5"),
            "text": b"ab",
            "object": Plain(),
        }
    )
    assert made == {
        "when": "2024-01-02T00:00:00Z",
        "for": 60.0,
        "path": "/a/b",
        "many": [str(U), "red", [1, 2]],
        "made": [0, 1],
        "red": "1.5",
        "text": "ab",
        "object": {"color": "red"},
    }


def test_records():
    item = Item(first_name="x", inner=Secret(a=1))
    whole = {"firstName": "x", "when": None, "inner": {"a": 1, "b": None}, "tags": []}
    assert jsonable_encoder(item) == jsonable_encoder(item) == whole
    assert jsonable_encoder([Data(1, item)]) == [{"n": 1, "item": whole}]
    assert next(iter(jsonable_encoder(item, by_alias=False))) == "first_name"
    few = {"firstName": "x", "inner": {"a": 1}}
    assert jsonable_encoder(item, exclude_defaults=True) == few
    assert jsonable_encoder(item, exclude_unset=True) == few
    assert jsonable_encoder(item, exclude_none=True) == {**few, "tags": []}


def test_fields_are_picked_and_left_out():
    item = Item(first_name="x", inner=Inner(a=1))
    assert jsonable_encoder(item, include={"first_name"}) == {"firstName": "x"}
    assert jsonable_encoder([item], include={"inner": {"a"}}) == [{"inner": {"a": 1}}]
    assert jsonable_encoder(item, exclude=["when", "inner", "tags"]) == {"firstName": "x"}
    assert jsonable_encoder({"a": 1, "b": {"a": 2}}, exclude={"a"}) == {"b": {"a": 2}}
    assert jsonable_encoder(Data(1), include={"n"}) == {"n": 1}
    assert jsonable_encoder({"a": None, "b": [None]}, exclude_none=True) == {"b": [None]}


def test_encoders_of_ones_own():
    custom = {datetime: lambda value: value.year, Plain: lambda value: "plain"}
    value = {"when": datetime(2024, 1, 2), "data": Data(1, Plain())}
    made = jsonable_encoder(value, custom_encoder=custom)
    assert made == {"when": 2024, "data": {"n": 1, "item": "plain"}}


def test_what_has_no_form():
    with pytest.raises(TypeError, match="complex"):
        jsonable_encoder({"a": [1j]})
    round_trip: list[Any] = []
    round_trip.append(round_trip)
    with pytest.raises(ValueError, match="nested deeper"):
        jsonable_encoder(round_trip)
