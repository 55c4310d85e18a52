"""Errors in the event loop, and the operations that it refuses."""

import asyncio
import contextvars
import gc
import subprocess
import sys

import pytest
from loop_host import REQUEST, fail, loop_host

from bolt._runtime.loop import BoltLoop


@pytest.fixture
def host(monkeypatch):
    yield from loop_host(monkeypatch)


# What goes wrong.


def test_exception_never_retrieved(host):
    # Immediately, not at the next garbage collection.
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
    assert text.startswith("Exception in callback int(")
    assert "\nhandle: <_Soon" in text
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
from bolt._runtime.asyncio_patches import install_loop
from bolt._runtime.loop import BoltLoop
warnings.simplefilter("error")
loop = BoltLoop(print, print)
install_loop(loop)
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
        with pytest.raises(OSError, match="there is no host to connect"):
            await asyncio.open_connection("example.com", 80)
        with pytest.raises(OSError, match=r"loop\.create_server: .* connect to servers over TCP"):
            await asyncio.start_server(print, port=80)
        with pytest.raises(OSError, match="over TCP, and nothing else"):
            await loop.create_datagram_endpoint(print)
        with pytest.raises(NotImplementedError, match="processes"):
            await asyncio.create_subprocess_exec("ls")
        with pytest.raises(NotImplementedError, match="pipes"):
            await loop.connect_read_pipe(None, None)

    host.run(handler())
    with pytest.raises(OSError, match="over TCP, and nothing else"):
        loop.add_reader(0, print)
    assert not loop.remove_reader(0)
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
