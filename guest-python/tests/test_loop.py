"""The event loop, driven as the host drives it, but with a clock that jumps to the next alarm."""

import asyncio
import contextvars
import json
import sys
from asyncio import events
from pathlib import Path

import pytest
from loop_host import REQUEST, loop_host

from bolt._runtime.loop import BoltLoop

FIXTURE = Path(__file__).parents[2] / "tests" / "fixture"
sys.path.insert(0, str(FIXTURE))

from programs import PROGRAMS  # noqa: E402


@pytest.fixture
def host(monkeypatch):
    yield from loop_host(monkeypatch)


# Conformance.


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_program_does_as_in_cpython(host, name):
    mine = host.run(PROGRAMS[name]())
    assert host.complaints == []
    events._set_running_loop(None)
    expected = asyncio.run(PROGRAMS[name]())
    assert json.dumps(mine) == json.dumps(expected)


# Timers and the alarm.


def test_many_timers_are_one_alarm(host):
    handles = [host.loop.call_later(n, lambda: None) for n in range(1, 10_001)]
    host.loop.run_ready()
    assert host.alarms == 1
    for handle in handles[1:]:
        handle.cancel()
    assert len(host.loop._timers) < 300
    host.ring()
    assert host.alarms == 1
    assert host.loop._timers == []


def test_an_earlier_timer_moves_the_alarm(host):
    host.loop.call_later(5, lambda: None)
    host.loop.run_ready()
    first = host.alarm
    host.loop.call_later(1, lambda: None)
    host.loop.call_later(2, lambda: None)
    host.loop.run_ready()
    assert host.alarms == 2
    assert host.alarm < first


def test_an_alarm_that_rings_early_is_set_again(host):
    fired = []
    host.loop.call_later(1, fired.append, 1)
    host.loop.run_ready()
    host.loop.tick()
    assert fired == []
    assert host.alarms == 2


@pytest.mark.parametrize("delay", [float("inf"), 1e300, 1e12])
def test_endless_timer_keeps_nothing_back(host, delay):
    host.loop.call_later(delay, lambda: None)
    fired = []
    host.loop.run_ready()
    assert host.alarm <= host.now + 24 * 3600
    host.loop.call_later(1, fired.append, 1)
    host.loop.run_ready()
    host.ring()
    assert fired == [1]


def test_odd_times(host):
    fired = []
    for delay in (float("nan"), float("-inf"), -5):
        host.loop.call_later(delay, fired.append, delay)
    host.loop.tick()
    assert len(fired) == 3
    for call in (host.loop.call_later, host.loop.call_at):
        with pytest.raises(TypeError, match="None"):
            call(None, print)


def test_spinning_task_gives_the_thread_back(host):
    turns = []

    async def spin():
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    task = host.loop.create_task(spin())
    host.loop.run_ready()
    assert len(turns) == 64
    assert host.alarm == host.now
    task.cancel()
    host.loop.run_ready()
    assert task.cancelled()


def test_timer_comes_due_while_callbacks_compute(host):
    log = []

    async def compute():
        host.loop.call_later(1, log.append, "timer")
        for turn in range(3):
            host.now += 1
            log.append(turn)
            await asyncio.sleep(0)

    host.run(compute())
    assert log == [0, 1, "timer", 2]


def test_call_from_outside_wakes_the_loop(host):
    host.loop.call_soon_threadsafe(lambda: None)
    assert host.alarm == host.now
    host.ring()
    host.loop.call_soon(host.loop.call_soon_threadsafe, lambda: None)
    host.loop.run_ready()
    assert host.alarm is None


# Requests.


def test_the_host_knows_whom_it_serves(host):
    async def handler(turns):
        for _ in range(turns):
            await asyncio.sleep(0)

    tasks = []
    for number, turns in ((7, 1), (9, 2)):
        context = contextvars.Context()
        context.run(REQUEST.set, number)
        tasks.append(asyncio.Task(handler(turns), loop=host.loop, context=context))
    host.loop.call_soon(lambda: None, context=contextvars.Context())
    host.loop.run_ready()
    assert host.served == [7, 9, 0, 7, 9]
    assert host.loop.serving_now == 9
    host.loop.serving_now = 0
    host.loop.call_soon(lambda: None, context=contextvars.Context())
    host.loop.run_ready()
    assert len(host.served) == 5


