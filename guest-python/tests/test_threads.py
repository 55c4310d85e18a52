"""What stands in for threads: executors, anyio, asgiref and Starlette call functions in place."""

import asyncio
import concurrent.futures.thread
import contextvars
import importlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from loop_host import loop_host

from bolt._threads import futures, in_place

NAME = contextvars.ContextVar("name", default="none")


@pytest.fixture
def host(monkeypatch):
    yield from loop_host(monkeypatch)


@pytest.fixture
def no_threads(monkeypatch):
    def start(self: threading.Thread) -> None:
        raise AssertionError("a thread was started")

    monkeypatch.setattr(threading.Thread, "start", start)


def opened(monkeypatch: pytest.MonkeyPatch, module: str, door: str, *names: str) -> Any:
    """A module whose door is open for one test. names: what the door changes."""
    changed: Any = pytest.importorskip(module)
    for name in names:
        owner, _, attribute = name.rpartition(".")
        holder = getattr(changed, owner) if owner else changed
        monkeypatch.setattr(holder, attribute, getattr(holder, attribute))
    importlib.import_module(f"bolt._threads.{door}").open_door(changed)
    return changed


@pytest.fixture
def executor(monkeypatch, no_threads) -> Iterator[Any]:
    names = ("ThreadPoolExecutor.__init__", "ThreadPoolExecutor.submit")
    yield opened(monkeypatch, "concurrent.futures.thread", "futures", *names).ThreadPoolExecutor


def test_an_executor_calls_at_once(executor: Any):
    begun = []
    NAME.set("outer")
    with executor(2, initializer=begun.append, initargs=("first",)) as pool:
        future = pool.submit(lambda a, b: (a, b, NAME.get()), 1, b=2)
        assert future.done() and future.result() == (1, 2, "none")
        assert list(pool.map(str, [1, 2])) == ["1", "2"]
        failed = pool.submit(int, "x")
        assert isinstance(failed.exception(), ValueError)
        assert set(concurrent.futures.as_completed([future, failed])) == {future, failed}
    assert begun == ["first"]
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int)
    assert futures.__all__ == ["open_door"]


def test_an_executor_sees_no_running_loop(executor: Any, host: Any):
    async def submit() -> Any:
        return executor().submit(asyncio.get_running_loop).exception()

    assert isinstance(host.run(submit()), RuntimeError)


def test_a_coroutine_is_finished_if_it_does_not_wait(host: Any):
    async def quick(value: int) -> int:
        async with asyncio.Lock():
            NAME.set("changed")
            return value

    async def slow() -> None:
        await asyncio.sleep(1)

    async def polling() -> None:
        while True:
            await asyncio.sleep(0)

    async def failing() -> None:
        raise ValueError("broken")

    def function(coroutine: Any) -> Any:
        return in_place.finish_coroutine(coroutine, "caller")

    async def handler(coroutine: Any) -> Any:
        return in_place.call_in_place(function, coroutine), NAME.get()

    assert host.run(handler(quick(3))) == (3, "changed")
    with pytest.raises(ValueError, match="broken"):
        host.run(handler(failing()))
    for waiting in (slow, polling):
        with pytest.raises(RuntimeError, match="caller was called for a coroutine that has to"):
            host.run(handler(waiting()))
    assert function(quick(4)) == 4


def test_long_functions_let_others_run(host: Any, monkeypatch):
    rounds = []

    async def other() -> None:
        for number in range(3):
            rounds.append(number)
            await asyncio.sleep(0)

    async def handler() -> None:
        task = asyncio.get_running_loop().create_task(other())
        monkeypatch.setattr(in_place, "_spent", 0.0)
        await in_place.pace(time.monotonic())
        assert not rounds
        await in_place.pace(time.monotonic() - 1)
        assert rounds == [0]
        await task

    host.run(handler())


def test_anyio(host: Any, monkeypatch, no_threads):
    anyio = pytest.importorskip("anyio")
    opened(monkeypatch, "anyio.to_thread", "anyio_to_thread", "run_sync")
    names = ("run", "run_sync", "check_cancelled")
    from_thread = opened(monkeypatch, "anyio.from_thread", "anyio_from_thread", *names)

    def function(value: int) -> Any:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        seen = NAME.get()
        NAME.set("inner")
        from_thread.check_cancelled()
        send.send_nowait("now")
        from_thread.run(send.send, "later")
        return value, seen, from_thread.run_sync(NAME.get)

    async def handler() -> Any:
        nonlocal send
        send, receive = anyio.create_memory_object_stream(10)
        NAME.set("outer")
        with anyio.fail_after(5):
            found = await anyio.to_thread.run_sync(function, 3, limiter=anyio.CapacityLimiter(1))
        return found, NAME.get(), await receive.receive(), await receive.receive()

    async def cancelled() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.to_thread.run_sync(pytest.fail)

    send: Any = None
    assert host.run(handler()) == ((3, "outer", "inner"), "outer", "now", "later")
    host.run(cancelled())


def test_asgiref(host: Any, monkeypatch, no_threads):
    names = ("SyncToAsync.__call__", "AsyncToSync.__call__")
    sync = opened(monkeypatch, "asgiref.sync", "asgiref_sync", *names)

    def function(value: int) -> Any:
        NAME.set("inner")
        return sync.async_to_sync(coroutine)(value)

    async def coroutine(value: int) -> Any:
        return await sync.sync_to_async(lambda: (value, NAME.get()), thread_sensitive=False)()

    class Model:
        @sync.sync_to_async
        def read(self) -> str:
            return "row"

    async def handler() -> Any:
        NAME.set("outer")
        async with sync.ThreadSensitiveContext():
            found = await sync.sync_to_async(function)(3)
        return found, NAME.get(), await Model().read()

    assert host.run(handler()) == ((3, "inner"), "inner", "row")
    assert sync.async_to_sync(coroutine)(4)[0] == 4


def test_starlette(host: Any, monkeypatch, no_threads):
    opened(monkeypatch, "anyio.to_thread", "anyio_to_thread", "run_sync")
    concurrency = pytest.importorskip("starlette.concurrency")

    async def handler() -> Any:
        items = [item async for item in concurrency.iterate_in_threadpool(iter([1, 2]))]
        return await concurrency.run_in_threadpool(lambda *, a: a, a=3), items

    assert host.run(handler()) == (3, [1, 2])
