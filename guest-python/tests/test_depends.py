"""Dependencies: the tree of calls, and the function that is compiled for it."""

import asyncio
import contextlib
from typing import Annotated, Any

import pytest

from bolt import (
    BackgroundTasks,
    BoltAPI,
    Depends,
    Header,
    HTTPException,
    Query,
    Request,
    Response,
    Router,
)
from bolt._dependencies.after_response import pending
from bolt._routing.route import Route
from bolt._serialization.replies import encode_reply
from bolt.exceptions import BuildError


def route_of(handler: Any, path: str = "/", **options: Any) -> Route:
    api = BoltAPI()
    api.get(path, **options)(handler)
    return api.routes[0]


def finished(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def request() -> tuple[Any, ...]:
    headers, client = [("host", "h")], ("127.0.0.1", 5)
    return ("GET", "http", "/a%20b", "x=1", headers, client, {"n": "1"}, b"{}", "/shop")


def test_a_dependency_is_called_once_with_parameters_of_its_own():
    calls = []

    def number(q: int = 1):
        calls.append(q)
        return q

    def double(n: Annotated[int, Depends(number)]):
        return n * 2

    def handler(a: int, n: Annotated[int, Depends(number)], d: int = Depends(double)):
        return a, n, d

    route = route_of(handler)
    assert [param.name for param in route.params] == ["a", "q"]
    assert route.invoke((5, 7)) == (5, 7, 14)
    assert calls == [7]


def test_without_its_cache_it_is_called_for_each_who_asks():
    calls = []

    def number():
        calls.append(1)

    def handler(a=Depends(number), b=Depends(number, use_cache=False)): ...

    route_of(handler).invoke(())
    assert len(calls) == 2


def test_an_async_dependency_makes_the_call_async():
    async def later(q: str):
        await asyncio.sleep(0)
        return q

    class Both:
        def __init__(self, found: Annotated[str, Depends(later)], r: int = 2):
            self.both = (found, r)

    def handler(both: Annotated[Both, Depends()]):
        return both.both

    route = route_of(handler)
    assert route.is_async
    assert finished(route.invoke(("x", 3))) == ("x", 3)


def test_generators_go_on_after_the_response_in_reverse():
    events = []

    def first():
        events.append("first")
        yield 1
        events.append("first ends")

    def second(one: Annotated[int, Depends(first)]):
        yield one + 1
        events.append("second ends")

    def handler(two: Annotated[int, Depends(second)]):
        return two

    pending.clear()
    encode_reply(200, route_of(handler).invoke(()))
    assert events == ["first"]
    finished(pending.pop().run(lambda exc: pytest.fail(str(exc))))
    assert events == ["first", "second ends", "first ends"]


def test_a_failure_is_thrown_into_generators_and_may_become_another():
    def guarded():
        try:
            yield
        except KeyError as exc:
            raise HTTPException(404) from exc

    def swallowing():
        with contextlib.suppress(ValueError):
            yield

    def handler(_=Depends(guarded)):
        raise KeyError("x")

    def other(_=Depends(swallowing)):
        raise ValueError

    with pytest.raises(HTTPException):
        route_of(handler).invoke(())
    with pytest.raises(RuntimeError, match="raise it again"):
        route_of(other).invoke(())


def test_overrides_take_the_place_of_dependencies():
    def real(q: int):
        return q

    def fake():
        return "fake"

    api = BoltAPI()

    @api.get("/")
    def handler(found=Depends(real)):
        return found

    api.dependency_overrides[real] = fake
    api.finish()
    assert api.routes[0].params == ()
    assert api.routes[0].invoke(()) == "fake"


def test_dependencies_of_app_router_and_route_come_first():
    events = []

    def note(name):
        def dependency():
            events.append(name)

        return Depends(dependency)

    api = BoltAPI(dependencies=[note("app")])
    router = Router(prefix="/r", dependencies=[note("router")], tags=["a"])

    @router.get("/x", dependencies=[note("route")], tags=["b"])
    def handler():
        events.append("handler")

    api.include_router(router, prefix="/p", tags=["c"])
    route = api.routes[0]
    route.invoke(())
    assert events == ["app", "router", "route", "handler"]
    assert route.path == "/p/r/x" and route.declared.options["tags"] == ["c", "a", "b"]


def test_what_the_sdk_makes_needs_no_value_but_the_request():
    def handler(request: Request, tasks: BackgroundTasks, response: Response, q: int = 1):
        tasks.add_task(print)
        response.headers["X-A"] = "b"
        response.set_cookie("c", "d")
        return [request.path, request.query_params["x"], request.path_params, request.client.port]

    route = route_of(handler)
    assert [param.source for param in route.params] == ["query", "request"]
    made = route.invoke((1, request()))
    assert made.data == ["/a b", "1", {"n": "1"}, 5]
    assert made.headers["x-a"] == "b" and made.cookies == ["c=d; Path=/; SameSite=lax"]
    assert len(made.after.background.tasks) == 1


def test_a_status_set_on_the_response_holds():
    def handler(response: Response):
        response.status_code = 202
        return 1

    assert route_of(handler).invoke(()).status_code == 202


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (lambda x=Depends(3): 1, "needs something to call"),
        (lambda x=Query(gt="a"): 1, "gt cannot be"),
        (lambda x=Header(min_length=-1): 1, "min_length cannot be -1"),
    ],
)
def test_mistakes_are_told_when_a_route_is_declared(handler, words):
    with pytest.raises(BuildError, match=words):
        BoltAPI().get("/")(handler)
    with pytest.raises(BuildError, match=words):
        Router().get("/")(handler)


def test_a_dependency_that_needs_itself_is_refused():
    def one(x=None): ...

    one.__defaults__ = (Depends(one),)
    with pytest.raises(BuildError, match="depends on itself"):
        BoltAPI().get("/")(lambda x=Depends(one): 1)
