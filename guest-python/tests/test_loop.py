"""The event loop, driven as the host drives it, but with a clock that jumps to the next alarm."""

import asyncio
import contextvars
import gc
import json
import subprocess
import sys
from asyncio import events
from pathlib import Path

import pytest
from bolt import loop as loop_module
from bolt.loop import BoltLoop

FIXTURE = Path(__file__).parents[2] / "tests" / "fixture"
sys.path.insert(0, str(FIXTURE))

from programs import PROGRAMS  # noqa: E402

REQUEST = contextvars.ContextVar("request", default=0)


class Host:
    """What the host does: keeps one alarm, and ticks when it rings."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        self.alarm = None
        self.alarms = 0
        self.complaints = []
        self.served = []
        self.loop = BoltLoop(self.set_alarm, self.complaints.append, REQUEST, self.served.append)
        monkeypatch.setattr(loop_module, "monotonic", lambda: self.now)

    def set_alarm(self, delay):
        assert isinstance(delay, int) and 0 <= delay < 2**64
        self.alarm = self.now + delay / 1e9
        self.alarms += 1

    def ring(self):
        assert self.alarm is not None, "nothing would ever wake the loop"
        # The alarm has whole nanoseconds, and none is early.
        self.now = max(self.now, self.alarm + 1e-6)
        self.alarm = None
        self.loop.tick()

    def run(self, coroutine):
        task = self.loop.create_task(coroutine)
        self.loop.run_ready()
        while not task.done():
            self.ring()
        return task.result()


@pytest.fixture
def host(monkeypatch):
    host = Host(monkeypatch)
    hooks = sys.get_asyncgen_hooks()
    events._set_running_loop(host.loop)
    sys.set_asyncgen_hooks(host.loop._asyncgens.add, host.loop._finalize_asyncgen)
    yield host
    events._set_running_loop(None)
    sys.set_asyncgen_hooks(*hooks)


async def fail(exc):
    raise exc


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


# What goes wrong.


def test_exception_never_retrieved(host):
    # At once: not when the garbage collector comes by.
    host.loop.create_task(fail(ValueError("nobody looks")))
    host.loop.run_ready()
    (text,) = host.complaints
    assert text.startswith("Task exception was never retrieved\nfuture: <Task finished")
    assert text.endswith("ValueError: nobody looks")


def test_exception_in_callback(host):
    ran = []
    host.loop.call_soon(int, "x")
    host.loop.call_soon(ran.append, 1)
    host.loop.run_ready()
    (text,) = host.complaints
    assert text.startswith("Exception in callback int('x')\nhandle: <_Soon")
    assert "ValueError: invalid literal" in text
    assert ran == [1]


def test_pending_task_destroyed(host):
    async def handler():
        await host.loop.create_future()

    host.loop.create_task(handler())
    host.loop.run_ready()
    gc.collect()
    assert host.complaints[0].startswith("Task was destroyed but it is pending!\ntask: <Task")


def test_exit_in_a_handler_ends_nothing(host):
    with pytest.raises(SystemExit):
        host.run(fail(SystemExit(3)))
    assert host.complaints == []
    host.loop.call_soon(sys.exit, 1)
    host.loop.run_ready()
    assert "SystemExit" in host.complaints[0]


def test_report_has_the_request_of_what_failed(host):
    seen = []
    context = contextvars.Context()
    context.run(REQUEST.set, 8)
    host.loop._complain = lambda text: seen.append(REQUEST.get())
    host.loop.call_soon(int, "x", context=context)
    host.loop.run_ready()
    assert seen == [8 if sys.version_info >= (3, 12) else 0]


def test_broken_exception_handlers(host):
    def broken(loop, context):
        raise KeyError("in the handler")

    host.loop.set_exception_handler(broken)
    host.loop.call_soon(int, "x")
    host.loop.run_ready()
    assert host.complaints[0].startswith("Unhandled error in exception handler\ncontext: {")
    host.loop._complain = broken
    host.loop.call_soon(int, "x")
    ran = []
    host.loop.call_soon(ran.append, 1)
    host.loop.run_ready()
    assert ran == [1]
    with pytest.raises(TypeError):
        host.loop.set_exception_handler("handler")


# Refusals.

RUNNERS = """
import asyncio, warnings
from bolt.loop import BoltLoop
warnings.simplefilter("error")
loop = BoltLoop(print, print)
loop.install()
from asyncio import run, new_event_loop
async def main(): pass
def with_loop():
    own = new_event_loop()
    own.run_until_complete(main())
def with_runner():
    with asyncio.Runner() as runner:
        runner.run(main())
for attempt in (
    lambda: run(main()), lambda: asyncio.run(main(), debug=True), with_loop, with_runner,
    lambda: asyncio.Runner().run(main()), lambda: loop.run_until_complete(main()),
    lambda: asyncio.get_event_loop().run_until_complete(main()), loop.run_forever,
):
    try:
        attempt()
    except RuntimeError as exc:
        assert str(exc).endswith("make the handler `async def` and await the coroutine"), exc
        print("refused")
assert asyncio.get_running_loop() is loop is asyncio.get_event_loop()
"""


def test_other_loops_are_refused():
    # In a process of its own: a loop is installed for good.
    command = [sys.executable, "-W", "error", "-c", RUNNERS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "refused\n" * 8


def test_input_and_output_is_refused(host):
    loop = host.loop

    async def handler():
        with pytest.raises(OSError, match=r"no sockets in the sandbox: use bolt\.http"):
            await asyncio.open_connection("example.com", 80)
        with pytest.raises(OSError, match="sockets"):
            await asyncio.start_server(print, port=80)
        with pytest.raises(OSError, match="name resolution"):
            await loop.getaddrinfo("example.com", 80)
        with pytest.raises(OSError, match=r"loop\.sock_recv: there are no sockets"):
            await loop.sock_recv(None, 1)
        with pytest.raises(NotImplementedError, match="processes"):
            await asyncio.create_subprocess_exec("ls")
        with pytest.raises(NotImplementedError, match="pipes"):
            await loop.connect_read_pipe(None, None)

    host.run(handler())
    with pytest.raises(NotImplementedError, match="descriptors"):
        loop.add_reader(0, print)
    with pytest.raises(NotImplementedError, match="signals"):
        loop.add_signal_handler(2, print)
    for end in (loop.stop, loop.close):
        with pytest.raises(RuntimeError, match="all requests share it"):
            end()


def test_nothing_of_a_loop_is_missing(host):
    abstract = asyncio.AbstractEventLoop
    missing = [
        name
        for name in dir(abstract)
        if not name.startswith("__") and getattr(BoltLoop, name) is getattr(abstract, name)
    ]
    assert missing == []
    host.loop.set_debug(True)
    host.loop.set_default_executor(None)
    assert not host.loop.get_debug() and not host.loop.is_closed() and host.loop.is_running()
