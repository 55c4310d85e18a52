"""Results to reply strings."""

import dataclasses
import enum
import http
import json
import marshal
from collections import OrderedDict, UserDict, namedtuple
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypedDict
from uuid import UUID

import pytest

from bolt import (
    HTML,
    JSON,
    HTTPException,
    PlainText,
    Redirect,
    Response,
    Struct,
)
from bolt._datastructures.urls import URL
from bolt._serialization.replies import encode_exception, encode_reply
from bolt._serialization.serialize import compile_plain
from bolt._serialization.serialize_checked import to_plain

U = UUID("12345678-1234-5678-1234-567812345678")


class Color(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    BIG = 3


class Word(str):
    def __str__(self) -> str:
        return "not this"


class Inner(Struct):
    a: int


class More(Inner):
    b: int


class Everything(Struct):
    inner: Inner
    inners: list[Inner]
    maybe: Inner | None
    either: Inner | int
    by_name: dict[str, Inner]
    color: Color
    colors: list[Color]
    at: datetime
    on: date | None
    uid: UUID
    price: Decimal
    tags: set[str]
    raw: bytes
    anything: Any
    pair: tuple[int, Inner]


class Tree(Struct):
    value: int
    kids: "list[Tree]" = []
    parent: "Tree | None" = None


@dataclasses.dataclass
class Data:
    inner: Inner
    on: date
    hidden: int = dataclasses.field(default=1, init=False)


@dataclasses.dataclass
class Unknown:
    at: time
    value: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


class Typed(TypedDict):
    inner: Inner


class Holder(Struct):
    typed: Typed


Pair = namedtuple("Pair", "a b")


def decode(reply: str) -> Any:
    assert isinstance(reply, str)
    return marshal.loads(reply.encode("latin-1"))


def sent(result: Any) -> Any:
    status, value = decode(encode_reply(200, result))
    assert status == 200
    only_plain(value)
    return value


def only_plain(value: Any) -> None:
    assert type(value) in (type(None), bool, int, float, str, list, tuple, dict)
    if isinstance(value, dict):
        for key, item in value.items():
            assert type(key) in (str, int, float, bool, type(None))
            only_plain(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            only_plain(item)


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -(1 << 70), 1.5, "é\0\u20ac", [], [1, "a"], (1, 2), {"a": {"b": [None]}}],
)
def test_plain_values(value):
    assert sent(value) == value


def test_every_byte_survives_as_latin_1():
    value = {"a": [0, 255, -1, 1 << 40], "b": 1e300, "c": "\x80\xff"}
    reply = encode_reply(201, value)
    assert max(map(ord, reply)) < 256
    assert decode(reply) == (201, value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Inner(a=1), {"a": 1}),
        (More(a=1, b=2), {"a": 1, "b": 2}),
        ([Inner(a=1), More(a=1, b=2)], [{"a": 1}, {"a": 1, "b": 2}]),
        ([1, Inner(a=1)], [1, {"a": 1}]),
        ({"x": Inner(a=1)}, {"x": {"a": 1}}),
        (Data(Inner(a=1), date(2024, 1, 2)), {"inner": {"a": 1}, "on": "2024-01-02", "hidden": 1}),
        (Unknown(time(1, 2), Inner(a=1)), {"at": "01:02:00", "value": {"a": 1}}),
        (Color.RED, "red"),
        (Size.BIG, 3),
        ([Size.BIG], [3]),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00Z"),
        (date(2024, 1, 2), "2024-01-02"),
        (U, str(U)),
        (Decimal("1.50"), "1.50"),
        ([Inner(a=1), {1}], [{"a": 1}, [1]]),
        ({1}, [1]),
        (frozenset({"a"}), ["a"]),
        (Pair(1, Color.RED), [1, "red"]),
        (OrderedDict(a=Color.RED), {"a": "red"}),
        (UserDict(a=1), {"a": 1}),
        (Word("x"), "x"),
        ([Word("x")], ["x"]),
        ({Word("k"): Color.RED}, {"k": "red"}),
        ({Color.RED: U, Size.BIG: 1, U: 2}, {"red": str(U), 3: 1, str(U): 2}),
        ({"a": b"text", "b": U}, {"a": "text", "b": str(U)}),
        (http.HTTPStatus.OK, 200),
    ],
)
def test_converted_values(value, expected):
    assert sent(value) == expected
    assert to_plain(value) == expected  # the checked conversion agrees


