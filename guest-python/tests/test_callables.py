"""Callables that hide whether they are `async`: in handlers, dependencies and everywhere else."""

import asyncio
import contextlib
import functools
import inspect
from typing import Any

import pytest

from bolt import BackgroundTasks, BoltAPI, Depends, Request
from bolt._app.host_errors import host_error_handlers
from bolt._dependencies.after_response import pending
from bolt._routing.route import Route
from bolt._serialization.replies import encode_reply


def async_around(function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **named: Any) -> Any:
        await asyncio.sleep(0)
        return ["around", function(*args, **named)]

    return wrapper


def def_around(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    return wrapper


def agen_around(function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **named: Any) -> Any:
        yield ["agen_around", function(*args, **named)]

    return wrapper


class Obj:
    async def __call__(self, n: int = 0, m: int = 1) -> Any:
        return ["obj", n, m]


class AsyncDecorator:
    def __init__(self, function: Any) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    async def __call__(self, *args: Any, **named: Any) -> Any:
        return ["decorator", self.function(*args, **named)]


class Decorator(AsyncDecorator):
    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.function(*args, **named)


class Decorated:
    @async_around
    def __call__(self, n: int = 0) -> Any:
        return ["decorated", n]


class Part:
    async def go(self, m: int, n: int = 0) -> Any:
        return ["part", m, n]

    __call__ = functools.partialmethod(go, 5)


class Methods:
    async def method(self, n: int = 0) -> Any:
        return ["method", n]

    @classmethod
    async def of_class(cls, n: int = 0) -> Any:
        return ["of class", n]

    @staticmethod
    async def static(n: int = 0) -> Any:
        return ["static", n]


class Generates:
    def __call__(self, n: int = 0) -> Any:
        yield ["generates", n]


class GeneratesLater:
    async def __call__(self, n: int = 0) -> Any:
        yield ["generates later", n]


def plain(n: int = 0) -> Any:
    return n


async def later(n: int = 0) -> Any:
    return ["later", n]


def gen(n: int = 0) -> Any:
    yield ["gen", n]


async def agen(n: int = 0) -> Any:
    yield ["agen", n]


# What FastAPI 0.165 returns for each as a handler and as a dependency. It answers the last
# two of this table with a 500, and the one before as a dependency.
CALLED: dict[str, tuple[Any, Any]] = {
    "async around def": (async_around(plain), ["around", 3]),
    "def around async": (def_around(later), ["later", 3]),
    "object": (Obj(), ["obj", 3, 1]),
    "partial of object": (functools.partial(Obj(), m=2), ["obj", 3, 2]),
    "partial of async": (functools.partial(later), ["later", 3]),
    "partial of async around def": (functools.partial(async_around(plain)), ["around", 3]),
    "async decorator object": (AsyncDecorator(plain), ["decorator", 3]),
    "decorator object around async": (Decorator(later), ["later", 3]),
    "method": (Methods().method, ["method", 3]),
    "class method": (Methods.of_class, ["of class", 3]),
    "static method": (Methods.static, ["static", 3]),
    "partial of method": (functools.partial(Methods().method), ["method", 3]),
    "object with a wrapped call": (Decorated(), ["around", ["decorated", 3]]),
    "object with a partial method": (Part(), ["part", 5, 3]),
    "def around async around def": (def_around(async_around(plain)), ["around", 3]),
    "def around partial of async": (def_around(functools.partial(later)), ["later", 3]),
}
# The same, as a dependency only.
GENERATED: dict[str, tuple[Any, Any]] = {
    "generator": (gen, ["gen", 3]),
    "async generator": (agen, ["agen", 3]),
    "generator object": (Generates(), ["generates", 3]),
    "async generator object": (GeneratesLater(), ["generates later", 3]),
    "partial of generator": (functools.partial(gen), ["gen", 3]),
    "partial of async generator object": (
        functools.partial(GeneratesLater()),
        ["generates later", 3],
    ),
    "def around generator": (def_around(gen), ["gen", 3]),
    "def around async generator": (def_around(agen), ["agen", 3]),
    "async generator around def": (agen_around(plain), ["agen_around", 3]),
}


def route_of(handler: Any) -> Route:
    api = BoltAPI()
    api.get("/")(handler)
    return api.routes[0]


def answer(route: Route, *more: Any) -> Any:
    values = [3 if param.name == "n" else param.default for param in route.params]
    result = route.invoke(tuple(values[: len(values) - len(more)]) + more)
    assert inspect.isawaitable(result) == route.is_async
    if route.is_async:
        result = asyncio.run(_awaited(result))
    return getattr(result, "data", result)


async def _awaited(result: Any) -> Any:
    return await result


@pytest.mark.parametrize("name", CALLED)
def test_a_handler_is_awaited(name: str) -> None:
    handler, wanted = CALLED[name]
    assert answer(route_of(handler)) == wanted


@pytest.mark.parametrize("name", [*CALLED, *GENERATED])
def test_a_dependency_is_awaited_or_resumed(name: str) -> None:
    dependency, wanted = {**CALLED, **GENERATED}[name]

    def handler(found=Depends(dependency)) -> Any:
        return found

    assert answer(route_of(handler)) == wanted


def request() -> tuple[Any, ...]:
    return ("GET", "http", "/", "", [], None, {}, b"", "")


class Handles:
    async def __call__(self, request: Request, exc: Exception) -> Any:
        return ["handles", type(exc).__name__]


def told(request: Request, exc: Exception) -> Any:
    return type(exc).__name__


@pytest.mark.parametrize(
    ("handler", "word"),
    [
        (async_around(told), "around"),
        (AsyncDecorator(told), "decorator"),
        (Handles(), "handles"),
        (functools.partial(Handles()), "handles"),
        (def_around(async_around(told)), "around"),
        (Handles().__call__, "handles"),
    ],
)
def test_an_exception_handler_is_awaited(handler: Any, word: str) -> None:
    api = BoltAPI()
    api.add_exception_handler(LookupError, handler)
    api.add_exception_handler(404, handler)

    @api.get("/")
    def fails() -> Any:
        raise LookupError

    assert answer(api.routes[0], request()) == [word, "LookupError"]
    (refusal,) = host_error_handlers(api)
    assert refusal.is_async
    found = asyncio.run(_awaited(refusal.invoke(("Not Found", request()))))
    assert found == [word, "HTTPException"]


def test_background_tasks_are_awaited_and_a_cancelled_one_does_not_end_the_others() -> None:
    done: list[Any] = []
    complaints: list[str] = []

    def note(n: int = 0) -> None:
        done.append(n)

    async def awaits_what_it_cancels() -> None:
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task

    def dependency() -> Any:
        yield 1
        done.append("resumed")

    def handler(tasks: BackgroundTasks, found=Depends(dependency)) -> Any:
        tasks.add_task(awaits_what_it_cancels)
        tasks.add_task(async_around(note), 1)
        tasks.add_task(functools.partial(AsyncDecorator(note)), 2)
        return 1

    encode_reply(200, route_of(handler).invoke(()))
    asyncio.run(pending.pop().run(lambda exc: complaints.append(type(exc).__name__)))
    assert done == [1, 2, "resumed"]
    assert complaints == ["CancelledError"]


def kinds_of_lifespan(log: list[str]) -> dict[str, Any]:
    def waitless(app: BoltAPI) -> Any:
        log.append("in")
        yield {"a": 1}
        log.append("out")

    async def waiting(app: BoltAPI) -> Any:
        log.append("in")
        yield {"a": 1}
        log.append("out")

    class Starts:
        async def __call__(self, app: BoltAPI) -> Any:
            log.append("in")
            yield {"a": 1}
            log.append("out")

    managed = contextlib.asynccontextmanager(waiting)
    return {
        "generator": waitless,
        "async generator": waiting,
        "context manager": managed,
        "partial": functools.partial(waiting),
        "partial of context manager": functools.partial(managed),
        "around": def_around(managed),
        "object": Starts(),
    }


@pytest.mark.parametrize("name", kinds_of_lifespan([]))
def test_every_kind_of_lifespan_is_entered_and_left(name: str) -> None:
    log: list[str] = []
    api = BoltAPI(lifespan=kinds_of_lifespan(log)[name])

    @api.get("/")
    def handler(request: Request) -> Any:
        return request.state.a

    async def serve() -> Any:
        found = await api.routes[0].invoke((request(),))
        assert log == ["in"]
        assert api.context.lifespan is not None
        await api.context.lifespan.leave()
        return found

    assert asyncio.run(serve()) == 1
    assert log == ["in", "out"]
