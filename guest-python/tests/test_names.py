"""The import paths of FastAPI, routes for several methods, and URLs of routes by name."""

import asyncio
import http
from enum import Enum
from typing import Any

import pytest

from bolt import (
    BoltAPI,
    Request,
    Router,
    encoders,
    exceptions,
    requests,
    security,
    status,
)
from bolt._dependencies.depends import SecurityScopes
from bolt._openapi.document import openapi
from bolt._routing.options import combined
from bolt._serialization.replies import encode_reply
from bolt.concurrency import run_in_threadpool
from bolt.exception_handlers import http_exception_handler, request_validation_exception_handler
from bolt.exceptions import HTTPException, RequestValidationError


def request(app: Any = None, host: str = "shop.example:8000", prefix: str = "") -> Request:
    headers = [("host", host), ("X-Two", "a"), ("x-two", "b")]
    return Request(("GET", "https", "/a%20b", "q=1", headers, None, {"id": "5"}, b"", prefix), app)


def test_modules_hold_what_is_there():
    assert exceptions.HTTPException is HTTPException
    assert exceptions.RequestValidationError is RequestValidationError
    assert requests.Request is Request and security.SecurityScopes is SecurityScopes
    assert callable(encoders.jsonable_encoder)


def test_statuses_have_the_numbers_in_their_names():
    names = [name for name in vars(status) if name.startswith(("HTTP_", "WS_"))]
    assert len(names) > 80
    assert all(getattr(status, name) == int(name.split("_")[1]) for name in names)
    for one in http.HTTPStatus:
        assert any(name.startswith(f"HTTP_{one.value}_") for name in names)
    assert status.HTTP_422_UNPROCESSABLE_ENTITY == status.HTTP_422_UNPROCESSABLE_CONTENT == 422


def test_a_function_is_run_in_place():
    assert asyncio.run(run_in_threadpool(lambda a, b=0: a + b, 1, b=2)) == 3


def test_the_default_answers_of_exceptions():
    raised = HTTPException(http.HTTPStatus.CONFLICT, "no", {"x-a": "b"})
    answer = asyncio.run(http_exception_handler(request(), raised))
    assert (answer.status_code, answer.body) == (409, b'{"detail":"no"}')
    assert answer.headers["X-A"] == "b"
    wrong = RequestValidationError([{"loc": ["query", "a"]}])
    answer = asyncio.run(request_validation_exception_handler(request(), wrong))
    assert (answer.status_code, answer.body) == (422, b'{"detail":[{"loc":["query","a"]}]}')


def test_exception_handlers_are_added_without_a_decorator():
    app = BoltAPI()
    app.add_exception_handler(KeyError, lambda request, exc: "caught")
    app.add_exception_handler(http.HTTPStatus.NOT_FOUND, lambda request, exc: "gone")

    @app.get("/")
    def handler(missing: bool):
        raise HTTPException(404) if missing else KeyError

    wire = ("GET", "http", "/", "", [], None, {}, b"", "")
    assert app.routes[0].invoke((False, wire)) == "caught"
    assert app.routes[0].invoke((True, wire)) == "gone"


def test_overrides_may_be_assigned():
    from bolt import Depends

    app = BoltAPI()

    def real() -> int:
        return 1

    @app.get("/")
    def handler(n: int = Depends(real)):
        return n

    overrides = {real: lambda: 2}
    app.dependency_overrides = overrides
    assert app.dependency_overrides is overrides
    assert app.routes[0].invoke(()) == 2


def test_routes_for_several_methods():
    app, router = BoltAPI(), Router(prefix="/r")
    app.add_api_route("/", lambda: 1, methods={"PUT", "GET"}, name="root")
    router.add_api_route("/one", lambda: 1)
    router.api_route("/two", methods=["post", "POST"])(lambda: 1)
    app.include_router(router)
    found = [(route.method, route.path) for route in app.routes]
    assert found == [("GET", "/"), ("PUT", "/"), ("GET", "/r/one"), ("POST", "/r/two")]


class Color(Enum):
    RED = "red"


@pytest.fixture
def shop() -> BoltAPI:
    app = BoltAPI()
    app.get("/", name="root")(lambda: 1)
    app.get("/colors/{color}/{n}", name="color")(lambda color, n: 1)
    app.get("/files/{where:path}", name="file")(lambda where: 1)
    return app