def everything() -> Everything:
    return Everything(
        inner=Inner(a=1),
        inners=[Inner(a=2), More(a=3, b=4)],
        maybe=None,
        either=5,
        by_name={"k": Inner(a=6)},
        color=Color.RED,
        colors=[Color.RED],
        at=datetime(2024, 1, 2),
        on=date(2024, 1, 2),
        uid=U,
        price=Decimal("1.5"),
        tags={"t"},
        raw=b"raw",
        anything={"x": 1},
        pair=(1, Inner(a=7)),
    )


def test_every_field_type():
    value = everything()
    expected = {
        "inner": {"a": 1},
        # An instance of a subclass goes as what the field declares.
        "inners": [{"a": 2}, {"a": 3}],
        "maybe": None,
        "either": 5,
        "by_name": {"k": {"a": 6}},
        "color": "red",
        "colors": ["red"],
        "at": "2024-01-02T00:00:00",
        "on": "2024-01-02",
        "uid": str(U),
        "price": "1.5",
        "tags": ["t"],
        "raw": "raw",
        "anything": {"x": 1},
        "pair": [1, {"a": 7}],
    }
    assert sent(value) == expected
    assert compile_plain(Everything)(value) == expected
    assert to_plain(value) == expected
    value.maybe = More(a=1, b=2)
    assert sent(value)["maybe"] == {"a": 1}


def test_fields_that_hold_something_else():
    value: Any = everything()
    value.inner, value.color, value.at, value.uid, value.price = None, "c", "a", None, 1.5
    value.anything = [Inner(a=1)]
    made = sent(value)
    assert [made[k] for k in ("inner", "color", "at", "uid", "price", "anything")] == [
        *(None, "c", "a", None, 1.5),
        [{"a": 1}],
    ]


def test_a_typeddict_with_records_inside():
    assert sent(Holder(typed={"inner": Inner(a=1)})) == {"typed": {"inner": {"a": 1}}}


def test_recursive_records():
    tree = Tree(value=1, kids=[Tree(value=2, kids=[Tree(value=3)])])
    made = sent(tree)
    assert made["kids"][0]["kids"][0] == {"value": 3, "kids": [], "parent": None}


def cyclic() -> list[Any]:
    tree = Tree(value=1)
    tree.kids.append(Tree(value=2, parent=tree))
    row: list[Any] = [U]
    row.append(row)
    table: dict[str, Any] = {"u": U}
    table["me"] = table
    data: Any = Data(Inner(a=1), date(2024, 1, 2))
    data.inner = data
    return [tree, row, table, data]


@pytest.mark.parametrize("value", cyclic())
def test_cycles(value):
    with pytest.raises(ValueError, match="contains itself"):
        encode_reply(200, value)


def test_the_same_object_twice_is_no_cycle():
    inner = Inner(a=1)
    assert sent({"u": U, "x": [inner, inner]})["x"] == [{"a": 1}, {"a": 1}]
    assert to_plain([inner, inner]) == [{"a": 1}, {"a": 1}]


def test_depth():
    value: Any = U
    for _ in range(5000):
        value = [value]
    with pytest.raises(ValueError, match="nested deeper"):
        encode_reply(200, value)
    plain: Any = 1
    for _ in range(5000):
        plain = [plain]
    with pytest.raises(ValueError, match="nested deeper"):
        encode_reply(200, plain)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (object(), "result has no JSON form"),
        ({"users": [{"avatar": object()}]}, "result.users[0].avatar "),
        ({"a b": object()}, "result['a b'] "),
        (Holder(typed={"inner": object()}), "result.typed.inner "),  # type: ignore[typeddict-item]
        ([Inner(a=1), b"\xff", U], "result[1] is not UTF-8"),
        ({(1, 2): U}, "keys must be text or numbers"),
        (Inner, "cannot turn StructMeta into JSON"),
        ([(i for i in "a")], "cannot turn generator into JSON"),
        (Response, "cannot turn type"),
        ({"a": Response()}, "cannot turn Response"),
    ],
)
def test_values_without_a_json_form(value, place):
    with pytest.raises(TypeError) as caught:
        encode_reply(200, value)
    assert place in str(caught.value)


