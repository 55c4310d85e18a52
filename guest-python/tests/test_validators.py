"""Validators and constructors of records: what they see, and the 422 for what they refuse.

The tables are FastAPI's answers for the same records, with the request as the host sends it: a
tuple of the fields, and Ellipsis for one that the request does not have.
"""

import dataclasses
from typing import Annotated, Any, NamedTuple

import pytest

from bolt import BoltAPI, Field, Query, Struct, ValidationInfo, field_validator, model_validator
from bolt._app.manifest import manifest
from bolt.exceptions import RequestValidationError


class V(Struct):
    a: str = "  a "
    b: list[str] = ["x"]
    c: Annotated[str, Field(validate_default=True)] = " c "
    n: int = -5
    f: list[int] = Field(default_factory=lambda: [3, 1])

    @field_validator("a", "c")
    @classmethod
    def strip(cls, value: str) -> str:
        return value.strip()

    @field_validator("b")
    @classmethod
    def upper(cls, value: list[str]) -> list[str]:
        return [item.upper() for item in value]

    @field_validator("n")
    @classmethod
    def positive(cls, value: int) -> int:
        if value < 0:
            raise ValueError("negative")
        return value

    @field_validator("f")
    @classmethod
    def in_order(cls, value: list[int]) -> list[int]:
        return sorted(value)


class W(Struct):
    a: int = 1
    b: int = 2
    seen: list[str] = []

    @field_validator("*")
    @classmethod
    def star(cls, value: Any, info: ValidationInfo) -> Any:
        if value == 7:
            raise ValueError(f"seven {info.field_name} {sorted(info.data)}")
        return value


class Sub(V):
    @field_validator("a")
    @classmethod
    def strip(cls, value: str) -> str:
        return "sub" + value


class Mo(Struct):
    a: int = 1

    @model_validator(mode="after")
    def whole(self) -> "Mo":
        if self.a == 1:
            raise ValueError("one")
        return self


@dataclasses.dataclass
class D:
    a: int
    b: int = 2

    def __post_init__(self) -> None:
        if self.a == 0:
            raise ValueError("zero")
        if self.a == 1:
            raise AssertionError("one")
        if self.a == 3:
            raise TypeError("three")


@dataclasses.dataclass
class E:
    d: D
    ds: list[D] = dataclasses.field(default_factory=list)
    m: dict[str, D] = dataclasses.field(default_factory=dict)


class C(Struct):
    a: int

    def __init__(self, **data: Any) -> None:
        if data.get("a") == 0:
            raise ValueError("zero")
        if data.get("a") == 1:
            raise AssertionError("one")
        self.a = data["a"]

    @field_validator("a")
    @classmethod
    def small(cls, value: int) -> int:
        if value > 99:
            raise AssertionError("large")
        return value


class CC(Struct):
    c: C
    cs: list[C] = []


@dataclasses.dataclass
class Handwritten:
    a: int

    def __init__(self, *, a: int) -> None:
        if a == 0:
            raise ValueError("zero")
        self.a = a + 100


class Named(NamedTuple):
    a: int


class Checked(Named):
    def __new__(cls, a: int) -> "Checked":
        if a == 0:
            raise ValueError("zero")
        return super().__new__(cls, a)


V0: dict[str, Any] = {"a": "  a ", "b": ["x"], "c": "c", "n": -5, "f": [3, 1]}
# The host fills in the default of `c`, which is validated in any case.
NONE = (..., ..., " c ", ..., ...)

TAKEN: list[tuple[Any, Any, dict[str, Any]]] = [
    (V, NONE, V0),
    (V, (" q ", ..., " c ", ..., ...), {**V0, "a": "q"}),
    # Given, and equal to the default.
    (V, ("  a ", ["x"], " c ", ..., [3, 1]), {**V0, "a": "a", "b": ["X"], "f": [1, 3]}),
    (V, (..., ["q"], "  z", 3, [2, 1]), {**V0, "b": ["Q"], "c": "z", "n": 3, "f": [1, 2]}),
    (W, (..., ..., ...), {"a": 1, "b": 2, "seen": []}),
    (Sub, NONE, {**V0, "c": " c "}),
    (Sub, (" x ", ..., " c ", ..., ...), {**V0, "a": "sub x ", "c": " c "}),
    (Mo, (2,), {"a": 2}),
    (C, (2,), {"a": 2}),
]


@pytest.mark.parametrize(("cls", "wire", "expected"), TAKEN)
def test_field_validators_see_only_what_the_request_has(cls: Any, wire: Any, expected: Any) -> None:
    api = BoltAPI()

    @api.post("/")
    def handler(record: cls) -> Any:
        return {name: getattr(record, name) for name in cls.__struct_fields__}

    # A second time, because defaults must not be shared or changed.
    for _ in range(2):
        assert api.routes[0].invoke((wire,)) == expected


def test_the_host_does_not_fill_in_defaults_that_validators_must_not_see() -> None:
    api = BoltAPI()

    @api.post("/")
    def handler(record: V, plain: CC) -> None: ...

    fields = manifest(api, "app:api")["defs"]["test_validators.V"]["fields"]
    assert [(one["name"], one.get("default", "absent")) for one in fields] == [
        ("a", "absent"),
        ("b", "absent"),
        # Validated whether it is given or not.
        ("c", " c "),
        ("n", "absent"),
        ("f", "absent"),
    ]


