"""The OpenAPI description: parameters of several declarations, and the names of schemas."""

from functools import partial
from typing import Annotated, Any

import pytest

from bolt import (
    Body,
    BoltAPI,
    Cookie,
    Depends,
    Field,
    Form,
    Header,
    Query,
    Router,
    Struct,
    field_validator,
)
from bolt._app.manifest import manifest
from bolt._openapi.document import openapi
from bolt._struct.validation_errors import explain
from bolt.security import HTTPBearer


def d1(
    c: Annotated[int, Cookie()] = 1, h: Annotated[int, Header(description="one")] = 1
) -> None: ...


def d2(c: Annotated[int, Cookie()], h: Annotated[str, Header(description="two")]) -> None: ...


def d3(
    c: Annotated[int, Cookie()],
    h: Annotated[str, Header(description="three", include_in_schema=False)],
) -> None: ...


def optional(q: str | None = None, token: Annotated[str | None, Header()] = None) -> None: ...


def required(q: str, token: Annotated[str, Header()]) -> None: ...


class Queried(Struct):
    q: str


class Headers(Struct):
    c: int = 3
    h: str


def a(p=Depends(optional), q=Depends(required)) -> None: ...
def b(p=Depends(required), q=Depends(optional)) -> None: ...
def c(q: Annotated[int, Query(ge=3)] = 5, p=Depends(optional)) -> None: ...
def d(q: str, p=Depends(optional)) -> None: ...
def e(q: Annotated[Queried, Query()], p=Depends(optional)) -> None: ...


def f(
    h: Annotated[int, Header()],
    q: int,
    x=Depends(d1),
    y=Depends(d2),
    c: Annotated[int, Cookie()] = 5,
) -> None: ...


def g(z: int, x=Depends(d2), y=Depends(d3)) -> None: ...
def h(m: Annotated[Headers, Header()], x=Depends(d1)) -> None: ...


_NULLABLE = [{"type": "string"}, {"type": "null"}]
# Source, name, whether it is required, its type: what FastAPI 0.165 describes, in its order.
PARAMETERS: list[tuple[Any, list[tuple[str, str, bool, Any]]]] = [
    (a, [("query", "q", True, "string"), ("header", "token", True, "string")]),
    (b, [("query", "q", True, "string"), ("header", "token", True, "string")]),
    (c, [("query", "q", False, _NULLABLE), ("header", "token", False, _NULLABLE)]),
    (d, [("query", "q", True, "string"), ("header", "token", False, _NULLABLE)]),
    (e, [("query", "q", True, "string"), ("header", "token", False, _NULLABLE)]),
    (
        f,
        [
            ("query", "q", True, "integer"),
            ("header", "h", True, "string"),
            ("cookie", "c", True, "integer"),
        ],
    ),
    (
        g,
        [
            ("query", "z", True, "integer"),
            ("header", "h", True, "string"),
            ("cookie", "c", True, "integer"),
        ],
    ),
    (
        h,
        [
            ("header", "c", False, "integer"),
            ("header", "h", True, "string"),
            ("cookie", "c", False, "integer"),
        ],
    ),
]


@pytest.mark.parametrize(("handler", "wanted"), PARAMETERS)
def test_a_parameter_is_required_if_any_declaration_requires_it(handler: Any, wanted: Any) -> None:
    api = BoltAPI()
    api.get("/")(handler)
    found = openapi(api)["paths"]["/"]["get"]["parameters"]
    assert [
        (
            one["in"],
            one["name"],
            one["required"],
            one["schema"].get("anyOf") or one["schema"]["type"],
        )
        for one in found
    ] == wanted
    assert {one.get("description") for one in found if one["name"] == "h"} <= {"two", None}


def schemas_of(handler: Any) -> dict[str, Any]:
    api = BoltAPI()
    api.post("/")(handler)
    found: dict[str, Any] = openapi(api)["components"]["schemas"]
    return found


@pytest.mark.parametrize("marker", [Body, Form])
@pytest.mark.parametrize("last", [True, False])
def test_a_key_of_a_body_is_required_if_any_declaration_requires_it(
    marker: Any, last: bool
) -> None:
    def one(x: Annotated[str, marker()]) -> None: ...
    def other(x: Annotated[str | None, marker()] = None) -> None: ...

    first, second = (other, one) if last else (one, other)

    def handler(y: Annotated[int, marker()] = 1, a=Depends(first), b=Depends(second)) -> None: ...

    (body,) = (schema for name, schema in schemas_of(handler).items() if name.startswith("Body"))
    assert list(body["properties"]) == ["y", "x"]
    assert body["required"] == ["x"]
    assert body["properties"]["x"] == {"type": "string", "title": "X"}


class Ser(Struct):
    a: int = Field(serialization_alias="outA")
    b: int = Field(alias="bothB")
    c: int = Field(alias="inC", serialization_alias="outC", default=1)


class Holder(Struct):
    one: Ser
    more: list[Ser] = []


class Loop(Struct):
    inner: "Loop | None" = None
    ser: Ser | None = None


class Plain(Struct):
    z: int = 1
    camel: int = Field(alias="camelCase", default=1)


def both(x: Ser) -> Ser: ...
def only_in(x: Ser) -> int: ...
def only_out() -> list[Ser]: ...
def held(x: Holder) -> Holder: ...
def mixed(x: Holder) -> Ser: ...
def looped(x: Loop) -> Loop: ...
def alike(x: Plain) -> Plain: ...