def test_unset_fields():
    with pytest.raises(TypeError, match=r"result\[0\]\.a is not set"):
        encode_reply(200, [object.__new__(Inner)])


OCTETS = "application/octet-stream"


def test_bytes():
    assert decode(encode_reply(200, b"\xff\0")) == (200, OCTETS, [], b"\xff\0")


TEXT = "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(), (200, OCTETS, [], b"")),
        (Response("x", 404, {"x-a": "b"}), (404, TEXT, [("x-a", "b")], "x")),
        (Response(b"x", media_type="image/png"), (200, "image/png", [], b"x")),
        (Response("x", media_type="text/css"), (200, "text/css; charset=utf-8", [], "x")),
        (Response("x", headers={"Content-Type": "a/b"}), (200, "a/b", [], "x")),
        (Response(status_code=http.HTTPStatus.GONE), (410, OCTETS, [], b"")),
        (PlainText("é"), (200, TEXT, [], "é")),
        (HTML("<p>", 201), (201, "text/html; charset=utf-8", [], "<p>")),
        (JSON({"a": Color.RED}), (299, {"a": "red"})),
        (JSON(b"text", 201), (201, "text")),
        (JSON([1], 202, {"x-a": "b"}), (202, None, [("x-a", "b")], [1])),
    ],
)
def test_responses(response, expected):
    assert decode(encode_reply(299, response)) == expected


def test_json_with_another_content_type():
    reply = JSON({"é": [U]}, 400, {"content-type": "application/problem+json", "x": "y"})
    status, content_type, headers, body = decode(encode_reply(200, reply))
    assert (status, content_type, headers) == (400, "application/problem+json", [("x", "y")])
    assert json.loads(body) == {"é": [str(U)]}


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/a", "/a"),
        ("https://x.y/a?b=c&d=%20#e", "https://x.y/a?b=c&d=%20#e"),
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/a\r\nset-cookie: x", "/a%0D%0Aset-cookie:%20x"),
        (URL("http", "x.y", "/a b", "c=d"), "http://x.y/a%20b?c=d"),
    ],
)
def test_redirect(url, location):
    status, _, headers, body = decode(encode_reply(200, Redirect(url)))
    assert (status, body, headers) == (307, b"", [("location", location)])
    assert decode(encode_reply(200, Redirect("/", 303)))[0] == 303


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "\u20ac"])
def test_header_values(value):
    for make in (Response, PlainText, lambda *a, **k: JSON(None, **k)):
        with pytest.raises(ValueError, match="header 'x'"):
            make("", headers={"x": value})
    late = Response()
    late.headers["x"] = value
    with pytest.raises(ValueError, match="header 'x'"):
        encode_reply(200, late)
    with pytest.raises(ValueError, match="header 'x'"):
        encode_exception(HTTPException(400, headers={"x": value}))
    with pytest.raises(ValueError, match="'content-type'"):
        encode_reply(200, Response(media_type=value))


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\n", "é"])
def test_header_names(name):
    with pytest.raises(ValueError, match="name of a header"):
        Response(headers={name: "x"})


def test_wrong_arguments():
    wrong: Any = Response
    with pytest.raises(TypeError, match="bytes or str"):
        wrong({"a": 1})
    with pytest.raises(TypeError, match="must be text"):
        wrong(headers={"a": 1})
    with pytest.raises(ValueError, match="between 100 and 599"):
        wrong(status_code=1000)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (HTTPException(404), (404, {"detail": "Not Found"})),
        (HTTPException(599), (599, {"detail": "Error"})),
        (HTTPException(http.HTTPStatus.GONE, "gone"), (410, {"detail": "gone"})),
        (HTTPException(400, {"a": [Color.RED]}), (400, {"detail": {"a": ["red"]}})),
        (HTTPException(401, "x", {"a": "b"}), (401, None, [("a", "b")], {"detail": "x"})),
    ],
)
def test_exceptions(error, expected):
    assert decode(encode_exception(error)) == expected
    assert "detail=" in repr(error) and str(int(error.status_code)) in str(error)


def test_exception_status_range():
    with pytest.raises(ValueError, match="between 100 and 599"):
        HTTPException(42)
