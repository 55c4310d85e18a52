"""Which requests have streams or WebSockets, and who waits for their progress.

A task waits for a future that `on_news` resolves; a `def` handler waits in the host, which blocks
the interpreter. The code always asks the host before it waits, and no other code runs in between,
so it cannot miss progress.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = [
    "Flow",
    "begin",
    "current",
    "end",
    "flow_of",
    "flows",
    "host",
    "install",
    "is_gone",
    "keep",
    "on_news",
]

_host: Any = None
_current: Callable[[], int] = int


class Flow:
    """A request that has a stream or a WebSocket, or waits for a part of its body.

    is_gone: its client is gone, or the host has ended its response.
    on_gone: called when that happens; None if nothing is being sent.
    futures: those that wait for its progress.
    """

    __slots__ = ("futures", "is_gone", "is_open", "on_gone", "request")

    def __init__(self, request: int) -> None:
        self.request = request
        self.is_gone = False
        self.is_open = False
        self.on_gone: Callable[[], object] | None = None
        self.futures: set[asyncio.Future[None]] = set()

    async def news(self) -> None:
        """Return after the next progress."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.futures.add(future)
        try:
            await future
        finally:
            self.futures.discard(future)
            _drop(self)

    def wake(self) -> None:
        """Resume those that wait for its progress."""
        for future in self.futures:
            if not future.done():
                future.set_result(None)


flows: dict[int, Flow] = {}
"""By the number of the request. The entry tests it at each alarm, which is cheaper than a call."""


def install(host: Any, current: Callable[[], int]) -> None:
    """Use `host`, an object like the module `wit_world.imports.streams`; None removes it.

    current: returns the number of the current request.
    """
    global _host, _current
    _host, _current = host, current
    flows.clear()


def host() -> Any:
    """The functions of the host. Raises RuntimeError if there is no host."""
    if _host is None:
        raise RuntimeError("there is no host: bodies flow in a handler that bolt-host runs")
    return _host


def current() -> int:
    """The number of the current request."""
    return _current()


def on_news() -> None:
    """Tell those that wait for it what has progressed."""
    if _host is None:
        return
    for progress in _host.news():
        flow = flows.get(progress.request)
        if flow is None:
            continue
        if progress.gone:
            flow.is_gone = True
            if flow.on_gone is not None:
                flow.on_gone()
        flow.wake()


def flow_of(request: int) -> Flow:
    """The flow of a request, which is known until nothing is open and nobody waits."""
    flow = flows.get(request)
    if flow is None:
        flow = flows[request] = Flow(request)
    return flow


def begin(request: int) -> Flow | None:
    """Open the response of a request. None if the host refuses."""
    return keep(request) if host().open(request) else None


def keep(request: int) -> Flow:
    """The flow of a request, which is known until `end`."""
    flow = flow_of(request)
    flow.is_open = True
    return flow


def end(flow: Flow) -> None:
    """Nothing more of a response will be sent."""
    flow.is_open, flow.on_gone = False, None
    _drop(flow)


def is_gone(request: int) -> bool:
    """Whether the client of a request with an open response is gone."""
    on_news()
    flow = flows.get(request)
    return flow is not None and flow.is_gone


def _drop(flow: Flow) -> None:
    if not flow.is_open and not flow.futures:
        flows.pop(flow.request, None)