IN, OUT = ["a", "bothB", "inC"], ["outA", "bothB", "outC"]
# The names of schemas and their properties that FastAPI 0.165 describes.
NAMED: list[tuple[Any, dict[str, list[str]]]] = [
    (both, {"Ser-Input": IN, "Ser-Output": OUT}),
    (only_in, {"Ser": IN}),
    (only_out, {"Ser": OUT}),
    (
        held,
        {
            "Holder-Input": ["one", "more"],
            "Holder-Output": ["one", "more"],
            "Ser-Input": IN,
            "Ser-Output": OUT,
        },
    ),
    (mixed, {"Holder": ["one", "more"], "Ser-Input": IN, "Ser-Output": OUT}),
    (
        looped,
        {
            "Loop-Input": ["inner", "ser"],
            "Loop-Output": ["inner", "ser"],
            "Ser-Input": IN,
            "Ser-Output": OUT,
        },
    ),
    (alike, {"Plain": ["z", "camelCase"]}),
]


@pytest.mark.parametrize(("handler", "wanted"), NAMED)
def test_a_response_has_the_names_of_responses(handler: Any, wanted: dict[str, list[str]]) -> None:
    found = schemas_of(handler)
    properties = {name: list(schema["properties"]) for name, schema in found.items()}
    assert {k: v for k, v in properties.items() if "ValidationError" not in k} == wanted
    assert all(reference != "" and reference in found for reference in references(found))


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"].removeprefix("#/components/schemas/")] if "$ref" in value else []
    return own + [found for item in value.values() for found in references(item)]


def test_titles_and_requirements_are_those_of_the_names() -> None:
    found = schemas_of(both)
    assert found["Ser-Output"]["required"] == ["outA", "bothB"]
    assert found["Ser-Output"]["properties"]["outA"] == {"type": "integer", "title": "Outa"}
    assert found["Ser-Input"]["title"] == found["Ser-Output"]["title"] == "Ser"


@pytest.mark.parametrize("name", ["ValidationError", "HTTPValidationError", "Body_handler__post"])
def test_a_class_of_the_application_keeps_its_name(name: str) -> None:
    cls = type(name, (Struct,), {"__annotations__": {"mine": int}, "__module__": __name__})

    def handler(x, y: Annotated[int, Body()] = 1) -> None: ...

    handler.__annotations__["x"] = cls
    api = BoltAPI()
    api.post("/")(handler)
    document = openapi(api)
    found = document["components"]["schemas"]
    assert list(found[name]["properties"]) == ["mine"]
    answer = document["paths"]["/"]["post"]["responses"]["422"]["content"]["application/json"]
    (errors,) = references(answer)
    (error,) = references(found[errors])
    assert "detail" in found[errors]["properties"] and "loc" in found[error]["properties"]
    body = references(document["paths"]["/"]["post"]["requestBody"])[0]
    assert list(found[body]["properties"]) == ["x", "y"]


class Tokens(Struct):
    x_token: str
    many_of: list[int] = []
    o_k: int = Field(alias="O_K", default=1)


@pytest.mark.parametrize(
    ("marker", "names"),
    [
        (Header(), ["x-token", "many-of", "O_K"]),
        (Header(convert_underscores=False), ["x_token", "many_of", "O_K"]),
        (Query(), ["x_token", "many_of", "O_K"]),
    ],
)
def test_the_host_is_told_the_names_of_headers(marker: Any, names: list[str]) -> None:
    api = BoltAPI()

    def handler(m) -> None: ...
    def other(m: Annotated[Tokens, Query()]) -> None: ...

    handler.__annotations__["m"] = Annotated[Tokens, marker]
    api.get("/")(handler)
    api.get("/other")(other)
    told = manifest(api, "a:b")
    assert "hyphens" not in str(told)
    fields = [
        [field["name"] for field in told["defs"][route["params"][0]["type"]["id"]]["fields"]]
        for route in told["routes"]
    ]
    assert fields == [names, ["x_token", "many_of", "O_K"]]
    described = openapi(api)["paths"]["/"]["get"]["parameters"]
    assert [one["name"] for one in described] == names


class Refusing(Struct):
    x_token: str
    o_k: int = Field(alias="O_K", default=1)

    @field_validator("x_token", "o_k")
    @classmethod
    def never(cls, value: Any) -> Any:
        raise ValueError("no")


@pytest.mark.parametrize(
    ("marker", "places"),
    [
        (Header(), [["header", "x-token"], ["header", "O_K"]]),
        (Header(convert_underscores=False), [["header", "x_token"], ["header", "O_K"]]),
        (Query(), [["query", "x_token"], ["query", "O_K"]]),
        (Cookie(), [["cookie", "x_token"], ["cookie", "O_K"]]),
    ],
)
def test_validators_refuse_headers_by_their_names(marker: Any, places: Any) -> None:
    def handler(m) -> None: ...

    handler.__annotations__["m"] = Annotated[Refusing, marker]
    api = BoltAPI()
    api.get("/")(handler)
    errors = explain(api.routes[0].params, (("a", 4),))
    assert [error["loc"] for error in errors] == places


def test_a_scheme_inside_of_a_partial_is_described() -> None:
    api = BoltAPI()
    router = Router(dependencies=[Depends(partial(HTTPBearer()))])
    router.get("/")(lambda: 1)
    api.include_router(router)
    document = openapi(api)
    assert document["paths"]["/"]["get"]["security"] == [{"HTTPBearer": []}]
