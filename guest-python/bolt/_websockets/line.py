"""`Line`: the host's side of a WebSocket, with those who wait to send or to receive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from .._serialization.replies import encode_acceptance
from .._streams import progress
from .._streams.progress import Flow

__all__ = ["Closed", "Line", "Service", "host", "install", "service"]

Closed = tuple[int, str]
"""Why a WebSocket is closed: a code and a reason."""

# How long a handler may go on after its client is gone.
_GRACE = 5.0
# A timer, so that the loop returns to the host, which may have other requests.
_PAUSE = 1e-9
# The most messages that are received in a row while other requests wait.
_IN_A_ROW = 64


@dataclass(frozen=True, slots=True)
class Service:
    """What the entry does for WebSockets, besides the functions of the host.

    reply: gives the host a reply.
    is_unsent: whether the host has no reply to a request yet.
    is_cancelled: whether the host has cancelled a request.
    linger: the host's function for work after a reply.
    complain: logs an exception that no response reports, and the handler that it is from.
    forget: logs what is left of the output of a request.
    """

    reply: Callable[[int, str], None]
    is_unsent: Callable[[int], bool]
    is_cancelled: Callable[[int], bool]
    linger: Callable[[int, bool], None]
    complain: Callable[[BaseException, str], None]
    forget: Callable[[int], None]


_host: Any = None
_service: Service | None = None


def install(host: Any, given: Service | None) -> None:
    """Use `host`, an object like the module `wit_world.imports.sockets`; None removes it."""
    global _host, _service
    _host, _service = host, given


def service() -> Service:
    """What the entry does. Raises RuntimeError if there is no host."""
    if _service is None:
        raise RuntimeError("there is no host: a WebSocket is open in a handler that bolt-host runs")
    return _service


def host() -> Any:
    """The functions of the host. Raises RuntimeError if there is no host."""
    service()
    return _host


class Line:
    """The connection of a request that may become a WebSocket.

    flow: its progress at the host, from the moment that it is accepted.
    closed: why it is closed, once this is known here.
    lingers: the request counts as in flight, although the host may forget the connection.
    is_given_up: the handler is cancelled, because its client is gone.
    """

    def __init__(self, request: int) -> None:
        self.request = request
        self.flow: Flow | None = None
        self.closed: Closed | None = None
        self.lingers = False
        self.is_given_up = False
        self._is_open = False
        self._task: asyncio.Task[Any] | None = None
        self._count = 0

    @property
    def is_closed_here(self) -> bool:
        """It was accepted, and this side has closed it."""
        return self.flow is not None and not self._is_open

    def begin(self) -> None:
        """The current task is the handler's, to be cancelled when it goes on without a client."""
        self._task = asyncio.current_task()
        self._context = copy_context()

    def finish(self) -> None:
        """The handler has ended: what follows is not cancelled."""
        task, self._task = self._task, None
        while task is not None and task.cancelling():
            task.uncancel()

    async def accept(self, subprotocol: str, headers: list[tuple[str, str]]) -> bool:
        """Accept the WebSocket. False if the app has too many."""
        reply = encode_acceptance(subprotocol, headers)
        entry = service()
        if not _host.open(self.request):
            return False
        self._is_open = True
        self.flow = progress.keep(self.request)
        self.flow.on_gone = self._on_gone
        entry.reply(self.request, reply)
        # Nothing is sent before the host has the reply.
        while entry.is_unsent(self.request):
            await asyncio.sleep(_PAUSE)
        return True

    async def send(self, binary: bool, data: str) -> bool:
        """Send a message, once the host has room for it. False if the client is gone."""
        host, flow, taken = _host, self.flow, progress.host().Taken
        while self._is_open and flow is not None:
            answer = host.send(self.request, binary, data)
            if answer is taken.MORE:
                return True
            if answer is taken.PAUSE:
                await asyncio.sleep(_PAUSE)
                return True
            if answer is taken.GONE:
                return False
            await flow.news()
        return False

    async def receive(self) -> str | bytes | Closed:
        """The next message, or why there are no more."""
        host, flow = _host, self.flow
        while self.closed is None and flow is not None:
            if self._count >= _IN_A_ROW:
                # Before a message is taken: this wait may be cancelled.
                self._count = 0
                await asyncio.sleep(_PAUSE)
                continue
            message = host.receive(self.request)
            if isinstance(message, host.Message_Pending):
                self._count = 0
                await flow.news()
                continue
            if isinstance(message, host.Message_Closed):
                code, reason = message.value
                self.closed = (code, reason)
                flow.wake()
                break
            self._count += 1
            if isinstance(message, host.Message_Text):
                return str(message.value)
            return bytes(message.value)
        return self.closed or (1006, "")

    def close(self, code: int, reason: str, lingers: bool) -> None:
        """Close it, once what was sent has gone out. lingers: there is work left."""
        if not self._is_open or self.flow is None:
            return
        self._is_open = False
        self.closed = self.closed or (code, reason)
        if lingers:
            self.lingers = True
            service().linger(self.request, False)
        _host.close(self.request, code, reason)
        # Those who wait for it see that it is closed.
        self.flow.wake()
        progress.end(self.flow)

    def _on_gone(self) -> None:
        if self.flow is not None:
            self.flow.on_gone = None
        if self._task is not None:
            loop = self._task.get_loop()
            loop.call_later(_GRACE, self._give_up, context=self._context)

    def _give_up(self) -> None:
        if self._task is None:
            return
        self.is_given_up = True
        # The deadline of work after a response holds for what the handler does at its end.
        self.close(1000, "", lingers=True)
        self._task.cancel()