def refusals(annotation: Any, wire: Any) -> list[tuple[str, list[Any], str, Any]]:
    api = BoltAPI()

    @api.post("/")
    def handler(record: annotation) -> None: ...

    api.finish()
    with pytest.raises(RequestValidationError) as caught:
        api.routes[0].invoke((wire,))
    return [
        (error["type"], error["loc"], error["msg"], error["input"])
        for error in caught.value.errors()
    ]


ZERO, ONE = "Value error, zero", "Assertion failed, one"
REFUSED: list[tuple[Any, Any, list[tuple[str, list[Any], str, Any]]]] = [
    (
        V,
        (..., ..., " c ", -5, ...),
        [("value_error", ["body", "n"], "Value error, negative", -5)],
    ),
    (
        W,
        (7, ..., ...),
        [("value_error", ["body", "a"], "Value error, seven a []", 7)],
    ),
    (
        W,
        (..., 7, ...),
        [("value_error", ["body", "b"], "Value error, seven b ['a']", 7)],
    ),
    (
        W,
        (7, 7, ...),
        [
            ("value_error", ["body", "a"], "Value error, seven a []", 7),
            ("value_error", ["body", "b"], "Value error, seven b []", 7),
        ],
    ),
    (Mo, (1,), [("value_error", ["body"], "Value error, one", {"a": 1})]),
    (D, (0, ...), [("value_error", ["body"], ZERO, {"a": 0})]),
    (D, (1, ...), [("assertion_error", ["body"], ONE, {"a": 1})]),
    (
        E,
        ((9, 2), [(9, 2), (0, 2), (1, 2)], {"k": (0, 2)}),
        [
            ("value_error", ["body", "ds", 1], ZERO, {"a": 0, "b": 2}),
            ("assertion_error", ["body", "ds", 2], ONE, {"a": 1, "b": 2}),
            ("value_error", ["body", "m", "k"], ZERO, {"a": 0, "b": 2}),
        ],
    ),
    (E, ((0, 2), ..., ...), [("value_error", ["body", "d"], ZERO, {"a": 0, "b": 2})]),
    (
        list[D],
        [(9, 2), (0, 2), (1, 2)],
        [
            ("value_error", ["body", 1], ZERO, {"a": 0, "b": 2}),
            ("assertion_error", ["body", 2], ONE, {"a": 1, "b": 2}),
        ],
    ),
    (C, (0,), [("value_error", ["body"], ZERO, {"a": 0})]),
    (C, (1,), [("assertion_error", ["body"], ONE, {"a": 1})]),
    (C, (100,), [("assertion_error", ["body", "a"], "Assertion failed, large", 100)]),
    (
        CC,
        ((0,), [(0,), (1,), (2,)]),
        [
            ("value_error", ["body", "c"], ZERO, {"a": 0}),
            ("value_error", ["body", "cs", 0], ZERO, {"a": 0}),
            ("assertion_error", ["body", "cs", 1], ONE, {"a": 1}),
        ],
    ),
    # pydantic does not call these constructors.
    (Handwritten, (0,), [("value_error", ["body"], ZERO, {"a": 0})]),
    (Checked, (0,), [("value_error", ["body"], ZERO, {"a": 0})]),
    (D | None, (0, (0, 2)), [("value_error", ["body"], ZERO, {"a": 0, "b": 2})]),
    (Mo | D, (1, (0, 2)), [("value_error", ["body", "D"], ZERO, {"a": 0, "b": 2})]),
]


@pytest.mark.parametrize(("annotation", "wire", "errors"), REFUSED)
def test_what_validators_and_constructors_refuse_is_a_422(
    annotation: Any, wire: Any, errors: Any
) -> None:
    assert refusals(annotation, wire) == errors


def test_constructors_that_refuse_nothing_are_called_once() -> None:
    api = BoltAPI()
    calls = []

    @dataclasses.dataclass
    class Counted:
        a: int

        def __post_init__(self) -> None:
            calls.append(self.a)

    @api.post("/")
    async def handler(record: Counted, other: D, more: Handwritten) -> int:
        return record.a + other.a + more.a

    with pytest.raises(StopIteration, match="109"):
        api.routes[0].invoke(((5,), (2, 2), (2,))).send(None)
    assert calls == [5]


@pytest.mark.parametrize("record", [(3, 2), (4, 2)])
def test_other_exceptions_of_constructors_and_those_of_handlers_are_no_422(record: Any) -> None:
    api = BoltAPI()

    @api.post("/")
    def handler(record: D) -> Any:
        raise ValueError("of the handler")

    with pytest.raises((TypeError, ValueError), match=r"three|of the handler"):
        api.routes[0].invoke((record,))


def test_records_of_queries_are_refused_in_their_source() -> None:
    api = BoltAPI()

    @api.get("/")
    def handler(record: Annotated[V, Query()], other: Annotated[C, Query()]) -> None: ...

    api.finish()
    with pytest.raises(RequestValidationError) as caught:
        api.routes[0].invoke(((..., ..., " c ", -1, ...), (0,)))
    assert [error["loc"] for error in caught.value.errors()] == [["query", "n"], ["query"]]
