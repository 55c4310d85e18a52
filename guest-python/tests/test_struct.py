"""Struct as its users see it."""

import copy
import pickle
from typing import Any, ClassVar

import pytest

from bolt import Struct


class Point(Struct):
    x: int
    y: int = 0


class Named(Point):
    name: str
    y: int = 5
    kind: ClassVar[str] = "point"

    def shout(self) -> str:
        return self.name.upper()


class NewDefault(Point):
    x = 9


class Again(NewDefault):
    x: int


class Bag(Struct):
    items: list[int] = []
    names: dict[str, int] = {"a": 1}
    nested: list[list[int]] = [[1]]
    seen: set[int] = set()


class Selfish(Struct):
    self: int


class Own(Struct):
    a: int
    b: int = 2

    def __init__(self, a: int, b: int = 2) -> None:
        self.a = a * 10
        self.b = b


def test_keywords_and_defaults():
    point = Point(x=1)
    assert (point.x, point.y) == (1, 0)
    point.y = 7
    assert point == Point(x=1, y=7)


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        ((), {}, r"Point.__init__\(\) missing 1 required keyword-only argument: 'x'"),
        ((), {"x": 1, "z": 2}, r"Point.__init__\(\) got an unexpected keyword argument 'z'"),
        ((1,), {}, r"takes 1 positional argument but 2"),
    ],
)
def test_bad_arguments(arguments, keywords, message):
    made: Any = Point
    with pytest.raises(TypeError, match=message):
        made(*arguments, **keywords)


def test_slots():
    point: Any = Point(x=1)
    assert not hasattr(point, "__dict__")
    with pytest.raises(AttributeError):
        point.z = 1


def test_inheritance():
    named = Named(x=1, name="a")
    assert (named.x, named.y, named.name, named.shout()) == (1, 5, "a", "A")
    assert Named.kind == "point"
    assert Named.__struct_fields__ == ("x", "y", "name")
    assert not hasattr(named, "__dict__")
    assert NewDefault().x == 9
    with pytest.raises(TypeError, match="'x'"):
        Again()


def test_mutable_defaults_are_copied():
    one, two = Bag(), Bag()
    one.items.append(1)
    one.names["b"] = 2
    one.nested[0].append(2)
    one.seen.add(1)
    assert two == Bag() and two.items == [] and two.names == {"a": 1} and two.nested == [[1]]
    given = [1]
    assert Bag(items=given).items is given


def test_a_field_called_self():
    assert Selfish(self=3).self == 3


class Ks(Struct):
    K1: int = 1
    K2: list[int] = []
    K3: list[int] = [3]
    v1: int = 4


def test_fields_called_like_generated_names():
    one = Ks(K1=7)
    assert (one.K1, one.K2, one.K3, one.v1) == (7, [], [3], 4)
    assert Ks._from_wire((1, ..., ..., 2)) == Ks(v1=2)


def test_names_that_are_taken():
    with pytest.raises(TypeError, match="_to_plain"):
        type(Struct)("Bad", (Struct,), {"__annotations__": {"_to_plain": int}})
    with pytest.raises(TypeError, match="a b"):
        type(Struct)("Bad", (Struct,), {"__annotations__": {"a b": int}})


def test_own_constructor_is_used_from_the_wire_too():
    made: Any = Own
    assert made(1).a == 10
    assert Own._from_wire((1, 3)).a == 10


def test_repr():
    assert repr(Named(x=1, name="a")) == "Named(x=1, y=5, name='a')"
    loop = Bag()
    cell: Any = loop
    cell.items.append(loop)
    assert "..." in repr(loop)


def test_equality():
    assert Point(x=1) == Point(x=1)
    assert Point(x=1) != Point(x=2)
    assert Point(x=1, y=5) != Named(x=1, name="a")
    assert Point(x=1) != 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(x=1))


def test_copies():
    bag = Bag(items=[1])
    deep = copy.deepcopy(bag)
    assert deep == bag and deep.items is not bag.items
    assert pickle.loads(pickle.dumps(Point(x=1))) == Point(x=1)


def test_from_wire_and_to_plain_belong_to_the_class():
    point = Point._from_wire((1, 2))
    assert type(point) is Point and point._to_plain() == {"x": 1, "y": 2}
    named = Named._from_wire((1, 2, "n"))
    assert type(named) is Named
    assert named._to_plain() == {"x": 1, "y": 2, "name": "n"}
