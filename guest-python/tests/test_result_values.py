"""What is sent for declared results: the tables are what FastAPI sends for the same declarations.

FastAPI's answer is in the table as JSON; WRONG is a 500. Where bolt-host differs by decision, the
row is in a table of its own.
"""

# ruff: noqa: E501, F401 (the tables are evaluated)
import dataclasses
import marshal
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import pytest

from bolt import Field, Struct
from bolt._errors import ResultError
from bolt._schema.annotations import type_of
from bolt._serialization.replies import encode_reply
from bolt._serialization.response_model import Shape, compile_result

WRONG = object()
A = Annotated
U = "12345678-1234-5678-1234-567812345678"


class Color(Enum):
    RED = "red"


class SColor(str, Enum):  # noqa: UP042
    RED = "red"


class Level(int, Enum):
    LOW = 1


class Dog(Struct):
    name: str


class Puppy(Dog):
    age: int = 1


class Owner(Struct):
    name: str
    city: str = "x"


class Cat(Struct):
    name: str
    lives: int = 9


class Num(Struct):
    n: int


class Txt(Struct):
    n: str


@dataclasses.dataclass
class DDog:
    name: str


@dataclasses.dataclass
class DOwner:
    name: str
    city: str = "x"


class TDog(TypedDict):
    name: str


class TOwner(TypedDict):
    name: str
    city: str


class Pair(NamedTuple):
    a: int
    b: str = "x"


class IntSub(int):
    pass


class StrSub(str):
    pass


class Bounded(Struct):
    n: A[int, Field(gt=0)] = 1
    s: A[str, Field(min_length=2, max_length=3, pattern="^[a-z]+$")] = "ab"
    many: A[list[int], Field(min_length=1)] = [1]


@dataclasses.dataclass
class DB:
    n: A[int, Field(gt=0)] = 1


def sent(annotation: Any, value: Any) -> Any:
    finish = compile_result(type_of(annotation), Shape())
    made = value if finish is None else finish(value)
    return marshal.loads(encode_reply(200, made).encode("latin-1"))[1]


