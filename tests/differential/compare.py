"""Sends the same requests to two servers and reports where their responses differ.

usage: compare.py NATIVE_URL SANDBOX_URL [seed]

It compares the status, the headers that matter, and the body; of a 422 the `type` and `loc` of
each error. `expected` lists what may differ, with reasons. Exits with 1 if more differs.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from values import BROKEN, FORMS, MOMENTS, PARTS, VALUES, form

HEADERS = ("content-type", "location", "www-authenticate", "x-set", "x-a", "x-why", "allow")

TEXTS = ["", "a", "abc", "é", "abcdef", "xx", "null", "None", " 5 ", "a b", "x" * 300]
NUMBERS = [
    *("0", "1", "2", "3", "4", "5", "10", "11", "-1", "+1", "007", "1_000", " 7 ", "1.0", "1.5"),
    *("1e3", "-0", "0x10", "1e400", "nan", "inf", "9223372036854775808", "٣", ""),
]
BOOLS = ["true", "True", "1", "on", "yes", "t", "y", "false", "0", "off", "no", "f", "n", "2", ""]
DATES = [
    *("2024-02-29", "2023-02-29", "2024-1-1", "2024-01-01T00:00:00", "2024-01-01T10:00:00Z"),
    *("2024-01-01T10:00:00+02:00", "1700000000", "2024-01-01 10:00", "x", "0", "20240101"),
]
UUIDS = [
    "12345678-1234-5678-1234-567812345678",
    "12345678123456781234567812345678",
    "{12345678-1234-5678-1234-567812345678}",
    "urn:uuid:12345678-1234-5678-1234-567812345678",
    "12345678-1234-5678-1234-56781234567",
    "x",
]
JSONS: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 1.0, 1.5, 1e3, 10**20, "", "a", "ab", "abcde", "1", "1.5"),
    *("true", [], [1], ["a"], [1, 2, 3, 4], {}, {"a": 1}, {"name": "n"}, [[1]], [None]),
]


@dataclass
class Sent:
    """One request."""

    method: str
    path: str
    params: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    json: Any = ...
    content: bytes | None = None
    data: dict[str, Any] | None = None
    files: list[Any] | None = None

    def send(self, client: httpx.Client) -> httpx.Response:
        more: dict[str, Any] = {}
        if self.json is not ...:
            more["json"] = self.json
        if self.content is not None:
            more["content"] = self.content
        if self.data is not None:
            more["data"] = self.data
        if self.files is not None:
            more["files"] = self.files
        for attempt in range(3):
            try:
                return client.request(
                    self.method, self.path, params=self.params, headers=self.headers, **more
                )
            except httpx.ReadError:
                # Some servers close the connection after a 500, and this request was sent on it.
                if attempt == 2:
                    raise
        raise AssertionError


def item(dice: random.Random) -> dict[str, Any]:
    """An item, mostly a valid one."""
    made: dict[str, Any] = {"name": dice.choice(["n", "é", "", 1, None])}
    if dice.random() < 0.6:
        made["price"] = dice.choice([1, 2.5, "3", "x", None, True])
    if dice.random() < 0.5:
        made["tags"] = dice.choice([[], ["a"], ["a", 1], "a", None])
    if dice.random() < 0.4:
        made["note"] = dice.choice(["text", None, 1])
    if dice.random() < 0.3:
        made["extra"] = 1
    return made


def good() -> dict[str, Any]:
    return {"name": "n", "price": 2.5, "tags": ["a"]}


def fixed() -> Iterator[Sent]:
    """Fixed requests."""
    for kind, values in (
        ("int", NUMBERS),
        ("float", NUMBERS),
        ("bool", BOOLS),
        ("uuid", UUIDS),
        ("date", DATES),
        ("color", ["red", "blue", "RED", "green"]),
        ("level", ["1", "2", "3", "LOW", "1.0"]),
        ("literal", ["a", "b", "c"]),
        ("bounded", NUMBERS),
        ("rest", ["a/b/c", "a", "a%20b", "a//b"]),
    ):
        for value in values:
            if value and "{" not in value:
                yield Sent("GET", f"/path/{kind}/{value}")
    for value in NUMBERS:
        yield Sent("GET", "/query/plain", [("a", value)])
        yield Sent("GET", "/query/alias", [("c", value)])
        yield Sent("GET", "/query/list", [("a", "1"), ("a", value)])
        if value.isascii():
            yield Sent("GET", "/header", headers=[("x-token", "t"), ("x-number", value.strip())])
        yield Sent("POST", "/form", data={"name": "n", "age": value})
        yield Sent("POST", "/body/item", json={"name": "n", "price": value})
    for value in TEXTS:
        yield Sent("GET", "/query/alias", [("item-query", value)])
        yield Sent("GET", "/query/alias", [("b", value)])
        yield Sent("GET", "/query/default", [("b", value)])
        yield Sent("POST", "/form", data={"name": value})
        yield Sent("POST", "/form/model", data={"user": value, "password": value})
    for value in (*DATES, *UUIDS, *NUMBERS):
        for name in ("when", "day", "amount", "key", "either"):
            yield Sent("GET", "/query/types", [(name, value)])
    for value in JSONS:
        for path in (
            *("item", "order", "bounded", "optional", "embed", "two", "keys", "scalar", "list"),
            *("dict", "any"),
        ):
            yield Sent("POST", f"/body/{path}", json=value)
        yield Sent("POST", "/body/embed", json={"item": value})
        yield Sent("POST", "/body/keys", json={"item": good(), "importance": value})
        yield Sent("POST", "/body/keys", json={"item": good(), "importance": 1, "flag": value})
        yield Sent("POST", "/body/dict", json={"a": value})
        yield Sent("POST", "/request/json", json=value)
        base = {"age": 5, "code": "ab", "scores": [1]}
        for name in ("age", "code", "scores", "ratio"):
            yield Sent("POST", "/body/bounded", json={**base, name: value})
    for content in (b"", b"{", b"[1", b"nul", b'{"name": "n"', b"\xff", b'{"name": NaN}'):
        json_type = [("content-type", "application/json")]
        yield Sent("POST", "/body/item", content=content, headers=json_type)
        yield Sent("POST", "/body/optional", content=content, headers=json_type)
        yield Sent("POST", "/request/body", content=content)
    yield Sent("POST", "/body/item", content=b'{"name": "n"}', headers=[("content-type", "a/b")])
    yield from plain_ones()
    yield from exact_ones()
    yield from routed_ones()
    yield from declared_ones()
    yield from validated_ones()


DECLARED = [
    *("int", "float", "bool", "str", "decimal", "date", "datetime", "uuid", "color", "level"),
    *("literal", "int-str", "str-int", "int-float", "float-int", "float-str", "bool-int"),
    *("int-bool", "bool-float", "decimal-str", "int-decimal", "date-datetime", "datetime-date"),
    *("date-str", "uuid-str", "color-str", "level-float", "literal-int", "list", "list-union"),
    *("lists", "list-or-int", "set", "set-list", "tuple", "dict", "dicts", "dict-int"),
    *("dog-owner", "owner-dog", "dog-puppy", "puppy-dog", "dog-none", "dog-str", "dog-dict"),
    *("dict-dog", "number-text", "pets", "pet-lists", "made", "mades", "bound"),
    *("bound-or-float", "bound-or-none", "bounds", "bounded-dict", "length", "pattern"),
    *("list-length", "set-length", "money"),
]
RESULTS = [
    *("one", "minus", "ten", "true", "float", "half", "decimal", "whole-decimal", "number"),
    *("decimal-text", "nan-text", "yes", "red", "text", "line", "empty", "member", "level"),
    *("none", "date", "midnight", "moment", "date-text", "key", "key-text", "bytes", "ones"),
    *("twice", "texts", "mixed", "flags", "pair", "set", "nothing", "dog", "puppy", "owner"),
    *("as-dog", "as-owner", "other-keys", "n", "n-text", "owners", "as-owners", "numbers"),
    *("number-texts", "by-number", "made", "as-made", "mades"),
]


def declared_ones() -> Iterator[Sent]:
    """Every result of the app as every type that it declares."""
    for declared in DECLARED:
        for result in RESULTS:
            yield Sent("GET", f"/results/{declared}/{result}")


def validated_ones() -> Iterator[Sent]:
    """Values that validators and constructors change or refuse."""
    for path in ("body", "overridden"):
        for value in (
            *({}, {"a": " q "}, {"a": "  a "}, {"n": -5}, {"n": -1, "a": " x"}, {"b": ["x"]}),
            *({"f": [2, 1], "b": ["q"], "c": "  z"}, {"n": "x"}, {"n": 5, "f": [3, 1]}),
        ):
            yield Sent("POST", f"/validated/{path}", json=value)
    for query in ([], [("a", " b ")], [("n", "-1")], [("n", "3"), ("c", " d"), ("f", "1")]):
        yield Sent("GET", "/validated/query", query)
    for number in range(5):
        for path in ("whole", "constructed"):
            yield Sent("POST", f"/validated/{path}", json={"a": number, "z": 1})
    rows = [{"a": 9}, {"a": 0}, {"a": 1}, {"a": 2, "b": 3}]
    yield Sent("POST", "/validated/whole", json={})
    yield Sent("POST", "/validated/constructed-list", json=rows)
    yield Sent("POST", "/validated/constructed-list", json=rows[:1])
    for one in rows:
        nested = {"one": one, "many": rows, "named": {"k": one}}
        yield Sent("POST", "/validated/nested", json={"value": nested, "whole": {}})
        yield Sent("POST", "/validated/nested", json={"value": {"one": one}, "whole": {"a": 2}})


LONG = [
    *(2**63, 2**63 + 1, -(2**70), -(2**70) - 1, 3 * 10**30, 3 * 10**30 + 1, 10**23, "1_000"),
    *("-1_0", str(2**63 + 1), str(3 * 10**30 + 1), "100000000000000000000000", 3, "6", 7.0, 1e19),
]
DECIMALS = [
    *("100.00000000000000000001", "100", "1e2", "1_00", "100.000", "0.10000000000000000001", "0.1"),
    *("0.100", "0.2", "0.35", "1e-5", "99.9", 100, 50.5, "-1", "0", "101", "1e5"),
]
SETS: list[Any] = [
    *([], [1], [1, 1, 1], [1, 2], [1, 2, 2, 1], [1, 2, 3], [1, 2, 3, 4], ["1", 1], [1, 2, "2"]),
    *([1, 1.0, 2], ["a", "a"], ["a", "b"], "a", 1, {"a": 1}),
]


def exact_ones() -> Iterator[Sent]:
    """Bounds at their edges, wherever they are declared."""
    for name, values in (
        *((name, LONG) for name in ("most", "least", "third")),
        *((name, DECIMALS) for name in ("money", "tenths")),
        *((name, SETS) for name in ("some", "one")),
    ):
        for value in values:
            yield Sent("POST", "/body/exact", json={name: value})
    for value in NUMBERS:
        for name in ("page", "size", "both", "sizes", "amount"):
            yield Sent("GET", "/query/annotated", [(name, value)])
        yield Sent("GET", "/depends/annotated", [("page", value)])
        yield Sent("GET", "/depends/annotated", [("size", value)])
        yield Sent("POST", "/form/annotated", data={"name": value, "size": value})
        if value and "{" not in value:
            yield Sent("GET", f"/path/annotated/{value}")
    for value in DECIMALS:
        yield Sent("GET", "/query/annotated", [("amount", str(value))])
    for value in JSONS:
        yield Sent("POST", "/body/annotated", json=value)
    for more in (
        [],
        [("zz", "1")],
        [("zz", "1"), ("yy", "2"), ("zz", "3")],
        [("limit", "x"), ("z", "1")],
    ):
        known = [("limit", "3"), ("tags", "a"), ("tags", "b"), ("x_tok", "t")]
        yield Sent("GET", "/query/only", more)
        yield Sent("GET", "/query/only", known + more)
        yield Sent("POST", "/form/only", data={"limit": "3", **dict(more)})
        yield Sent("GET", "/header/only", headers=[("limit", "3"), ("x-tok", "t"), *more])
        cookies = "; ".join(f"{name}={value}" for name, value in [("limit", "3"), *more])
        yield Sent("GET", "/cookie/only", headers=[("cookie", cookies)])


def routed_ones() -> Iterator[Sent]:
    """Paths that several routes match, and paths that are written in several ways."""
    for path in (
        *("search", "7", "files/7", "files/a/b", "files/", "me/settings", "me/other", "a/b/c"),
        *("%73earch", "files/a%20b", "me/%73ettings"),
    ):
        for method in ("GET", "POST", "DELETE", "PUT"):
            yield Sent(method, f"/routes/{path}")
    for path in (
        "@me",
        "%40me",
        "%6De",
        "%40%6D%65",
        "ü x",
        "%c3%bc%20x",
        "%C3%BC%20x",
        "a%25b",
        "a%2525b",
    ):
        yield Sent("GET", f"/texts/{path}")
    for path in ("/docs", "/openapi.json"):
        yield Sent("HEAD", path)


def plain_ones() -> Iterator[Sent]:
    """One request of each kind."""
    yield Sent("GET", "/query/plain")
    yield Sent("GET", "/query/factory")
    yield Sent("GET", "/query/list")
    yield Sent("GET", "/query/list", [("a", "1"), ("a", "2"), ("b", "x"), ("b", "y")])
    yield Sent("GET", "/query/model", [("limit", "5"), ("tags", "a"), ("tags", "b")])
    yield Sent("GET", "/query/model", [("limit", "500"), ("offset", "x")])
    yield Sent("GET", "/header")
    yield Sent("GET", "/header", headers=[("x-token", "a"), ("x-many", "1"), ("x-many", "2")])
    yield Sent("GET", "/header/underscored", headers=[("odd_one", "yes")])
    for path in ("/header/model", "/header/model/underscored"):
        yield Sent("GET", path)
        for dash in "-_":
            numbered = [(f"x{dash}token", "t"), (f"x{dash}number", "1"), (f"odd{dash}one", "x")]
            yield Sent("GET", path, headers=numbered)
            yield Sent("GET", path, headers=[(f"x{dash}token", "t"), ("Odd_One", "5")])
    yield Sent("GET", "/cookie")
    for value in ("session=a", "session=a; count=5", "session=a; count=-1", 'session="q"; x', "=a"):
        yield Sent("GET", "/cookie", headers=[("cookie", value)])
    yield Sent("POST", "/body/two", [("q", "3")], json={"item": good(), "other": good()})
    yield Sent("POST", "/body/two", json={"item": good()})
    yield Sent("PUT", "/body/mixed/1", [("q", "z")], [("x-token", "t")], json=good())
    yield Sent("PUT", "/body/mixed/0", json={"price": "x"})
    yield Sent("POST", "/form", data={"name": "n", "tags": ["a", "b"]})
    yield Sent("POST", "/form")
    yield Sent("POST", "/form", json={"name": "n"})
    yield Sent("POST", "/form/model", data={"user": "u", "password": "secret"})
    text = ("a.txt", b"hello", "text/plain")
    yield Sent("POST", "/file/bytes", files=[("file", text)])
    yield Sent("POST", "/file/bytes")
    yield Sent("POST", "/file/upload", files=[("file", text)], data={"note": "x"})
    yield Sent("POST", "/file/upload", files=[("file", ("b.bin", bytes(range(256)) * 9000))])
    yield Sent("POST", "/file/upload", data={"note": "x"})
    yield Sent("POST", "/file/many", files=[("files", text), ("files", ("b", b"", "a/b"))])
    yield Sent("POST", "/file/many", files=[("other", text)])
    yield Sent("POST", "/file/optional", files=[("file", text)])
    yield Sent("POST", "/file/optional")
    for path in ("plain", "class", "cached", "uncached", "route", "async"):
        yield Sent("GET", f"/depends/{path}")
        yield Sent("GET", f"/depends/{path}", [("page", "0"), ("q", "5"), ("skip", "x")])
        yield Sent("GET", f"/depends/{path}", [("page", "2")], [("x-user", "me")])
    for path in ("yield", "yield-async", "yield-http"):
        yield Sent("GET", f"/depends/{path}")
        yield Sent("GET", "/depends/events")
    for path in ("/api/outer/own", "/api/outer/inner/5", "/api/outer/inner/x", "/api/outer/none"):
        yield Sent("GET", path)
        yield Sent("GET", path, headers=[("x-user", "me")])
    for method in ("GET", "POST", "PUT", "OPTIONS"):
        yield Sent(method, "/methods")
    yield Sent("GET", "/methods/")
    yield Sent("GET", "/request/nam%C3%A9", [("a", "1"), ("a", "2")], [("cookie", "c=d; e=f")])
    for path in ("set", "delete-cookie", "html", "text", "redirect", "none", "error"):
        yield Sent("GET", f"/response/{path}")
    yield Sent("DELETE", "/response/204")
    yield from nested_ones()
    kinds = ("around", "def-around", "object", "partial-object", "partial-around", "decorator")
    for path in (*kinds, *(f"depends/{kind}" for kind in (*kinds, "generator")), "cancelled"):
        yield Sent("GET", f"/callables/{path}", [("n", "3")])
    yield Sent("POST", "/background/one")
    yield Sent("GET", "/background")
    yield Sent("GET", "/refused/x")
    yield Sent("GET", "/refused-async/y")
    yield Sent("GET", "/nowhere")


def of_types(types: list[str]) -> Iterator[Sent]:
    """Each type of `kinds.py` with each value."""
    as_json = [("content-type", "application/json")]
    for kind in types:
        yield from (Sent("POST", f"/kind/{kind}", json={"v": value}) for value in VALUES)
    for kind in ("datetime", "date"):
        for moment in MOMENTS:
            content = f'{{"v":{moment}}}'.encode()
            yield Sent("POST", f"/kind/{kind}", headers=as_json, content=content)
    for text in BROKEN:
        yield Sent("POST", "/body/item", headers=as_json, content=text.encode())
    as_form = [("content-type", "multipart/form-data; boundary=edge")]
    for part in PARTS:
        for parts in FORMS:
            yield Sent("POST", f"/part/{part}", headers=as_form, content=form(parts))


def nested_ones() -> Iterator[Sent]:
    """Requests to applications inside of others."""
    for place in ("/stand", "/stand/corner"):
        paths = ("seen", "items/5", "items/x", "sold", "gone", "nowhere", "late", "nowhere/x")
        for path in paths:
            for stop in ("", "stand", "corner"):
                # The sandbox answers without the application what no route serves.
                if stop and "nowhere" in path or stop and path in ("items/x", "late"):
                    continue
                yield Sent("GET", f"{place}/{path}", headers=[("x-stop", stop)])
        yield Sent("POST", f"{place}/seen")
    for path in ("/stand/docs", "/stand/redoc", "/stand/openapi.json", "/stand/corner/pages"):
        yield Sent("HEAD", path)
        yield Sent("HEAD", path, headers=[("x-stop", "stand")])
    yield Sent("GET", "/stand/corner/docs")


def thrown(dice: random.Random) -> Iterator[Sent]:
    """Random requests."""
    for _ in range(200):
        yield Sent("POST", "/body/item", json=item(dice))
        yield Sent("POST", "/body/list", json=[item(dice) for _ in range(dice.randrange(4))])
        order = {"id": dice.choice([1, "2", "x", None, 1.5]), "items": [item(dice)]}
        if dice.random() < 0.5:
            order["at"] = dice.choice([*DATES, 5, None])
        yield Sent("POST", "/body/order", json=order)
        query = [(dice.choice("abcd"), dice.choice([*NUMBERS, *BOOLS])) for _ in range(4)]
        yield Sent("GET", "/query/plain", query)


def told(response: httpx.Response) -> Any:
    """The parts of a response that are compared."""
    headers = {name: response.headers[name] for name in HEADERS if name in response.headers}
    cookies = response.headers.get_list("set-cookie")
    # The order of a cookie's attributes does not matter, nor does the case of their names.
    # The two servers answer one after the other, so the time may differ by a second.
    moment = re.compile("expires=[^;]*")
    headers["set-cookie"] = sorted(
        str(sorted(moment.sub("expires", one.lower()).split("; "))) for one in cookies
    )
    try:
        body = response.json()
    except ValueError:
        body = response.text
    if response.status_code == 422 and isinstance(body, dict):
        errors = [(e["type"], [str(step) for step in e["loc"]]) for e in body["detail"]]
        body = sorted(errors, key=repr)
    return {"status": response.status_code, "headers": headers, "body": body}


def expected(sent: Sent, native: Any, sandbox: Any) -> str | None:
    """Why two responses may differ, if they may."""
    if native["status"] == sandbox["status"] == 405:
        return "the sandbox's Allow lists every method of the path"
    if native["status"] == sandbox["status"] == 500:
        return "the sandbox answers in JSON"
    finite = "finite_number" in kinds(sandbox) and set(kinds(native)) <= set(kinds(sandbox))
    if finite or (sent.content and b"NaN" in sent.content):
        return "JSON has no NaN and no infinity; FastAPI takes them, and answers null or 500"
    if "json_invalid" in kinds(sandbox) and native["status"] == 400:
        return "a body that is not UTF-8 is a syntax error"
    if "json_invalid" in kinds(sandbox) and native["status"] == 200:
        return "a key that is given twice is a syntax error"
    if "json_invalid" in kinds(native) and re.search(rb",\s*[\]}]", sent.content or b""):
        return "CPython before 3.13 puts the error behind a trailing comma"
    if native["status"] == 401 and sandbox["status"] == 422:
        return "all values are checked before any dependency runs"
    if native["status"] == sandbox["status"] == 204:
        return "without a body there is no content type"
    if "٣" in str(sent):
        return "digits are those of ASCII"
    if sent.path.endswith("/nan-text") and native["body"] is None:
        return "JSON has no NaN and no infinity; FastAPI sends null"
    if re.fullmatch("/results/(dog|owner|puppy|dict)-[a-z]+/(member|level)", sent.path):
        return "the name of an enum's member does not make it a record"
    location = native["headers"].get("location", "")
    if location and location.endswith(sandbox["headers"].get("location", "?")):
        return "a redirect of the sandbox is relative"
    return None


def kinds(answer: Any) -> list[str]:
    """The types of a 422's errors."""
    return [error[0] for error in answer["body"]] if answer["status"] == 422 else []


def main() -> int:
    native_url, sandbox_url = sys.argv[1:3]
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    count = differences = 0
    # Uvicorn closes a connection that was idle for 5 s, and one whose handler failed.
    once = httpx.Limits(max_keepalive_connections=0)
    with (
        httpx.Client(base_url=native_url, timeout=60, limits=once) as native,
        httpx.Client(base_url=sandbox_url, timeout=60) as sandbox,
    ):
        types = native.get("/kinds").json()
        for sent in (*fixed(), *of_types(types), *thrown(random.Random(seed))):
            count += 1
            try:
                ours = sent.send(sandbox)
            except httpx.HTTPError as error:
                print(f"{sent}\n  sandbox {error!r}")
                differences += 1
                continue
            left, right = told(sent.send(native)), told(ours)
            if left != right and expected(sent, left, right) is None:
                differences += 1
                shown = {
                    key: value for key, value in vars(sent).items() if value not in ([], None, ...)
                }
                print(json.dumps(shown, default=repr)[:300])
                print(f"  native  {str(left)[:600]}\n  sandbox {str(right)[:600]}")
    print(f"{count} requests, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
