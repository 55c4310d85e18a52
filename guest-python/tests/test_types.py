"""Annotations to type expressions, and wire values to objects."""

import enum
import sys
import typing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, Required, TypedDict
from uuid import UUID

import pytest

from bolt import Struct
from bolt._errors import Unsupported
from bolt._schema.annotations import type_of
from bolt._schema.types import is_host_default, type_json
from bolt._serialization.deserialize import converter


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Bad(enum.Enum):
    X = (1, 2)


class Point(Struct):
    x: int
    y: int = 0


class Line(Struct):
    start: Point
    end: Point
    more: list[Point] = []
    label: Color = Color.RED
    note: Point | None = None


class Empty(Struct):
    pass


class Tree(Struct):
    value: int
    left: "Tree | None" = None
    kids: "list[Tree]" = []


class Even(Struct):
    odd: "Odd | None" = None


class Odd(Struct):
    even: Even | None = None


@dataclass
class Mixed:
    a: int
    k: int = field(kw_only=True)
    b: Color = Color.BLUE
    hidden: int = field(default=9, init=False)
    made: list[int] = field(default_factory=lambda: [7])


@dataclass(frozen=True)
class Frozen:
    a: int


class Patch(TypedDict, total=False):
    name: Required[str]
    color: Color
    note: str


class Half(TypedDict):
    a: int
    b: NotRequired[date]


UserId = NewType("UserId", int)
T = {"t": "int"}


def js(annotation: Any) -> Any:
    return type_json(type_of(annotation), lambda cls: cls.__name__)


def convert(annotation: Any, wire: Any) -> Any:
    made = converter(type_of(annotation))
    return wire if made is None else made(wire)


ENUM = {"t": "enum", "name": "Color", "values": ["red", "blue"]}
EXPRESSIONS = [
    (str, {"t": "str"}),
    (int, T),
    (float, {"t": "float"}),
    (bool, {"t": "bool"}),
    (None, {"t": "none"}),
    (type(None), {"t": "none"}),
    (bytes, {"t": "bytes"}),
    (Any, {"t": "any"}),
    (object, {"t": "any"}),
    (datetime, {"t": "datetime"}),
    (date, {"t": "date"}),
    (UUID, {"t": "uuid"}),
    (Decimal, {"t": "decimal"}),
    (int | None, {"t": "union", "of": [T, {"t": "none"}]}),
    (typing.Optional[int], {"t": "union", "of": [T, {"t": "none"}]}),
    (typing.Union[int, str], {"t": "union", "of": [T, {"t": "str"}]}),  # noqa: UP007
    (list[int], {"t": "list", "item": T}),
    (typing.List[int], {"t": "list", "item": T}),  # noqa: UP006
    (typing.List, {"t": "list", "item": {"t": "any"}}),  # noqa: UP006
    (list, {"t": "list", "item": {"t": "any"}}),
    (set[int], {"t": "set", "item": T}),
    (frozenset[int], {"t": "frozenset", "item": T}),
    (tuple[int, ...], {"t": "vartuple", "item": T}),
    (tuple, {"t": "vartuple", "item": {"t": "any"}}),
    (tuple[int, str], {"t": "tuple", "items": [T, {"t": "str"}]}),
    (tuple[()], {"t": "tuple", "items": []}),
    (dict, {"t": "dict", "key": {"t": "str"}, "value": {"t": "any"}}),
    (dict[int, str], {"t": "dict", "key": T, "value": {"t": "str"}}),
    (Literal["a", 1, True, None], {"t": "literal", "values": ["a", 1, True, None]}),
    (Color, ENUM),
    (Level, {"t": "enum", "name": "Level", "base": "int", "values": [1, 2]}),
    (Point, {"t": "ref", "id": "Point"}),
    (Mixed, {"t": "ref", "id": "Mixed"}),
    (Patch, {"t": "ref", "id": "Patch"}),
    (Annotated[int, "doc"], T),
    (Annotated[int, []], T),
    (UserId, T),
    (list[UserId | None], {"t": "list", "item": {"t": "union", "of": [T, {"t": "none"}]}}),
    (Annotated[int | str, 1] | None, {"t": "union", "of": [T, {"t": "str"}, {"t": "none"}]}),
]


@pytest.mark.parametrize(("annotation", "expected"), EXPRESSIONS)
def test_expressions(annotation, expected):
    assert js(annotation) == expected


class Pair(NamedTuple):
    a: int


@pytest.mark.parametrize(
    "annotation",
    [
        complex,
        timedelta,
        Bad,
        Literal[b"x"],
        Literal[Color.RED],
        set[list[int]],
        set[Point],
        frozenset[Patch],
        dict[Point, int],
        dict[bytes, int],
        type[int],
        typing.Callable[[], int],
        typing.TypeVar("V"),
        Struct,
    ],
)
def test_unsupported(annotation):
    with pytest.raises(Unsupported):
        type_of(annotation)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type statements exist from 3.12 on")
def test_type_aliases():
    scope: dict[str, Any] = {}
    exec("type Ids = list[int]\ntype Pair[V] = dict[str, V]\ntype Loop = list[Loop]", scope)
    assert js(scope["Ids"]) == {"t": "list", "item": T}
    assert js(scope["Pair"][int])["value"] == T
    with pytest.raises(Unsupported, match="refers to itself"):
        type_of(scope["Loop"])


