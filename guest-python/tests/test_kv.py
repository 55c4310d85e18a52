"""`bolt.kv` over a fake host, which answers at once or later."""

import asyncio
import gc
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import ModuleType
from typing import Any

import pytest
from kvfake import KvHost, host, run

from bolt import kv
from bolt._kv import host as hosts
from bolt._runtime.warmup_kv import warm_up_kv

__all__ = ["host"]

store = kv.Store()


class Name(StrEnum):
    ANN = "ann"


def both(ask: Callable[[Any], Any]) -> list[Any]:
    """What a `Store` answers in an `async def` handler, and in a `def` handler."""

    async def asynchronous() -> Any:
        return await ask(store)

    return [run(asynchronous()), ask(store.sync)]


def stored(host: KvHost) -> dict[str, bytes]:
    return {key: kept.value for key, kept in host.stores["main"].items()}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, b"null"),
        (True, b"true"),
        (-12, b"-12"),
        (1.5, b"1.5"),
        ("é\0", '"é\\u0000"'.encode()),
        ([1, {"a": None, "b": []}], b'[1,{"a":null,"b":[]}]'),
        ({"z": 1, "a": "ü"}, '{"z":1,"a":"ü"}'.encode()),
        (b"\0\xff", b"\0\0\xff"),
        (b"", b"\0"),
        ("", b'""'),
    ],
)
def test_values_come_back(host: KvHost, value: Any, text: bytes) -> None:
    assert both(lambda s: s.set("k", value)) == [True, True]
    assert stored(host) == {"k": text}
    for found in both(lambda s: s.get("k", "default")):
        assert found == value and type(found) is type(value)


def test_values_that_are_like_others(host: KvHost) -> None:
    for given, found in [
        ((1, (2,)), [1, [2]]),
        (bytearray(b"b"), b"b"),
        (memoryview(b"m"), b"m"),
        (Name.ANN, "ann"),
        ({1: 2}, {"1": 2}),
    ]:
        store.sync.set("k", given)
        assert store.sync.get("k") == found


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (Decimal(1), TypeError, "Decimal has no form in a store"),
        ({"a": [object()]}, TypeError, "object has no form"),
        ([b"x"], TypeError, "bytes has no form in a store: a value is JSON, or bytes alone"),
        ({1}, TypeError, "set has no form"),
        (float("nan"), ValueError, "not JSON compliant"),
        ("\ud800", ValueError, "surrogates"),
    ],
)
def test_what_has_no_form(host: KvHost, value: Any, error: type[Exception], said: str) -> None:
    for ask in (lambda s: s.set("k", value), lambda s: s.set_many({"k": value})):
        with pytest.raises(error, match=said):
            both(ask)
    assert not stored(host)


def test_a_missing_key(host: KvHost) -> None:
    assert both(lambda s: s.get("k")) == [None, None]
    assert both(lambda s: s.get("k", 5)) == [5, 5]
    assert both(lambda s: s.delete("k")) == [0, 0]
    assert both(lambda s: s.expire("k", 5)) == [False, False]
    assert both(lambda s: s.set("k", 1, if_present=True)) == [False, False]
    assert not stored(host)


def test_keys(host: KvHost) -> None:
    for key in ("a", "é" * 256, "x" * 512, "a b\0\n", "\U0001f600", Name.ANN):
        assert both(lambda s, key=key: s.set(key, 1)) == [True, True]
        assert both(lambda s, key=key: s.get(key)) == [1, 1]
    assert "ann" in stored(host)
    for key, error in [
        ("", ValueError),
        ("x" * 513, ValueError),
        ("é" * 257, ValueError),
        ("\ud800", ValueError),
        (b"k", TypeError),
        (None, TypeError),
    ]:
        for ask in (
            lambda s, key=key: s.get(key),
            lambda s, key=key: s.set(key, 1),
            lambda s, key=key: s.get_many(["a", key]),
            lambda s, key=key: s.incr(key),
            lambda s, key=key: s.delete(key),
            lambda s, key=key: s.expire(key, 1),
        ):
            with pytest.raises(error):
                both(ask)
    with pytest.raises(TypeError, match="several keys"):
        store.sync.get_many("abc")
    assert not host.commands


def test_several_keys(host: KvHost) -> None:
    assert both(lambda s: s.set_many({"a": 1, "b": b"2", "c": None})) == [None, None]
    assert (
        both(lambda s: s.get_many(iter(["c", "x", "a", "b"])))
        == [{"c": None, "a": 1, "b": b"2"}] * 2
    )
    host.log.clear()
    assert both(lambda s: s.get_many([])) == [{}, {}]
    assert both(lambda s: s.set_many({})) == [None, None]
    assert both(lambda s: s.delete()) == [0, 0]
    assert not host.log
    assert both(lambda s: s.delete("a", "b", "x")) == [2, 0]


