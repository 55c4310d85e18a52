"""Response subclasses of an application, and repeated headers."""

import json
import marshal
from typing import Any

import pytest

from bolt import (
    HTML,
    JSON,
    BoltAPI,
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    Struct,
)
from bolt._datastructures.headers import MutableHeaders, header_list
from bolt._openapi.document import openapi
from bolt._serialization.replies import encode_reply


def sent(result: Any) -> Any:
    return marshal.loads(encode_reply(200, result).encode("latin-1"))


class Problem(JSONResponse):
    media_type = "application/problem+json"


class Pretty(JSONResponse):
    def render(self, content: Any) -> bytes:
        return json.dumps(content, indent=1).encode(self.charset)


class Wrapped(JSONResponse):
    def render(self, content: Any) -> bytes:
        return b"for(;;);" + super().render(content)


class Xml(Response):
    media_type = "application/xml"

    def render(self, content: Any) -> bytes:
        return f"<n>{content['n']}</n>".encode()


class Rot(PlainTextResponse):
    def __init__(self, content: Any, status_code: int = 200, **options: Any) -> None:
        self.shift = 1
        super().__init__(content, status_code, **options)

    def render(self, content: Any) -> bytes:
        return bytes(byte + self.shift for byte in super().render(content))


class Item(Struct):
    n: int


def test_media_types_of_classes():
    assert sent(Problem({"a": 1}, 400)) == (400, "application/problem+json", [], '{"a":1}')
    other = Problem({"a": 1}, media_type="application/x+json")
    assert sent(other)[1] == "application/x+json"
    assert sent(JSONResponse({"a": 1})) == (200, {"a": 1})


def test_bodies_that_are_rendered():
    assert sent(Pretty({"a": 1})) == (200, "application/json", [], b'{\n "a": 1\n}')
    assert sent(Wrapped(Item(n=1)))[3] == b'for(;;);{"n":1}'
    assert sent(Xml({"n": 1})) == (200, "application/xml", [], b"<n>1</n>")
    assert sent(Rot("ab", 201)) == (201, "text/plain; charset=utf-8", [], b"bc")
    assert Pretty([]).body == b"[]"
    assert (Response.renders, JSONResponse.renders, HTML.renders, Problem.renders) == (False,) * 4


def test_what_is_rendered_is_checked():
    class Wrong(Response):
        def render(self, content: Any) -> Any:
            return 5

    for make in (lambda: Wrong("x"), lambda: Rot(5)):
        with pytest.raises(TypeError, match="bytes or str, not int"):
            make()


def route(response_class: Any, handler: Any) -> Any:
    app = BoltAPI()
    app.get("/", response_class=response_class, status_code=203)(handler)
    app.finish()
    return app.routes[0]


def test_response_classes_of_routes():
    def item() -> Item:
        return Item(n=1)

    assert sent(route(Pretty, item).invoke(())) == (
        *(200, "application/json", []),
        b'{\n "n": 1\n}',
    )
    assert route(Pretty, item).invoke(()).status_code is None
    assert sent(route(Problem, item).invoke(()))[1:] == (
        *("application/problem+json", []),
        '{"n":1}',
    )
    assert sent(route(Xml, lambda: Item(n=1)).invoke(()))[3] == b"<n>1</n>"
    given = Response("x")
    assert route(Xml, lambda: given).invoke(()) is given
    # The host encodes these, so no Response is created.
    assert route(JSON, lambda: 5).invoke(()) == route(JSONResponse, lambda: 5).invoke(()) == 5


def test_the_response_parameter_adds_to_what_a_class_made():
    def handler(response: Response):
        response.status_code = 202
        response.headers.append("vary", "a")
        response.headers.append("vary", "b")
        response.set_cookie("c", "1")
        return "<p>"

    made = route(HTML, handler).invoke(())
    assert (made.status_code, made.body) == (202, b"<p>")
    assert [name for name, _ in made.header_pairs()] == ["vary", "vary", "set-cookie"]


def test_the_description_names_the_media_type_of_the_class():
    app = BoltAPI()
    app.get("/a", response_class=Problem)(lambda: 1)
    app.get("/b", response_class=JSONResponse)(lambda: 1)
    paths = openapi(app)["paths"]
    assert list(paths["/a"]["get"]["responses"]["200"]["content"]) == ["application/problem+json"]
    assert list(paths["/b"]["get"]["responses"]["200"]["content"]) == ["application/json"]


def test_no_content_is_an_empty_body():
    for response in (Response(), Response(None), Response(content=None, status_code=204)):
        assert response.body == b""
    assert HTML(None).body == b""


def test_bodies_may_be_set():
    plain, data, file = Response("a"), JSON({"a": 1}), FileResponse("x.txt")
    for response in (plain, data, file):
        response.body = b"other"
        assert response.body == b"other"
    assert sent(plain)[1:] == ("text/plain; charset=utf-8", [], b"other")
    assert sent(data) == (200, "application/json", [], b"other")
    assert sent(file)[3:] == (b"other",)
    with pytest.raises(TypeError, match="bytes or str"):
        plain.body = 5


def test_headers_with_several_values():
    headers = MutableHeaders({"Vary": "a"})
    headers.append("vary", "b")
    headers.append("Link", "c")
    copy = headers.mutablecopy()
    headers.append("VARY", "d")
    assert headers["vary"] == "a" and headers.getlist("Vary") == ["a", "b", "d"]
    assert header_list(copy) == [("vary", "a"), ("link", "c"), ("vary", "b")]
    copy["vary"] = "x"
    assert copy.getlist("vary") == ["x"]
    del headers["Vary"]
    assert header_list(headers) == [("link", "c")] and headers.getlist("vary") == []
    response = Response("x")
    response.headers.append("set-cookie", "a=1")
    response.headers.append("set-cookie", "b=2")
    assert sent(response)[2] == [("set-cookie", "a=1"), ("set-cookie", "b=2")]
    response.headers.append("x-a", "1")
    response.headers.append("x-a", "1\r\n")
    with pytest.raises(ValueError, match="line break"):
        encode_reply(200, response)