def test_plain_types_need_no_converter():
    plain = (int, str, Any, bytes, list[int], dict[str, list[int]], int | None, Literal["a"])
    for annotation in (*plain, tuple[int, str], tuple[int, ...]):
        assert converter(type_of(annotation)) is None


U = UUID("12345678-1234-5678-1234-567812345678")
CONVERSIONS = [
    (Color, 1, Color.BLUE),
    (Level, 0, Level.LOW),
    (datetime, (2024, 1, 2, 3, 4, 5, 6, None), datetime(2024, 1, 2, 3, 4, 5, 6)),
    (datetime, (2024, 1, 2, 3, 4, 5, 6, 0), datetime(2024, 1, 2, 3, 4, 5, 6, UTC)),
    (
        datetime,
        (2024, 1, 2, 3, 4, 5, 6, -3600),
        datetime(2024, 1, 2, 3, 4, 5, 6, timezone(timedelta(hours=-1))),
    ),
    (date, (2024, 1, 2), date(2024, 1, 2)),
    (UUID, U.int, U),
    (Decimal, "1.50", Decimal("1.50")),
    (set[int], [1, 2], {1, 2}),
    (frozenset[Color], [0, 1], frozenset(Color)),
    (list[Color], [0, 1], [Color.RED, Color.BLUE]),
    (list[list[date]], [[(2024, 1, 2)], []], [[date(2024, 1, 2)], []]),
    (tuple[Color, ...], (1, 0), (Color.BLUE, Color.RED)),
    (tuple[int, Color, date], (4, 1, (2024, 1, 2)), (4, Color.BLUE, date(2024, 1, 2))),
    (dict[Color, date], {1: (2024, 1, 2)}, {Color.BLUE: date(2024, 1, 2)}),
    (dict[UUID, int], {U.int: 3}, {U: 3}),
    (dict[str, Point], {"a": (1, 2)}, {"a": Point(x=1, y=2)}),
    (Point | None, (0, (1, 2)), Point(x=1, y=2)),
    (Point | None, (1, None), None),
    (int | Color | date, (0, 5), 5),
    (int | Color | date, (1, 0), Color.RED),
    (int | Color | date, (2, (2024, 1, 2)), date(2024, 1, 2)),
    (list[Point | int], [(0, (1, 2)), (1, 5)], [Point(x=1, y=2), 5]),
    (Empty, (), Empty()),
    (list[Empty], [(), ()], [Empty(), Empty()]),
    (Point, (1, 2), Point(x=1, y=2)),
    (Line, ((1, 2), (3, 4), ..., ..., ...), Line(start=Point(x=1, y=2), end=Point(x=3, y=4))),
    (
        Line,
        ((1, 2), (3, 4), [(5, 6)], 1, (0, (7, 8))),
        Line(
            start=Point(x=1, y=2),
            end=Point(x=3, y=4),
            more=[Point(x=5, y=6)],
            label=Color.BLUE,
            note=Point(x=7, y=8),
        ),
    ),
    (
        Tree,
        (1, (0, (2, (1, None), [])), [(3, ..., ...)]),
        Tree(value=1, left=Tree(value=2), kids=[Tree(value=3)]),
    ),
    (Even, ((0, ((0, (...,)),)),), Even(odd=Odd(even=Even()))),
    (Mixed, (1, 2, ..., ...), Mixed(1, Color.BLUE, k=2)),
    (Mixed, (1, 2, 0, [3]), Mixed(1, Color.RED, [3], k=2)),
    (Frozen, (4,), Frozen(4)),
    (set[Frozen], [(4,), (4,)], {Frozen(4)}),
    (Patch, ("n", ..., ...), {"name": "n"}),
    (Patch, ("n", 1, "x"), {"name": "n", "color": Color.BLUE, "note": "x"}),
    (Half, (1, (2024, 1, 2)), {"a": 1, "b": date(2024, 1, 2)}),
]


@pytest.mark.parametrize(("annotation", "wire", "expected"), CONVERSIONS)
def test_conversions(annotation, wire, expected):
    made = convert(annotation, wire)
    assert made == expected
    assert type(made) is type(expected)


def test_defaults_are_not_shared():
    one, two = (convert(Line, ((1, 2), (3, 4), ..., ..., ...)) for _ in range(2))
    assert one.more is not two.more
    left, right = (convert(Mixed, (1, 2, ..., ...)) for _ in range(2))
    assert left.made == [7] and left.made is not right.made and left.hidden == 9


def test_a_typeddict_key_may_be_any_string():
    strange = TypedDict("strange", {"a-b": date, "class": int, "'": NotRequired[int]})
    assert convert(strange, ((2024, 1, 2), 3, ...)) == {"a-b": date(2024, 1, 2), "class": 3}


def test_types_that_mention_each_other_often_stay_small():
    made: Any = Point
    for number in range(30):
        body = {"__annotations__": {"a": made, "b": made}, "__module__": __name__}
        made = type(Struct)(f"Deep{number}", (Struct,), body)
    assert converter(type_of(made)) is not None


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        (int, 1, True),
        (int, None, True),
        (str, "x", True),
        (float, 1.5, True),
        (float, float("inf"), False),
        (float, float("nan"), False),
        (int, 1 << 63, False),
        (int, -(1 << 63), True),
        (list[int], [], False),
        (str, Level.LOW, False),
        (Color, Color.RED, False),
        (date | None, None, False),
        (int | None, None, True),
    ],
)
def test_host_defaults(annotation, default, expected):
    assert is_host_default(type_of(annotation), default) is expected