NAMED = {"name": "a"}
# fmt: off
VALUES: list[tuple[str, str, Any]] = [
    ('Dog | Owner', 'Owner(name="a", city="b")', {'name': 'a', 'city': 'b'}),
    ('Owner | Dog', 'Dog(name="a")', {'name': 'a'}),
    ('Dog | Owner', 'Puppy(name="a", age=2)', {'name': 'a'}),
    ('Owner | Dog', 'Puppy(name="a", age=2)', {'name': 'a'}),
    ('Puppy | Dog', 'Dog(name="a")', {'name': 'a'}),
    ('Dog | Puppy', 'Puppy(name="a", age=2)', {'name': 'a', 'age': 2}),
    ('Dog | Owner', '{"name": "a", "city": "b"}', {'name': 'a', 'city': 'b'}),
    ('Dog | Owner', '{"name": "a"}', {'name': 'a'}),
    ('Owner | Dog', '{"name": "a"}', {'name': 'a', 'city': 'x'}),
    ('Owner | Cat', '{"name": "a", "lives": 3}', {'name': 'a', 'lives': 3}),
    ('Owner | Cat', '{"name": "a"}', {'name': 'a', 'city': 'x'}),
    ('Owner | None', 'None', None),
    ('None | Owner', 'Owner(name="a")', {'name': 'a', 'city': 'x'}),
    ('Num | Txt', '{"n": "5"}', {'n': '5'}),
    ('Txt | Num', '{"n": 5}', {'n': 5}),
    ('Num | Txt', '{"n": 5}', {'n': 5}),
    ('list[Dog | Owner]', '[Owner(name="a", city="b"), Dog(name="c"), {"name": "d", "city": "e"}]', [{'name': 'a', 'city': 'b'}, {'name': 'c'}, {'name': 'd', 'city': 'e'}]),
    ('dict[str, Dog | Owner]', '{"a": Owner(name="a", city="b")}', {'a': {'name': 'a', 'city': 'b'}}),
    ('list[Dog] | list[Owner]', '[Owner(name="a", city="b")]', [{'name': 'a', 'city': 'b'}]),
    ('list[Dog] | list[Owner]', '[{"name": "a", "city": "b"}]', [{'name': 'a', 'city': 'b'}]),
    ('DDog | DOwner', 'DOwner("a", "b")', {'name': 'a', 'city': 'b'}),
    ('DDog | DOwner', '{"name": "a", "city": "b"}', {'name': 'a', 'city': 'b'}),
    ('DOwner | DDog', '{"name": "a"}', {'name': 'a', 'city': 'x'}),
    ('DOwner | DDog', 'DDog("a")', {'name': 'a'}),
    ('Dog | DOwner', 'DOwner("a", "b")', {'name': 'a', 'city': 'b'}),
    ('Dog | str', '"a"', 'a'),
    ('str | Dog', 'Dog(name="a")', {'name': 'a'}),
    ('Dog | dict', '{"name": "a", "z": 1}', {'name': 'a'}),
    ('dict | Dog', '{"name": "a", "z": 1}', {'name': 'a', 'z': 1}),
    ('dict | Dog', 'Dog(name="a")', {'name': 'a'}),
    ('Dog | dict[str, Any]', '{"z": 1}', {'z': 1}),
    ('list[bool | int]', '[1, 0]', [1, 0]),
    ('list[int | bool]', '[True, 1, False]', [True, 1, False]),
    ('int | str', '"5"', '5'),
    ('str | int', '5', 5),
    ('str | int', 'True', 1),
    ('int | str', 'True', 1),
    ('int | str', '5.0', 5),
    ('int | float', '1.0', 1.0),
    ('int | float', '1', 1),
    ('float | int', '1', 1),
    ('float | int', '1.0', 1.0),
    ('float | int', 'True', 1.0),
    ('int | float', 'True', 1),
    ('int | float', '"1"', 1),
    ('int | float', '"1.5"', 1.5),
    ('float | int', '"1"', 1.0),
    ('float | str', '"nan"', 'nan'),
    ('float | str', '"1.5"', '1.5'),
    ('str | float', '1.5', 1.5),
    ('bool | str', '"yes"', 'yes'),
    ('bool | str', 'True', True),
    ('bool | int', '"1"', True),
    ('int | bool', '"yes"', True),
    ('bool | float', '1', 1.0),
    ('bool | float', '1.0', 1.0),
    ('int | None', '"5"', 5),
    ('int | None', '"x"', WRONG),
    ('Decimal | float', '1.5', 1.5),
    ('float | Decimal', 'Decimal("1.50")', '1.50'),
    ('Decimal | float', 'Decimal("1.50")', '1.50'),
    ('Decimal | str', '"1.50"', '1.50'),
    ('str | Decimal', 'Decimal("1.50")', '1.50'),
    ('Decimal | int', '3', 3),
    ('int | Decimal', 'Decimal("3")', '3'),
    ('int | Decimal', 'Decimal("3.5")', '3.5'),
    ('Decimal', '1.5', '1.5'),
    ('Decimal', '"1.50"', '1.50'),
    ('Decimal', 'True', WRONG),
    ('datetime | str', '"2024-01-02"', '2024-01-02'),
    ('str | datetime', 'datetime(2024, 1, 2)', '2024-01-02T00:00:00'),
    ('date | datetime', 'datetime(2024, 1, 2, 3)', '2024-01-02T03:00:00'),
    ('datetime | date', 'date(2024, 1, 2)', '2024-01-02'),
    ('date | datetime', 'datetime(2024, 1, 2)', '2024-01-02T00:00:00'),
    ('date | datetime', '"2024-01-02"', '2024-01-02'),
    ('datetime | date', '"2024-01-02"', '2024-01-02T00:00:00'),
    ('date | datetime', '"2024-01-02T03:00:00"', '2024-01-02T03:00:00'),
    ('datetime', 'date(2024, 1, 2)', '2024-01-02T00:00:00'),
    ('date', 'datetime(2024, 1, 2)', '2024-01-02'),
    ('date', 'datetime(2024, 1, 2, 3)', WRONG),
    ('date', '"2024-01-02T00:00:00"', '2024-01-02'),
    ('datetime', '0', '1970-01-01T00:00:00Z'),
    ('datetime', '1700000000.5', '2023-11-14T22:13:20.500000Z'),
    ('date', '86400', '1970-01-02'),
    ('date', '5', WRONG),
    ('datetime', '"x"', WRONG),
    ('datetime | int', '5', 5),
    ('int | datetime', 'datetime(2024, 1, 2)', '2024-01-02T00:00:00'),
    ('date | str', 'date(2024, 1, 2)', '2024-01-02'),
    ('UUID | str', 'U', '12345678-1234-5678-1234-567812345678'),
    ('str | UUID', 'UUID(U)', '12345678-1234-5678-1234-567812345678'),
    ('UUID', 'U', '12345678-1234-5678-1234-567812345678'),
    ('UUID', 'UUID(U).bytes', '12345678-1234-5678-1234-567812345678'),
    ('UUID', '5', WRONG),
    ('Color | str', '"red"', 'red'),
    ('str | Color', 'Color.RED', 'red'),
    ('Color | str', 'Color.RED', 'red'),
    ('SColor | str', '"red"', 'red'),
    ('str | SColor', 'SColor.RED', 'red'),
    ('SColor | str', 'SColor.RED', 'red'),
    ('Level | int', '1', 1),
    ('int | Level', 'Level.LOW', 1),
    ('int | bool | Level', 'Level.LOW', 1),
    ('SColor', '"red"', 'red'),
    ('Color', '"blue"', WRONG),
    ('Color', 'SColor.RED', 'red'),
    ('Literal["a", 1]', '1', 1),
    ('Literal["a", 1]', 'True', 1),
    ('Literal["a", 1]', '1.0', 1),
    ('Literal[1]', 'True', 1),
    ('Literal[True]', '1', True),
    ('Literal["red"]', 'SColor.RED', 'red'),
    ('Literal["1"] | int', '"1"', '1'),
    ('int | Literal["1"]', '"1"', '1'),
    ('int | Literal["a"]', '"1"', 1),
    ('str | Literal["a"]', '"a"', 'a'),
    ('list[int] | list[str]', '["1", "2"]', ['1', '2']),
    ('list[str] | list[int]', '[1, 2]', [1, 2]),
    ('list[int] | list[str]', '["1", 2]', [1, 2]),
    ('list[int] | list[str]', '[1, "x"]', WRONG),
    ('list[int] | str', '"ab"', 'ab'),
    ('list[int] | set[int]', '{1}', [1]),
    ('set[int] | list[int]', '[1, 1]', [1, 1]),
    ('list[int] | tuple[int, ...]', '(1, 2)', [1, 2]),
    ('tuple[int, int] | list[int]', '[1, 2]', [1, 2]),
    ('tuple[int, str] | tuple[str, int]', '("1", 2)', ['1', 2]),
    ('dict[str, int] | dict[str, str]', '{"a": "1"}', {'a': '1'}),
    ('dict[str, str] | dict[str, int]', '{"a": 1}', {'a': 1}),
    ('dict[int, str] | dict[str, str]', '{"1": "x"}', {'1': 'x'}),
    ('list[int] | dict[str, int]', '{"a": 1}', {'a': 1}),
    ('list[int] | int', '5', 5),
    ('list[int | str]', '["1", 2, "x"]', ['1', 2, 'x']),
    ('dict[str, int | str]', '{"a": "1"}', {'a': '1'}),
    ('dict[str, int]', '{1: 1}', WRONG),
    ('dict[int, int]', '{"1": 1}', {1: 1}),
    ('dict[int, int]', '{1: 1}', {1: 1}),
    ('set[int]', '[1, 1, "1"]', [1]),
    ('set[int]', '[2, 1]', [1, 2]),
    ('frozenset[str]', '["a", "a"]', ['a']),
    ('list[int]', '(1, 2)', [1, 2]),
    ('list[int]', '{1}', [1]),
    ('list[int]', 'range(3)', [0, 1, 2]),
    ('list[int]', '(n for n in range(3))', [0, 1, 2]),
    ('list[int]', '{"a": 1}.keys()', WRONG),
    ('list[int]', '{1: 1}.keys()', [1]),
    ('list[int]', '{1: 1}', WRONG),
    ('list[int]', 'map(int, "12")', [1, 2]),
    ('list[str]', '"ab"', WRONG),
    ('list[int]', 'b"ab"', WRONG),
    ('set[int]', '(n for n in range(3))', [0, 1, 2]),
    ('tuple[int, ...]', '(n for n in range(3))', [0, 1, 2]),
    ('tuple[int, int]', '(n for n in range(2))', [0, 1]),
    ('tuple[int, int]', '{1, 2}', [1, 2]),
    ('bytes | str', '"a"', 'a'),
    ('str | bytes', 'b"a"', 'a'),
    ('str', 'b"a"', 'a'),
    ('str', 'StrSub("a")', 'a'),
    ('int', 'IntSub(3)', 3),
    ('str', 'SColor.RED', 'red'),
    ('str', 'Color.RED', 'red'),
    ('int', 'Level.LOW', 1),
    ('int', 'True', 1),
    ('int', '1.0', 1),
    ('int', '"1.0"', 1),
    ('int', '"1_0"', 10),
    ('int', '" 5 "', 5),
    ('int', '"+5"', 5),
    ('int', 'Decimal("2")', 2),
    ('int', 'Decimal("2.5")', WRONG),
    ('float', 'True', 1.0),
    ('float', '"1_0"', 10.0),
    ('float', '" 1.5 "', 1.5),
    ('float', 'Decimal("1.5")', 1.5),
    ('bool', '1.0', True),
    ('bool', '1', True),
    ('bool', '2', WRONG),
    ('bool', '"YES"', True),
    ('bool', '"off"', False),
    ('bool', 'Decimal(1)', True),
    ('bool', '" true"', WRONG),
    ('str', '5', WRONG),
    ('bytes', '"a"', 'a'),
    ('None', '5', 5),
    ('int', 'None', WRONG),
    ('Dog', 'Puppy(name="a")', {'name': 'a'}),
    ('Dog', 'DOwner("a", "b")', {'name': 'a'}),
    ('Dog', '[1]', WRONG),
    ('Dog', '"x"', WRONG),
    ('DDog', '{"name": "a"}', {'name': 'a'}),
    ('int | float | str', 'Decimal("2")', 2.0),
]

