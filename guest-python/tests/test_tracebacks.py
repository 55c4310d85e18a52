"""What the log says about failures: sentences about results, tracebacks of the app's own code."""

import datetime
import io
import linecache
import os
import pathlib
import sys
from types import CodeType
from typing import Any

import pytest

from bolt import BoltAPI, Response
from bolt._errors import ResultError
from bolt._runtime.app_loader import LoadError, import_app
from bolt._runtime.tracebacks import app_traceback, failure_text
from bolt._serialization.replies import encode_reply
from bolt._serialization.serialize_checked import to_plain

SOURCE = """
import asyncio
import os
from typing import Annotated

from bolt import BoltAPI, Depends, Field, Struct

api = BoltAPI()


class Link(Struct):
    url: str
    clicks: Annotated[int, Field(ge=0)] = 0

    def text(self):
        return self.model_dump()


async def load():
    return 1


@api.get("/mismatch")
def mismatch() -> Link:
    return Link(url=5)


@api.get("/bound")
async def bound() -> list[Link]:
    return [Link(url="a"), Link(url="b", clicks=-1)]


@api.get("/missing", response_model=Link)
def missing():
    return {"clicks": 3}


@api.get("/coroutine")
def coroutine():
    return {"link": [load()]}


@api.get("/declared")
async def declared() -> int:
    return load()


@api.get("/record")
async def record() -> Link:
    return load()


@api.get("/dump")
def dump():
    return Link(url=5).text()


def checked(url: str):
    raise ZeroDivisionError(url)


@api.get("/raises")
def raises(found=Depends(checked)):
    return found


@api.get("/variable")
def variable():
    return os.environ["BOLT_MISSING"]


@api.get("/key")
def key():
    return {}["BOLT_MISSING"]


@api.get("/chained")
def chained():
    try:
        return variable()
    except KeyError as exc:
        raise RuntimeError("no variable") from exc
"""
NAME = "/0/routers/links.py"


@pytest.fixture(scope="module")
def api() -> BoltAPI:
    linecache.cache[NAME] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), NAME)
    module: Any = type(sys)("routers.links")
    module.__file__ = NAME
    sys.modules["routers.links"] = module
    code: CodeType = compile(SOURCE, NAME, "exec")
    exec(code, vars(module))
    module.api.finish()
    made: BoltAPI = module.api
    return made


def said(api: BoltAPI, path: str, *wire: Any) -> str:
    """What the log says about a request that fails, as the entry finds it out."""
    route = next(one for one in api.routes if one.path == path)
    try:
        result = route.invoke(wire)
        if route.is_async:
            try:
                result.send(None)
            except StopIteration as stopped:
                result = stopped.value
        encode_reply(200, result)
    except Exception as exc:
        # Without the frame of this function.
        exc.__traceback__ = exc.__traceback__ and exc.__traceback__.tb_next
        return failure_text(exc, route.shown)
    raise AssertionError("it did not fail")


def line(text: str) -> int:
    return SOURCE.splitlines().index(text) + 1


def test_an_error_of_a_result_is_a_sentence_that_names_the_handler_first(api: BoltAPI) -> None:
    place = f"routers/links.py:{line('def mismatch() -> Link:')}"
    assert said(api, "/mismatch") == (
        f"mismatch, {place}: the result does not match its declaration: "
        "the handler declares str at result.url, and returned the int 5"
    )
    place = f"routers/links.py:{line('async def bound() -> list[Link]:')}"
    assert said(api, "/bound") == (
        f"bound, {place}: the result does not match its declaration: "
        "the handler declares int at least 0 at result[1].clicks, and returned the int -1"
    )
    assert said(api, "/missing").endswith(
        "the handler declares Link at result, and what it returned has no 'url'"
    )


def test_a_forgotten_await_is_told(api: BoltAPI) -> None:
    place = f"routers/links.py:{line('def coroutine():')}"
    advice = "which was not awaited; write `await` before the call, in an `async def` handler"
    assert said(api, "/coroutine") == (
        f"coroutine, {place}: the result cannot be sent: cannot turn coroutine into JSON: "
        f"result.link[0] is the coroutine of `load(...)`, {advice}"
    )
    assert said(api, "/declared").endswith(
        "the handler declares int at result, but result is the coroutine of `load(...)`, " + advice
    )
    assert said(api, "/record").endswith(
        "the handler declares Link at result, but result is the coroutine of `load(...)`, " + advice
    )


