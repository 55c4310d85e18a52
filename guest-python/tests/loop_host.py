"""A fake host for the tests of the event loop: one alarm, and a clock that jumps to it."""

import contextvars
import sys
from asyncio import events

from bolt._runtime import loop as loop_module
from bolt._runtime.loop import BoltLoop

REQUEST = contextvars.ContextVar("request", default=0)


class Host:
    """Keeps one alarm, and calls `tick` when it fires."""

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
        # The alarm has a resolution of nanoseconds, and must not fire early.
        self.now = max(self.now, self.alarm + 1e-6)
        self.alarm = None
        self.loop.tick()

    def run(self, coroutine):
        task = self.loop.create_task(coroutine)
        self.loop.run_ready()
        while not task.done():
            self.ring()
        return task.result()


def loop_host(monkeypatch):
    """The body of a fixture: the loop is the running one, with its hooks installed."""
    host = Host(monkeypatch)
    hooks = sys.get_asyncgen_hooks()
    events._set_running_loop(host.loop)
    sys.set_asyncgen_hooks(host.loop._asyncgens.add, host.loop._finalize_asyncgen)
    yield host
    events._set_running_loop(None)
    sys.set_asyncgen_hooks(*hooks)


async def fail(exc):
    raise exc