def test_no_one_is_served_without_the_variable():
    alarms = []
    loop = BoltLoop(alarms.append, print)
    loop.call_soon(alarms.append, "ran")
    loop.run_ready()
    assert alarms == ["ran"]
    assert loop.serving_now == 0


def test_task_outlives_its_request_and_lock_wakes_another(host):
    log = []

    async def first(lock):
        await lock.acquire()
        host.loop.call_later(1, lock.release)

    async def second(lock):
        async with lock:
            log.append("second")

    lock = asyncio.Lock()
    host.run(first(lock))
    host.run(second(lock))
    assert log == ["second"]


def test_function_outside_is_billed_to_its_request(host):
    async def handler():
        REQUEST.set(5)
        return await host.loop.run_in_executor(None, REQUEST.get)

    assert host.run(handler()) == 5


def test_functions_outside_see_no_loop(host):
    async def handler():
        def outside():
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
            with pytest.raises(RuntimeError):
                asyncio.current_task()
            raise KeyError

        with pytest.raises(KeyError):
            await asyncio.to_thread(outside)
        return asyncio.get_running_loop()

    assert host.run(handler()) is host.loop


def test_functions_outside_fail_as_in_a_thread(host):
    async def kept():
        with pytest.raises(SystemExit):
            await asyncio.to_thread(sys.exit, 3)
        future = host.loop.run_in_executor(None, int, "x")
        future.cancel()
        await asyncio.sleep(0)
        return "kept"

    assert host.run(kept()) == "kept"
    assert host.complaints == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 leaves such a future pending")
def test_stop_iteration_from_outside(host):
    async def handler():
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.to_thread(next, iter(()))

    host.run(handler())


# Tasks.


def test_task_factory(host):
    made = []

    def factory(loop, coro, **kwargs):
        made.append(kwargs)
        return asyncio.Task(coro, loop=loop, **kwargs)

    async def handler():
        host.loop.set_task_factory(factory)
        assert host.loop.get_task_factory() is factory
        task = asyncio.create_task(asyncio.sleep(0, "result"), name="made")
        host.loop.set_task_factory(None)
        return await task, task.get_name(), len(made)

    assert host.run(handler()) == ("result", "made", 1)
    with pytest.raises(TypeError):
        host.loop.set_task_factory("factory")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks before")
def test_eager_tasks(host):
    async def child(log):
        log.append("child")
        await asyncio.sleep(0)
        log.append("end")

    async def handler():
        log = []
        host.loop.set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(child(log), name="eager")
        host.loop.set_task_factory(None)
        log.append("created")
        await task
        return log, task.get_name()

    assert host.run(handler()) == (["child", "created", "end"], "eager")


# Async generators.


async def numbers(log):
    try:
        while True:
            yield len(log)
    finally:
        await asyncio.sleep(0)
        log.append("closed")


def test_generator_dropped_outside_the_loop_is_closed(host):
    log = []
    generators = [numbers(log)]

    async def begin():
        await anext(generators[0])

    host.run(begin())
    assert log == []
    generators.clear()
    host.ring()
    assert log == ["closed"]


def test_shutdown_of_generators(host):
    log = []
    kept = [numbers(log), numbers(log)]

    async def broken():
        try:
            yield 1
        finally:
            raise ValueError("on the way out")

    async def handler():
        kept.append(broken())
        for generator in kept:
            await anext(generator)
        await host.loop.shutdown_asyncgens()
        await host.loop.shutdown_default_executor(1)
        return list(log)

    assert host.run(handler()) == ["closed", "closed"]
    assert "during closing of asynchronous generator" in host.complaints[0]