CONSTRAINTS: list[tuple[str, str, Any]] = [
    ('Bounded', '{"n": -1}', WRONG),
    ('Bounded', '{"n": "2"}', {'n': 2, 's': 'ab', 'many': [1]}),
    ('Bounded', '{"s": "a"}', WRONG),
    ('Bounded', '{"s": "abcd"}', WRONG),
    ('Bounded', '{"s": "AB"}', WRONG),
    ('Bounded', '{"s": "ab\\n"}', WRONG),
    ('Bounded', '{"many": []}', WRONG),
    ('list[Bounded]', '[{"n": 0}]', WRONG),
    ('dict[str, Bounded]', '{"a": {"n": 0}}', WRONG),
    ('DB', '{"n": 0}', WRONG),
    ('A[int, Field(gt=0)]', '-1', WRONG),
    ('A[int, Field(gt=0)]', '1', 1),
    ('A[int, Field(gt=0)]', '"3"', 3),
    ('A[int, Field(gt=0)]', '"-3"', WRONG),
    ('A[int, Field(gt=0)]', 'True', 1),
    ('A[int, Field(gt=0)]', 'False', WRONG),
    ('A[int, Field(ge=0)]', '0', 0),
    ('A[int, Field(lt=5)]', '5', WRONG),
    ('A[int, Field(le=5)]', '5', 5),
    ('A[int, Field(multiple_of=3)]', '9', 9),
    ('A[int, Field(multiple_of=3)]', '10', WRONG),
    ('A[int, Field(le=2**63)]', '2**63', 9223372036854775808),
    ('A[int, Field(le=2**63)]', '2**63+1', WRONG),
    ('A[float, Field(gt=0)]', '0.0', WRONG),
    ('A[float, Field(gt=0)]', '0', WRONG),
    ('A[float, Field(gt=0)]', '1', 1.0),
    ('A[float, Field(multiple_of=0.1)]', '0.3', 0.3),
    ('A[float, Field(multiple_of=0.5)]', '0.75', WRONG),
    ('A[float, Field(multiple_of=0.1)]', '-0.3', -0.3),
    ('A[Decimal, Field(gt=Decimal("0.1"))]', 'Decimal("0.10000000000000000001")', '0.10000000000000000001'),
    ('A[Decimal, Field(gt=Decimal("0.1"))]', 'Decimal("0.1")', WRONG),
    ('A[Decimal, Field(le=Decimal("100"))]', 'Decimal("100.00000000000000000001")', WRONG),
    ('A[Decimal, Field(multiple_of=Decimal("0.1"))]', 'Decimal("0.35")', WRONG),
    ('A[Decimal, Field(multiple_of=Decimal("0.1"))]', '"0.3"', '0.3'),
    ('A[str, Field(min_length=2)]', '"é"', WRONG),
    ('A[str, Field(min_length=2)]', '"éé"', 'éé'),
    ('A[str, Field(max_length=1)]', '"ab"', WRONG),
    ('A[str, Field(pattern="b")]', '"abc"', 'abc'),
    ('A[str, Field(pattern="^b")]', '"abc"', WRONG),
    ('A[str, Field(pattern="c$")]', '"abc\\n"', WRONG),
    ('A[bytes, Field(max_length=1)]', '"é"', WRONG),
    ('A[list[int], Field(min_length=2)]', '[1]', WRONG),
    ('A[list[int], Field(max_length=2)]', '[1, 2, 3]', WRONG),
    ('A[set[int], Field(min_length=2)]', '[1, 1]', WRONG),
    ('A[set[int], Field(max_length=1)]', '[1, 1]', [1]),
    ('A[tuple[int, ...], Field(max_length=1)]', '(1, 2)', WRONG),
    ('A[dict[str, int], Field(max_length=1)]', '{"a": 1, "b": 2}', WRONG),
    ('A[dict[str, int], Field(min_length=1)]', '{}', WRONG),
    ('list[A[int, Field(gt=0)]]', '[1, 0]', WRONG),
    ('list[A[int, Field(gt=0)]]', '[1, 2]', [1, 2]),
    ('dict[str, A[int, Field(gt=0)]]', '{"a": 0}', WRONG),
    ('dict[A[str, Field(min_length=2)], int]', '{"a": 0}', WRONG),
    ('tuple[A[int, Field(gt=0)], int]', '(0, 0)', WRONG),
    ('A[int, Field(gt=0)] | None', 'None', None),
    ('A[int, Field(gt=0)] | None', '0', WRONG),
    ('A[int, Field(gt=3)] | str', '2', WRONG),
    ('A[int, Field(gt=3)] | float', '2', 2.0),
    ('A[list[Any], Field(min_length=1)]', '[]', WRONG),
    ('A[dict[str, Any], Field(min_length=1)]', '{}', WRONG),
]

