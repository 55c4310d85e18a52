"""`kv.cache`: what is kept, under which key, and who computes it."""

import asyncio
import functools
import logging
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from kvfake import KvHost, host, run

from bolt import BoltAPI, JSONResponse, Request, Struct, kv

__all__ = ["host"]


@pytest.fixture
def told() -> Any:
    """What is logged."""
    records: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    handler = Handler()
    logging.getLogger("bolt.kv").addHandler(handler)
    yield records
    logging.getLogger("bolt.kv").removeHandler(handler)


class Counted:
    """A cached function in both kinds, and how often it has run."""

    def __init__(self, result: Callable[..., Any], **options: Any) -> None:
        self.calls = 0

        @kv.cache(ttl=60, **options)
        def blocking(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return result(*args, **kwargs)

        @kv.cache(ttl=60, **options)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            await asyncio.sleep(0)
            return result(*args, **kwargs)

        self.blocking, self.waiting = blocking, waiting

    def both(self, *args: Any, **kwargs: Any) -> list[Any]:
        return [self.blocking(*args, **kwargs), run(self.waiting(*args, **kwargs))]


@pytest.mark.parametrize("value", [None, 0, {"a": [1]}, "é", b"\0b", b""])
def test_results_are_kept(host: KvHost, value: Any) -> None:
    counted = Counted(lambda: value)
    assert counted.both() == [value, value] and counted.calls == 2
    assert counted.both() == [value, value] and counted.calls == 2
    host.now += 59_999
    assert counted.both() == [value, value] and counted.calls == 2
    host.now += 1
    assert counted.both() == [value, value] and counted.calls == 4


class User(Struct):
    name: str
    born: date


def test_results_are_what_json_makes_of_them(host: KvHost) -> None:
    counted = Counted(lambda: [User(name="ann", born=date(2000, 1, 2)), (1,)])
    expected = [{"name": "ann", "born": "2000-01-02"}, [1]]
    assert counted.both() == counted.both() == [expected, expected] and counted.calls == 2
    # All functions of `Counted` have one name.
    host.stores["main"].clear()
    counted = Counted(object)
    with pytest.raises(TypeError, match="object"):
        counted.blocking()
    with pytest.raises(TypeError, match="object"):
        run(counted.waiting())
    response = Counted(lambda: JSONResponse({}))
    with pytest.raises(TypeError, match="JSONResponse"):
        response.blocking()


def test_arguments_make_the_key(host: KvHost) -> None:
    counted = Counted(lambda *args, **kwargs: [args, kwargs])
    given: list[tuple[Any, ...]] = [
        (),
        (1,),
        ("1",),
        (1.0,),
        (True,),
        (None,),
        ([1, {"a": 1}],),
        (1, 2),
        ("x" * 1000,),
        ("x" * 1001,),
        ("é" * 200,),
    ]
    for args in given:
        counted.blocking(*args)
    assert counted.calls == len(host.stores["main"]) == len(given)
    for args in given:
        counted.blocking(*args)
    assert counted.calls == len(given)
    for prefix, count in [("cache:", len(given) - 2), ("cached-hash:", 2)]:
        start = f"{prefix}test_cache.Counted."
        assert sum(key.startswith(start) for key in host.stores["main"]) == count


def test_ways_to_call_are_the_same(host: KvHost) -> None:
    calls = []

    @kv.cache(ttl=None)
    def add(a: int, b: int = 2, *, c: int = 3) -> int:
        calls.append(a)
        return a + b + c

    found = [add(1), add(1, 2), add(1, b=2), add(a=1), add(1, c=3, b=2), add(c=3, b=2, a=1)]
    assert found == [6] * 6 and calls == [1]
    assert [key.rpartition(":")[2] for key in host.stores["main"]] == ["[1, 2, 3]"]
    for wrong in (lambda: add(), lambda: add(1, 2, 3), lambda: add(1, a=1)):
        with pytest.raises(TypeError):
            wrong()
    # The order of keys does not matter.
    counted = Counted(lambda given: 1)
    counted.blocking({"x": 1, "y": 2})
    counted.blocking({"y": 2, "x": 1})
    assert counted.calls == 1


@pytest.mark.parametrize("value", [object(), date(2000, 1, 1), {1: 2}, [b"x"], {"a": {1}}])
def test_arguments_that_have_no_place_in_a_key(host: KvHost, value: Any) -> None:
    counted = Counted(lambda *args: 1)
    for call in (lambda: counted.blocking(value), lambda: run(counted.waiting(value))):
        with pytest.raises(TypeError, match=r"has no place in a key, as .* give `kv.cache`"):
            call()
    with pytest.raises(ValueError, match="JSON"):
        counted.blocking([float("nan")])
    assert not counted.calls
    keyed = Counted(lambda *args: 1, key=lambda given: str(type(given)))
    assert keyed.both(value) == keyed.both(value) == [1, 1] and keyed.calls == 2
    wrong = Counted(lambda *args: 1, key=lambda given: 5)
    with pytest.raises(TypeError, match="is text, not int"):
        wrong.blocking(value)


def test_results_are_forgotten(host: KvHost) -> None:
    counted = Counted(lambda n: n)
    counted.both(1), counted.both(2)
    assert counted.blocking.invalidate(1) is True and counted.blocking.invalidate(1) is False
    assert run(counted.waiting.invalidate(1)) is True
    assert counted.both(1) == [1, 1] and counted.both(2) == [2, 2] and counted.calls == 6


def test_callers_share_a_call(host: KvHost) -> None:
    counted = Counted(lambda n: {"n": n})

    async def together() -> list[Any]:
        return await asyncio.gather(*[counted.waiting(place % 2) for place in range(100)])

    found = run(together())
    assert found == [{"n": place % 2} for place in range(100)] and counted.calls == 2
    # Each has its own.
    assert len({id(one) for one in found}) == 100


def test_callers_share_what_is_raised(host: KvHost) -> None:
    def fail() -> None:
        raise KeyError("no")

    counted = Counted(fail)

    async def together() -> list[Any]:
        asked = [counted.waiting() for _ in range(10)]
        return await asyncio.gather(*asked, return_exceptions=True)

    assert {type(one) for one in run(together())} == {KeyError} and counted.calls == 1
    with pytest.raises(KeyError):
        run(counted.waiting())
    assert counted.calls == 2 and not host.stores["main"]


def test_another_caller_takes_over(host: KvHost) -> None:
    calls = 0

    @kv.cache(ttl=60)
    async def slow() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.02)
        return calls

    async def together() -> list[Any]:
        tasks = [asyncio.create_task(slow()) for _ in range(5)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        tasks[3].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = run(together())
    assert [one for one in found if isinstance(one, int)] == [2, 2, 2] and calls == 2
    assert type(found[0]) is type(found[3]) is asyncio.CancelledError


def test_what_is_forgotten_meanwhile_is_not_kept(host: KvHost) -> None:
    calls = 0

    @kv.cache(ttl=60)
    async def slow() -> int:
        nonlocal calls
        calls += 1
        found = calls
        await asyncio.sleep(0.02)
        return found

    async def together() -> list[int]:
        first = asyncio.create_task(slow())
        await asyncio.sleep(0.01)
        await slow.invalidate()
        second = await slow()
        return [await first, second, await slow()]

    assert run(together()) == [1, 2, 2]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"hello"])