def test_paths_of_routes(shop):
    assert shop.url_path_for("root") == "/"
    assert shop.url_path_for("color", color=Color.RED, n=5) == "/colors/red/5"
    assert shop.url_path_for("color", color="a b?", n="%") == "/colors/a%20b%3F/%25"
    assert shop.url_path_for("file", where="a/b c") == "/files/a/b%20c"


def test_paths_that_cannot_be(shop):
    for name, parts in (("none", {}), ("root", {"a": 1}), ("color", {"color": "x"})):
        with pytest.raises(LookupError, match=f"called '{name}'"):
            shop.url_path_for(name, **parts)
    for value in ("", "a/b"):
        with pytest.raises(ValueError, match="'n' of the path"):
            shop.url_path_for("color", color="red", n=value)


def test_addresses_of_routes(shop):
    url = request(shop).url_for("color", color="red", n=1)
    assert str(url) == "https://shop.example:8000/colors/red/1"
    assert str(url.include_query_params(page=2)).endswith("/red/1?page=2")
    assert url.include_query_params(a=1).include_query_params(a=2, b="ü").query == "a=2&b=%C3%BC"


def test_addresses_inside_of_a_mounted_application(shop):
    middle, outer = BoltAPI(), BoltAPI()
    middle.mount("/inner", shop)
    outer.mount("/outer", middle)
    assert outer.url_path_for("root") == "/outer/inner/"
    assert shop.url_path_for("root") == "/" and shop.root_path == "/outer/inner"
    assert request(shop).url_for("root").path == "/outer/inner/"
    assert request(shop, prefix="/a").url_for("root").path == "/a/outer/inner/"
    assert request(shop, prefix="/a").root_path == "/a/outer/inner"


def test_addresses_below_the_prefix_of_the_host(shop):
    """Starlette with `root_path="/a"` gives the same."""
    below = request(shop, prefix="/a")
    assert str(below.url) == "https://shop.example:8000/a/a b?q=1"
    assert str(below.base_url) == "https://shop.example:8000/a/"
    assert below.url_for("color", color="red", n=1).path == "/a/colors/red/1"
    assert below.path == "/a b"
    scope = below.scope
    assert (scope["path"], scope["root_path"]) == ("/a/a b", "/a")


def test_the_request_as_asgi_has_it():
    app = BoltAPI()
    scope = request(app).scope
    assert (scope["type"], scope["path"], scope["raw_path"]) == ("http", "/a b", b"/a%20b")
    assert scope["query_string"] == b"q=1" and scope["app"] is app
    assert (b"x-two", b"b") in scope["headers"]


def test_headers_of_a_request_can_be_taken_over():
    copied = request().headers.mutablecopy()
    assert copied.getlist("X-TWO") == ["a", "b"]
    copied["x-two"] = "c"
    assert copied.getlist("x-two") == ["c"]


class Tag(Enum):
    ITEMS = "items"


def test_options_as_enums_and_as_none():
    app = BoltAPI()
    router = Router(tags=[Tag.ITEMS], status_code=http.HTTPStatus.CREATED)

    @router.post("/", tags=["items", "more"], status_code=None, dependencies=None, summary=None)
    def create(): ...

    app.include_router(router, tags=None)
    app.get("/", status_code=None, tags=None, responses=None)(lambda: 1)
    app.put("/", status_code=http.HTTPStatus.ACCEPTED)(lambda: 1)
    assert [route.status_code for route in app.routes] == [201, 200, 202]
    assert all(type(route.status_code) is int for route in app.routes)
    described = openapi(app)["paths"]["/"]
    assert (
        described["post"]["tags"] == ["items", "more"] and "201" in described["post"]["responses"]
    )
    assert "tags" not in described["get"]


def test_no_model_is_not_the_same_as_none_given():
    assert combined({"response_model": int}, {"response_model": None})["response_model"] is None
    assert combined({"isolation": "fresh"}, {"isolation": None})["isolation"] == "fresh"


def test_statuses_of_the_standard_library_are_sent():
    from bolt import JSONResponse, Response

    for response in (
        JSONResponse({}, status_code=http.HTTPStatus.CREATED),
        Response("x", http.HTTPStatus.CREATED),
    ):
        assert encode_reply(200, response)