def test_tracebacks_have_the_frames_and_paths_of_the_app_only(api: BoltAPI) -> None:
    text = said(api, "/raises", "u")
    assert text == (
        "Traceback (most recent call last):\n"
        f'  File "routers/links.py", line {line("    raise ZeroDivisionError(url)")}, in checked\n'
        "    raise ZeroDivisionError(url)\n"
        "ZeroDivisionError: u\n"
    )
    # The SDK raises it, and is called by the app.
    text = said(api, "/dump")
    assert text.count("  File ") == 2 and "bolt/" not in text
    inner = line("        return self.model_dump()")
    assert f'links.py", line {inner}, in text\n    return self.model_dump()\n' in text
    assert text.endswith("str at result.url, and returned the int 5\n")


def test_a_variable_that_is_not_set_is_told_with_its_flag(api: BoltAPI) -> None:
    text = said(api, "/variable")
    assert text.endswith(
        "KeyError: 'BOLT_MISSING'\n"
        "The app's environment has no BOLT_MISSING: give it with `--env BOLT_MISSING=...`\n"
    )
    assert "--env" not in said(api, "/key")
    text = said(api, "/chained")
    assert text.count('File "routers/links.py"') == 3 and text.endswith("no variable\n")
    assert "/0/" not in text


def test_a_variable_that_an_import_needs_is_told_with_that_of_the_build(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_variable.py").write_text('import os\n\nurl = os.environ["BOLT_MISSING"]\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(LoadError) as caught:
        import_app("needs_variable", "api")
    text = str(caught.value)
    assert 'needs_variable.py", line 3, in <module>\n' in text
    assert "give this one with `--build-env BOLT_MISSING=...`, or read it in a handler" in text


async def coroutine() -> None: ...


def generator() -> Any:
    yield 1


async def async_generator() -> Any:
    yield 1


class Later:
    def __await__(self) -> Any:
        yield


UNSENDABLE: list[tuple[Any, str]] = [
    (generator(), "result is the generator of `generator(...)`; collect its items first: `list("),
    (async_generator(), "the async generator of `async_generator(...)`; collect its items first"),
    (Later(), "result was not awaited; write `await` before it"),
    (iter([1]), "result is an iterator; collect its items first: `list(...)`"),
    (map(str, [1]), "result is an iterator; collect its items first: `list(...)`"),
    (range(3), "result has no JSON form; make it a list: `list(...)`"),
    ({}.keys(), "result has no JSON form; make it a list: `list(...)`"),
    (datetime.timedelta(1), "a span of time, for which JSON has no form; send its `.total_seconds"),
    (1j, "send its `.real` and `.imag`"),
    (pathlib.PurePath("a"), "result is a path; send its text by `str(...)`, or the file by a File"),
    (io.BytesIO(), "result is an open file; return its content, or a FileResponse"),
    (ValueError("x"), "result is an exception that was returned; write `raise` for it"),
    (BoltAPI, "result is the class BoltAPI and no instance of it; call it: `BoltAPI(...)`"),
    (generator, "result is the function generator, which was not called; write `generator(...)`"),
    (len, "result is the function len, which was not called; write `len(...)`"),
    (os, "result is a module"),
    (object(), "result has no JSON form; return a dict, a Struct, a dataclass or a Response"),
]


@pytest.mark.parametrize(("value", "advice"), UNSENDABLE)
def test_each_mistake_has_its_sentence(value: Any, advice: str) -> None:
    with pytest.raises(ResultError) as caught:
        to_plain({"a": value})
    text = str(caught.value)
    assert text.startswith(f"cannot turn {type(value).__qualname__} into JSON: ")
    assert advice.replace("result", "result.a") in text


def test_a_response_that_cannot_be_sent_names_its_handler() -> None:
    try:
        encode_reply(200, Response("x", headers={"x-bad": "a\r\nb"}))
    except ValueError as exc:
        exc.__traceback__ = exc.__traceback__ and exc.__traceback__.tb_next
        text = failure_text(exc, "show, app.py:3")
        assert text.startswith("show, app.py:3: ValueError: ")
        assert "Traceback" in text
    else:
        raise AssertionError("it was sent")


def test_an_error_of_the_sdk_keeps_its_frames() -> None:
    try:
        encode_reply(200, BoltAPI)
    except ResultError as exc:
        exc.__traceback__ = exc.__traceback__ and exc.__traceback__.tb_next
        assert "serialize_checked.py" in app_traceback(exc)
        assert failure_text(exc, "show, app.py:3").startswith("show, app.py:3: the result cannot")