def test_what_cannot_be_read_is_computed_again(host: KvHost, text: bytes) -> None:
    counted = Counted(lambda: 5)
    counted.both()
    for kept in host.stores["main"].values():
        kept.value = text
    assert counted.both() == [5, 5] and counted.calls == 4
    assert counted.both() == [5, 5] and counted.calls == 4


def test_a_store_that_is_away(host: KvHost, told: list[str]) -> None:
    counted = Counted(lambda: 5)
    host.problem = ("operational", "the disk is gone")
    for _ in range(3):
        assert counted.both() == [5, 5]
    assert counted.calls == 6 and len(told) == 2
    assert told[0].endswith("blocking are not kept: Unavailable: the disk is gone")
    host.problem = None
    assert counted.both() == [5, 5] and counted.both() == [5, 5]
    assert counted.calls == 8


def test_results_that_the_store_refuses(host: KvHost, told: list[str]) -> None:
    counted = Counted(lambda: "x" * 2**21)
    for _ in range(2):
        assert [len(one) for one in counted.both()] == [2**21, 2**21]
    assert counted.calls == 4 and len(told) == 2 and "LimitExceeded" in told[0]
    host.problem, host.fails = ("operational", "full"), ("set",)
    other = Counted(lambda: 5)
    assert other.both() == [5, 5] and len(told) == 4


def test_a_store_that_is_not_granted(host: KvHost) -> None:
    counted = Counted(lambda: 5, store=kv.Store("other"))
    with pytest.raises(kv.NotGranted):
        counted.blocking()
    with pytest.raises(kv.NotGranted):
        run(counted.waiting())
    host.stores["other"] = {}
    assert counted.both() == [5, 5]
    assert host.stores["other"] and not host.stores["main"]


def test_handlers(host: KvHost) -> None:
    api = BoltAPI()
    calls = 0

    @api.get("/users/{number}")
    @kv.cache(ttl=5)
    async def users(number: int, name: str = "ann") -> list[User]:
        """All users."""
        nonlocal calls
        calls += 1
        return [User(name=name, born=date(2000, 1, number))]

    @api.get("/sync")
    @kv.cache(ttl=5, key=lambda request: request.path)
    def sync(request: Request) -> Any:
        nonlocal calls
        calls += 1
        return request.path

    first, second = api.routes
    assert [param.name for param in first.params] == ["number", "name"] and first.is_async
    assert first.doc == "All users." and first.name == "users" and not second.is_async
    for route in api.routes:
        route.compile()
    expected = [{"name": "ann", "born": "2000-01-03"}]
    for _ in range(2):
        assert run(first.invoke((3, "ann"))) == expected
        assert second.invoke((("GET", "http", "/sync", "", [], None, {}, b"", ""),)) == "/sync"
    assert calls == 2
    run(first.invoke((4, "bob")))
    assert calls == 3


def test_other_callables(host: KvHost) -> None:
    def numbers() -> Any:
        yield 1

    async def more() -> Any:
        yield 1

    for function in (numbers, more):
        with pytest.raises(TypeError, match="yields its results"):
            kv.cache(ttl=1)(function)
    with pytest.raises(ValueError, match="a time to live"):
        kv.cache(ttl=0)

    def add(a: int, b: int) -> int:
        return a + b

    # These have no name, and two of them would share their results.
    for unnamed in (functools.partial(add, 1), lambda: 1):
        with pytest.raises(TypeError, match="has no name of its own"):
            kv.cache(ttl=1)(unnamed)

    @functools.wraps(add)
    async def around(*args: int) -> int:
        return add(*args)

    assert run(kv.cache(ttl=1)(around)(2, 3)) == 5