def test_keys_expire(host: KvHost) -> None:
    for ttl in (1.5, timedelta(seconds=1.5)):
        store.sync.set("k", 1, ttl=ttl)
        store.sync.set_many({"l": 1}, ttl=ttl)
        host.now += 1499
        assert both(lambda s: s.get_many(["k", "l"])) == [{"k": 1, "l": 1}] * 2
        host.now += 1
        assert both(lambda s: s.get_many(["k", "l"])) == [{}, {}]
    store.sync.set("k", 1, ttl=1)
    assert both(lambda s: s.expire("k", None)) == [True, True]
    host.now += 10_000
    assert both(lambda s: s.expire("k", 0.0001)) == [True, True]
    host.now += 1
    assert store.sync.get("k") is None
    # A value that is set anew expires as the new one says.
    store.sync.set("k", 1, ttl=1)
    store.sync.set("k", 2)
    host.now += 10_000
    assert store.sync.get("k") == 2


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), timedelta(0), 10**30])
def test_times_that_cannot_be(host: KvHost, ttl: Any) -> None:
    for ask in (
        lambda s: s.set("k", 1, ttl=ttl),
        lambda s: s.set_many({"k": 1}, ttl=ttl),
        lambda s: s.incr("k", ttl=ttl),
        lambda s: s.expire("k", ttl),
    ):
        with pytest.raises(ValueError, match="a time to live"):
            both(ask)
    for wrong in ("5", True, [1]):
        with pytest.raises(TypeError, match="a time to live"):
            store.sync.set("k", 1, ttl=wrong)  # type: ignore[arg-type]


def test_conditions(host: KvHost) -> None:
    assert both(lambda s: s.set("k", 1, if_absent=True)) == [True, False]
    assert both(lambda s: s.set("k", 2, if_present=True)) == [True, True]
    with pytest.raises(ValueError, match="absent and present"):
        both(lambda s: s.set("k", 1, if_absent=True, if_present=True))


def test_compare_and_set(host: KvHost) -> None:
    assert both(lambda s: s.compare_and_set("k", None, {"n": 1})) == [True, False]
    assert both(lambda s: s.compare_and_set("k", {"n": 1}, {"n": 2})) == [True, False]
    assert both(lambda s: s.compare_and_set("k", {"n": 9}, 1)) == [False, False]
    # As `get` returns None for it too.
    store.sync.set("k", None)
    assert both(lambda s: s.compare_and_set("k", None, None)) == [True, True]
    assert both(lambda s: s.compare_and_set("k", None, b"x", 1)) == [True, False]
    assert both(lambda s: s.compare_and_set("k", b"x", b"x", 1)) == [True, True]
    host.now += 1000
    assert both(lambda s: s.compare_and_set("k", b"x", 1)) == [False, False]


def test_counters(host: KvHost) -> None:
    assert both(lambda s: s.incr("n")) == [1, 2]
    assert both(lambda s: s.incr("n", -5)) == [-3, -8]
    assert both(lambda s: s.get("n")) == [-8, -8]
    store.sync.set("n", 40)
    assert both(lambda s: s.incr("n", by=2)) == [42, 44]
    assert both(lambda s: s.incr("m", ttl=1)) == [1, 2]
    host.now += 999
    store.sync.incr("m", ttl=1)
    host.now += 1
    assert store.sync.incr("m") == 1
    for value in ("5", 1.5, None, b"5", [1]):
        store.sync.set("n", value)
        with pytest.raises(kv.DataError):
            both(lambda s: s.incr("n"))
    store.sync.set("n", 2**63 - 1)
    with pytest.raises(kv.DataError):
        both(lambda s: s.incr("n"))
    for by, error in [(2**63, ValueError), (1.0, TypeError), (True, TypeError), ("1", TypeError)]:
        with pytest.raises(error):
            store.sync.incr("n", by)  # type: ignore[arg-type]


def test_scanning(host: KvHost) -> None:
    names = ["b", "a", "u:é", "u:2", "u:10", "\U0001f600", "\uffff"]
    store.sync.set_many({name: [name] for name in names})
    ordered = sorted(names, key=str.encode)

    async def keys(*given: Any, **options: Any) -> list[str]:
        return [key async for key in store.scan(*given, **options)]

    async def items(*given: Any) -> list[Any]:
        return [item async for item in store.items(*given)]

    for longest in (1000, 2, 1):
        host.longest = longest
        for given, after, expected in [
            ((), None, ordered),
            (("u:",), None, ["u:10", "u:2", "u:é"]),
            (("u:",), "u:2", ["u:é"]),
            ((), "u:", ordered[2:]),
            (("none",), None, []),
        ]:
            assert run(keys(*given, after=after)) == expected
            assert list(store.sync.scan(*given, after=after)) == expected
        pairs = [(name, [name]) for name in ordered]
        assert run(items()) == list(store.sync.items()) == pairs
        assert run(items("u:1")) == list(store.sync.items("u:1")) == [("u:10", ["u:10"])]
    for prefix in ("x" * 513, 5):
        with pytest.raises((ValueError, TypeError)):
            run(keys(prefix))
        with pytest.raises((ValueError, TypeError)):
            list(store.sync.scan(prefix))  # type: ignore[arg-type]


