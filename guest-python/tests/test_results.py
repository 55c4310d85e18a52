"""Declared results: what is sent, what is filtered, what is an error."""

import dataclasses
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal, Optional, TypedDict

import pytest

from bolt import (
    HTML,
    JSON,
    BoltAPI,
    Field,
    Struct,
)
from bolt._schema.annotations import type_of
from bolt._serialization.response_model import ResultMismatch, Shape, compile_result
from bolt._serialization.serialize import plain
from bolt._serialization.serialize_checked import to_plain


class Color(Enum):
    RED = "red"


class Inner(Struct):
    a: int
    b: str | None = None


class Out(Struct, rename="camel"):
    first_name: str
    inner: Inner
    when: datetime | None = None
    tags: list[str] = Field(default_factory=list)


class Row(TypedDict, total=False):
    x: int


@dataclasses.dataclass
class Data:
    n: int
    shown: str = dataclasses.field(init=False, default="s")


def sent(annotation: Any, value: Any, **shape: Any) -> Any:
    finish = compile_result(type_of(annotation), Shape(**shape))
    return value if finish is None else finish(value)


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, True, 1),
        (int, "5", 5),
        (int, 5.0, 5),
        (float, 1, 1.0),
        (str, Color.RED.value, "red"),
        (bool, "yes", True),
        (Color, "red", "red"),
        (Literal["a", 1], 1, 1),
        (Optional[int], None, None),
        (datetime, datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00Z"),
        (datetime, "2024-01-02", "2024-01-02T00:00:00"),
        (set[int], {1}, [1]),
        (tuple[int, str], [1, "a"], [1, "a"]),
        (dict[str, int], {"a": "1"}, {"a": 1}),
        (dict[str, Any], {"a": {1}}, {"a": {1}}),
        (Row, {"x": 1, "y": 2}, {"x": 1}),
        (Inner, {"a": 1, "c": 2}, {"a": 1, "b": None}),
        (list[Inner], [Inner(a=1), {"a": 2}], [{"a": 1, "b": None}, {"a": 2, "b": None}]),
        (int | Inner, {"a": 1}, {"a": 1, "b": None}),
    ],
)
def test_results_are_made_what_is_declared(annotation, value, expected):
    assert sent(annotation, value) == expected


@pytest.mark.parametrize(
    ("annotation", "value", "place"),
    [
        (int, "x", "result"),
        (int, 1.5, "result"),
        (str, 1, "result"),
        (bool, 2, "result"),
        (list[int], "ab", "result"),
        (list[int], [1, "x"], r"result\[1\]"),
        (dict[str, int], {"a": []}, r"result\['a'\]"),
        (Inner, {"b": "x"}, "result.*no 'a'"),
        (Inner, [1], "result"),
        (Out, {"first_name": "a", "inner": {"a": "x"}}, "result.inner.a"),
        (Literal["a"], "b", "result"),
        (tuple[int, int], (1,), "result"),
        (datetime, "x", "result"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(annotation, value, place):
    with pytest.raises(ResultMismatch, match=place):
        sent(annotation, value)


class Secret(Inner):
    password: str = "secret"


class Holder(Struct):
    one: Inner
    many: list[Inner] = []
    named: dict[str, Inner] = {}
    maybe: Inner | None = None


def test_what_is_inside_a_record_is_filtered_as_well():
    secret = Secret(a=1)
    holder = Holder(one=secret, many=[secret], named={"x": secret}, maybe=secret)
    clean = {"a": 1, "b": None}
    expected = {"one": clean, "many": [clean], "named": {"x": clean}, "maybe": clean}
    assert sent(Holder, holder) == expected
    assert plain(holder) == expected and to_plain(holder) == expected
    assert sent(Holder, Holder(one={"a": 1, "password": "secret"}))["one"] == clean
    assert sent(list[Holder], [holder]) == [expected]


def test_the_fields_of_a_record_are_checked():
    one = Inner(a=1)
    one.a = "abc"
    with pytest.raises(ResultMismatch, match=r"result\.a"):
        sent(Inner, one)
    one.a = "5"
    assert sent(Inner, one) == {"a": 5, "b": None}
    assert sent(Inner, Inner(a=1)) == {"a": 1, "b": None}


def test_fields_are_picked_and_left_out():
    out = Out(first_name="n", inner=Inner(a=1))
    assert sent(Out, out, exclude_none=True) == {"firstName": "n", "inner": {"a": 1}, "tags": []}
    assert sent(Out, out, include={"inner"}) == {"inner": {"a": 1, "b": None}}
    assert sent(Out, out, exclude={"inner": {"b"}, "when": True, "tags": ...}) == {
        "firstName": "n",
        "inner": {"a": 1},
    }
    assert sent(Out, out, by_alias=False, include={"first_name"}) == {"first_name": "n"}
    assert sent(Out, out, exclude_defaults=True) == {"firstName": "n", "inner": {"a": 1}}
    unset = {"first_name": "n", "inner": {"a": 1, "b": None}}
    assert sent(Out, unset, exclude_unset=True) == {"firstName": "n", "inner": {"a": 1, "b": None}}


def test_responses_pass_and_response_classes_wrap():
    api = BoltAPI()

    @api.get("/html", response_class=HTML)
    def page() -> str:
        return "<p>"

    @api.get("/own")
    def own() -> Inner:
        return JSON({"anything": 1})

    api.finish()
    assert isinstance(api.routes[0].invoke(()), HTML)
    assert api.routes[1].invoke(()).data == {"anything": 1}
