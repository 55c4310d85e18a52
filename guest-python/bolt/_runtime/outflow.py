"""Sends the responses that flow: a task for each, on the event loop of the instance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import Any

from .._dependencies.after_response import Exits
from .._responses.streaming import StreamingResponse
from .._serialization.replies import encode_exception
from .._streams import progress
from .._streams.chunks import Chunks, close_iterator, to_wire
from .._streams.progress import Flow
from ..exceptions import HTTPException

__all__ = ["Outflows"]

# A response must not begin before the host has its reply, and the loop may run before that.
_AGAIN = 0.0005
# A timer, so that the loop returns to the host, which may have new requests.
_PAUSE = 1e-9

_Work = Callable[[], Coroutine[Any, Any, None]]


class Outflows:
    """The responses of an instance that flow.

    loop: runs the tasks.
    request: the number of the request in each context.
    linger: the host's function for work after a reply.
    complain: logs an exception that no response reports, and the handler that made the response.
    forget: logs what is left of the output of a request.
    is_unsent: whether the host has no reply to a request yet.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        request: ContextVar[int],
        linger: Callable[[int, bool], None],
        complain: Callable[[BaseException, str], None],
        forget: Callable[[int], None],
        is_unsent: Callable[[int], bool],
    ) -> None:
        self._loop = loop
        self._request = request
        self._linger = linger
        self._complain = complain
        self._forget = forget
        self._is_unsent = is_unsent
        # The loop has weak references only.
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, request: int, exits: Exits, reply: str, handler: str) -> str:
        """Open the response of `exits`. Returns the reply for the host, before its first chunk.

        handler: what errors call the handler.
        """
        # That of the handler, whose context variables the chunks see.
        context = copy_context()
        context.run(self._request.set, request)
        flow = progress.begin(request)
        if flow is None:
            refusal = HTTPException(503)
            self._linger(request, False)
            work = partial(self._refuse, request, exits, refusal, handler)
            reply = encode_exception(refusal)
        else:
            work = partial(self._run, flow, exits, handler)
        self._loop.call_later(0, self._start, request, context, work, context=context)
        return reply

    def _start(self, request: int, context: Context, work: _Work) -> None:
        if self._is_unsent(request):
            self._loop.call_later(_AGAIN, self._start, request, context, work, context=context)
            return
        task = asyncio.Task(work(), loop=self._loop, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, flow: Flow, exits: Exits, handler: str) -> None:
        request = flow.request
        exc = await _ended(flow, exits.stream)
        progress.end(flow)
        if exc is not None:
            self._complain(exc, handler)
        lingers = exits.is_needed
        if lingers:
            self._linger(request, False)
        self._forget(request)
        progress.host().close(request, exc is not None)
        if lingers:
            await self._finish(request, exits, exc, handler)

    async def _refuse(
        self, request: int, exits: Exits, refusal: BaseException, handler: str
    ) -> None:
        """End a response that the host has no room for, as if its handler had raised this."""
        await _closed(exits.stream.body_iterator)
        await self._finish(request, exits, refusal, handler)

    async def _finish(
        self, request: int, exits: Exits, exc: BaseException | None, handler: str
    ) -> None:
        """Do the work after a response. exc: why it failed."""
        try:
            if exc is None:
                await exits.run(lambda later: self._complain(later, handler))
            else:
                raised = await exits.afail(exc)
                if raised is not exc:
                    self._complain(raised, handler)
        finally:
            self._forget(request)
            self._linger(request, True)


async def _ended(flow: Flow, response: StreamingResponse) -> BaseException | None:
    """Send a response to its end or until its client is gone. Returns the exception it raised."""
    body = response.body_iterator
    task: Any = asyncio.current_task()

    def cancel() -> None:
        # A stream that has asked whether its client is gone gets an answer instead.
        if asyncio.current_task() is not task:
            task.cancel()

    flow.on_gone = cancel
    try:
        try:
            if not flow.is_gone:
                await _send(flow, body, response.charset)
        finally:
            # What it does at its end is not cancelled again.
            flow.on_gone = None
            await close_iterator(body)  # type: ignore[arg-type]
    except GeneratorExit:
        raise
    except BaseException as exc:
        return None if flow.is_gone and isinstance(exc, asyncio.CancelledError) else exc
    finally:
        # The work after the response is not cancelled either.
        while task.cancelling():
            task.uncancel()
    return None


async def _send(flow: Flow, body: Any, charset: str) -> None:
    host, request = progress.host(), flow.request
    taken = host.Taken
    encode = None
    if isinstance(body, Chunks):
        body, encode, is_async = body.source, body.encode, body.is_async
    else:
        is_async = True

    def pieces(item: Any) -> Sequence[str]:
        return to_wire(item if encode is None else encode(item), charset)

    async def goes_on(piece: str, answer: Any) -> bool:
        """Wait as the host has answered to a piece. False if it takes no more."""
        while answer is taken.FULL:
            await flow.news()
            answer = host.write(request, piece)
        if answer is taken.PAUSE:
            await asyncio.sleep(_PAUSE)
        return answer is not taken.GONE

    if is_async:
        async for item in body:
            for piece in pieces(item):
                answer = host.write(request, piece)
                if answer is not taken.MORE and not await goes_on(piece, answer):
                    return
    else:
        for item in body:
            for piece in pieces(item):
                answer = host.write(request, piece)
                if answer is not taken.MORE and not await goes_on(piece, answer):
                    return


async def _closed(body: Any) -> None:
    try:
        await close_iterator(body)
    except GeneratorExit:
        raise
    except BaseException:
        # Nobody has seen a part of it.
        return
