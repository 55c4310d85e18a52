"""Registration: what is accepted, and how mistakes name the handler and the place."""

import dataclasses
import functools
import inspect
from pathlib import Path
from typing import Any, Optional, TypedDict

import pytest

from bolt import BoltAPI, Struct
from bolt._routing.path_templates import PathError, parse_path
from bolt.exceptions import BuildError


class Item(Struct):
    id: int


class Total(TypedDict):
    a: int


@dataclasses.dataclass
class Data:
    a: int


@dataclasses.dataclass
class WithInitVar:
    a: int
    b: dataclasses.InitVar[int]


class Odd(Struct):
    avatar: complex


def sources(handler: Any, path: str = "/") -> dict[str, str]:
    api = BoltAPI()
    api.post(path)(handler)
    return {param.name: param.source for param in api.routes[0].params}


def failure(handler: Any, path: str = "/") -> BuildError:
    with pytest.raises(BuildError) as caught:
        BoltAPI().get(path)(handler)
    return caught.value


def test_the_decorator_returns_the_function():
    def handler():
        return 1

    assert BoltAPI().get("/")(handler) is handler


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_methods(method):
    api = BoltAPI(title="T")

    def handler():
        return 1

    getattr(api, method)("/x", status_code=202)(handler)
    route = api.routes[0]
    assert (route.method, route.path, route.status_code) == (method.upper(), "/x", 202)
    assert (route.id, route.name, route.is_async, route.params) == (0, "handler", False, ())


def test_async_is_noticed():
    api = BoltAPI()

    @api.get("/")
    async def handler():
        return 1

    assert api.routes[0].is_async


def test_parameter_sources():
    def handler(
        p: int,
        q: int,
        plain,
        anything: Any,
        raw: bytes,
        many: list[int],
        unique: set[str],
        several: tuple[int, ...],
        maybe: Optional[list[int]] = None,
    ): ...

    assert sources(handler, "/{p}") == {
        "p": "path",
        **dict.fromkeys(
            ["q", "plain", "anything", "raw", "many", "unique", "several", "maybe"], "query"
        ),
    }


@pytest.mark.parametrize(
    "annotation",
    [
        Item,
        Data,
        Total,
        dict,
        dict[str, int],
        list[Item],
        tuple[Item, ...],
        list[dict],
        Item | None,
        int | Item,
        list[list[int]],
        tuple[int, Item],
    ],
)
def test_body_annotations(annotation):
    def handler(x): ...

    handler.__annotations__ = {"x": annotation}
    assert sources(handler) == {"x": "body"}


def test_get_may_have_a_body():
    BoltAPI().get("/")(lambda: 1)

    def handler(item: Item): ...

    BoltAPI().get("/")(handler)


def test_errors_name_handler_file_and_line():
    def handler(a: int, wrong: complex): ...

    error = failure(handler)
    line = inspect.getsourcelines(handler)[1]
    assert isinstance(error, TypeError)
    assert (error.file, error.line) == (Path(__file__).name, line)
    assert error.handler.endswith("<locals>.handler")
    text = str(error)
    assert "'wrong'" in text and "complex" in text
    assert error.handler in text and f"{Path(__file__).name}:{line}" in text


def test_the_line_is_that_of_the_def():
    api = BoltAPI()

    @api.get("/")
    @functools.cache
    def ok():
        return 1

    @api.get("/other")
    def other():
        return 1

    lines = Path(__file__).read_text().splitlines()
    assert [lines[route.line - 1].strip() for route in api.routes] == ["def ok():", "def other():"]


def test_unsupported_field_is_found_at_registration():
    def handler(odd: Odd): ...

    text = str(failure(handler))
    assert "'odd'" in text and "'avatar' of Odd" in text and "complex" in text


def test_init_var():
    def handler(d: WithInitVar): ...

    assert "InitVar" in str(failure(handler))


@pytest.mark.parametrize("status", [0, 99, 600])
def test_status_range(status):
    with pytest.raises(BuildError, match="between 100 and 599"):
        BoltAPI().get("/", status_code=status)(lambda: 1)


def test_star_parameters():
    def args(*rest): ...
    def kwargs(**rest): ...

    assert "'*rest'" in str(failure(args))
    assert "'**rest'" in str(failure(kwargs))


def test_positional_only_is_fine():
    def handler(a: int, /): ...

    assert sources(handler, "/{a}") == {"a": "path"}


def test_two_bodies():
    def handler(a: Item, b: Item): ...

    assert sources(handler) == {"a": "body", "b": "body"}


def test_path_name_without_parameter():
    assert "'x'" in str(failure(lambda: 1, "/{x}"))


def test_path_parameter_must_be_scalar():
    def handler(x: list[int]): ...

    assert "part of the path" in str(failure(handler, "/{x}"))


def test_query_cannot_be_a_fixed_tuple():
    def handler(x: tuple[int, int]): ...

    assert "query" in str(failure(handler))


def test_unresolvable_names_say_which_parameter():
    def handler(a: int, b: "Nowhere"): ...  # noqa: F821

    text = str(failure(handler))
    assert "'b'" in text and "Nowhere" in text


def test_the_result_need_not_be_resolvable():
    def handler(a: int) -> "Nowhere": ...  # noqa: F821

    assert sources(handler) == {"a": "query"}


def test_duplicates():
    api = BoltAPI()

    def first(x: int): ...
    def second(y: int): ...

    api.get("/a/{x}")(first)
    api.post("/a/{y}")(second)
    with pytest.raises(BuildError, match=r"already served by .*first"):
        api.get("/a/{y}")(second)
    api.get("/a/{y:path}")(second)
    assert len(api.routes) == 3


@pytest.mark.parametrize(
    ("path", "names", "shape"),
    [
        ("/", (), "/"),
        ("/a/{b}/c", ("b",), "/a/{}/c"),
        ("/a/{b}/{c:path}", ("b", "c"), "/a/{}/{:path}"),
    ],
)
def test_paths(path, names, shape):
    template = parse_path(path)
    assert (template.names, template.shape) == (names, shape)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a", "start with"),
        ("", "start with"),
        ("/{}", "not an identifier"),
        ("/{1a}", "not an identifier"),
        ("/{class}", "not an identifier"),
        ("/{a}/{a}", "twice"),
        ("/{a:path}/b", "takes the rest"),
        ("/{a:int}", "annotate the parameter"),
        ("/{a}.txt", "whole segment"),
        ("/{a", "whole segment"),
        ("/a}", "whole segment"),
        ("/{{a}}", "whole segment"),
    ],
)
def test_bad_paths(path, message):
    with pytest.raises(PathError, match=message):
        parse_path(path)
    assert message in str(failure(lambda: 1, path))