# Rows without an answer of FastAPI: pydantic refuses `typing.TypedDict` before Python 3.12.
OWN: list[tuple[str, str, Any]] = [
    ("TDog | TOwner", '{"name": "a", "city": "b"}', {"name": "a", "city": "b"}),
    ("TOwner | TDog", '{"name": "a"}', {"name": "a"}),
    ("TDog", '{"name": "a", "x": 1}', {"name": "a"}),
    ("list[TDog]", '[{"name": "a", "x": 1}, {"name": StrSub("a")}]', [NAMED, NAMED]),
    ("TDog", '{"nam": "a"}', WRONG),
    ("Pair", "Pair(1)", [1, "x"]),
    ("list[Pair]", "[Pair(1)]", [[1, "x"]]),
    ("Pair", '[1, "q"]', [1, "q"]),
    ("Pair", '{"a": 1}', [1, "x"]),
    ("Pair", '[1, "q", 2]', WRONG),
    # Records that the handler created are checked too, because their constructor checks nothing.
    ("Bounded", "Bounded(n=-1)", WRONG),
    ("Bounded", 'Bounded(s="ABC")', WRONG),
    ("Bounded", "Bounded(many=[])", WRONG),
    ("Bounded", "Bounded(n=2)", {"n": 2, "s": "ab", "many": [1]}),
    ("DB", "DB(0)", WRONG),
    ("list[DB]", "[DB(1), DB(0)]", WRONG),
    ("Dog | Owner", "Owner(name=5)", WRONG),
    ("dict[str, list[Dog | Owner]]", '{"k": [Owner(name="a")]}', {"k": [{**NAMED, "city": "x"}]}),
    ('A[str, Field(pattern="(?<year>[0-9]{4})$")]', '"2024"', "2024"),
    ('A[str, Field(pattern="[$]$")]', '"a$"', "a$"),
    # Python's `re` has no such class, so only the host can check this pattern.
    (r'A[str, Field(pattern="^[[:alpha:]\\p{L}]+$")]', '"a"', "a"),
    ("A[int, Field(gt=0)] | None", "None", None),
]
# fmt: on


@pytest.mark.parametrize(("annotation", "value", "expected"), [*VALUES, *CONSTRAINTS, *OWN])
def test_declared_results(annotation: str, value: str, expected: Any) -> None:
    kind = eval(annotation)
    if expected is WRONG:
        with pytest.raises(ResultError):
            sent(kind, eval(value))
        return
    made = sent(kind, eval(value))
    # By their text: 1, 1.0 and True are equal in Python, and differ in JSON.
    assert repr(made) == repr(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [row for row in (*VALUES, *CONSTRAINTS, *OWN) if row[0] != "None"],
)
def test_declared_results_inside_of_records(annotation: str, value: str, expected: Any) -> None:
    class Holder(Struct):
        held: eval(annotation)  # type: ignore[valid-type]

    if expected is WRONG:
        with pytest.raises(ResultError):
            sent(Holder, Holder(held=eval(value)))
        return
    assert repr(sent(Holder, Holder(held=eval(value)))) == repr({"held": expected})
    assert repr(sent(list[Holder], [{"held": eval(value)}])) == repr([{"held": expected}])