def test_a_scan_that_is_broken_off(host: KvHost) -> None:
    store.sync.set_many({str(number): number for number in range(2500)})

    async def first() -> str:
        async for key in store.scan():
            return key
        return ""

    assert run(first()) == "0"
    assert len(list(store.sync.scan())) == len(dict(store.sync.items())) == 2500


def test_errors_have_types(host: KvHost) -> None:
    for kind, expected in [
        ("operational", kv.Unavailable),
        ("busy", kv.Unavailable),
        ("limit", kv.LimitExceeded),
        ("data", kv.DataError),
        ("cancelled", kv.Error),
        ("unheard-of", kv.Error),
    ]:
        host.problem = (kind, "told so")
        with pytest.raises(kv.Error, match="told so") as caught:
            both(lambda s: s.get("k"))
        with pytest.raises(kv.Error, match="told so"):
            store.sync.get("k")
        assert type(caught.value) is expected and expected.__module__ == "bolt.kv"
    host.problem = None
    assert kv.Unavailable("x").status_of_reply == 503
    other = kv.Store("other")
    with pytest.raises(kv.NotGranted, match="no store 'other'"):
        run(other.get("k"))
    with pytest.raises(kv.LimitExceeded, match="--kv-value"):
        both(lambda s: s.set("k", "x" * 2**21))
    assert not host.commands


@pytest.mark.parametrize("text", [b"", b"hello", b"{", b"\xff", b"[" * 100_000, b"1 2"])
def test_values_of_other_programs(host: KvHost, text: bytes) -> None:
    store.sync.set("k", 1)
    host.stores["main"]["k"].value = text
    for ask in (lambda s: s.get("k"), lambda s: s.get_many(["k"])):
        with pytest.raises(kv.DataError, match="the value of 'k' is neither JSON nor marked"):
            both(ask)
    with pytest.raises(kv.DataError):
        list(store.sync.items())


def test_spaces_of_other_programs(host: KvHost) -> None:
    store.sync.set("k", 1)
    for text in (b' {"a": 1}', b"[1]\n", b"\n5 "):
        host.stores["main"]["k"].value = text
        assert store.sync.get("k") in ({"a": 1}, [1], 5)


def test_what_is_there_at_once_does_not_wait() -> None:
    made = KvHost(pends=False)
    kv.install(made, lambda: 1)
    try:
        for coroutine in (
            store.set("k", 1),
            store.get("k"),
            store.incr("k"),
            store.get_many(["k"]),
            store.set_many({"k": 1}),
            store.compare_and_set("k", None, 1),
            store.expire("k", 1),
            store.delete("k"),
        ):
            with pytest.raises(StopIteration):
                coroutine.send(None)
    finally:
        kv.install(None, int)


def test_a_hundred_at_a_time(host: KvHost) -> None:
    async def count() -> list[int]:
        return await asyncio.gather(*[store.incr("n") for _ in range(100)])

    assert sorted(run(count())) == list(range(1, 101))


def test_commands_that_nobody_waits_for_any_more() -> None:
    made = KvHost(pends=True)
    kv.install(made, lambda: 1)
    made._happen = lambda: None  # type: ignore[method-assign]

    async def cut_off() -> None:
        task = asyncio.create_task(store.get("k"))
        await asyncio.sleep(0)
        assert made.commands and hosts.waiting
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not made.commands and not hosts.waiting
        # What is garbage collected is closed by the next call.
        coroutine = store.get("k")
        coroutine.send(None)
        del coroutine
        gc.collect()
        assert len(made.commands) == 1 and not hosts.waiting
        hosts.sweep()
        assert not made.commands

    try:
        run(cut_off())
    finally:
        kv.install(None, int)


def test_the_rehearsal_before_the_snapshot() -> None:
    runtime: Any = ModuleType("runtime")

    class Bindings(KvHost):
        def call(self, *arguments: Any) -> Any:
            return runtime.call_import(*arguments)

    def real(*_: Any) -> Any:
        raise AssertionError("there is no host yet")

    runtime.call_import = real
    bindings = Bindings(pends=False)
    kv.install(bindings, lambda: 0)
    try:
        warm_up_kv(bindings, runtime)
    finally:
        kv.install(None, int)
    assert runtime.call_import is real


def test_without_a_host_nothing_works() -> None:
    with pytest.raises(RuntimeError, match="there is no host to ask"):
        store.sync.get("k")
    for name in ("", 5, None):
        with pytest.raises(ValueError, match="the name of a store"):
            kv.Store(name)  # type: ignore[arg-type]
    assert repr(store) == "Store('main')" and repr(store.sync) == "SyncStore('main')"
