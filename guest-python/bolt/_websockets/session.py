"""Runs the handler of a WebSocket, and does what follows from how it ends."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from .._app.exception_handling import http_error
from .._dependencies.after_response import Exits
from ..exceptions import (
    HTTPException,
    RequestValidationError,
    WebSocketException,
    WebSocketRequestValidationError,
)
from ..responses import JSON, PlainText
from ..websockets import WebSocket, WebSocketDisconnect, WebSocketState
from .line import Closed, service
from .messages import close_reason

__all__ = ["SocketEnded", "serve"]

_INTERNAL = 1011

_Find = Callable[[BaseException], Callable[[Any, Any], Any] | None]


class SocketEnded(BaseException):
    """The host has had the reply to a request, because it was accepted as a WebSocket."""


async def serve(socket: WebSocket, call: Awaitable[Exits | None], find: _Find, handler: str) -> Any:
    """Run the handler of a WebSocket to its end. Returns or raises the refusal of one that was not
    accepted, and raises SocketEnded for one that was.

    call: the handler with its dependencies. Returns the work that is left after it.
    find: finds the exception handler of the app for an exception.
    handler: what errors call the handler.
    """
    session = _Session(socket, find)
    line = socket._line
    line.begin()
    exits = None
    try:
        exits = await call
    except GeneratorExit:
        raise
    except BaseException as exc:
        session.failure = await session.unhandled(exc)
    line.finish()
    if line.flow is not None:
        await session.hang_up(exits or Exits(), handler)
        raise SocketEnded
    refusal = session.refusal(handler)
    return refusal if exits is None else exits.hold(refusal)


class _Session:
    """A WebSocket whose handler has ended.

    failure: the exception to log, or None.
    """

    def __init__(self, socket: WebSocket, find: _Find) -> None:
        self.failure: BaseException | None = None
        self._socket = socket
        self._find = find
        self._farewell: Closed = (1000, "")

    async def unhandled(self, exc: BaseException) -> BaseException | None:
        """Handle an exception of the handler. Returns what is to be logged: it, or a later one.

        As in FastAPI, the exception handler of the app for its class decides.
        """
        line = self._socket._line
        if isinstance(exc, asyncio.CancelledError):
            expected = line.is_given_up or service().is_cancelled(line.request)
            is_answered = line.flow is not None or self._socket._refusal is not None
            return None if expected and is_answered else exc
        if isinstance(exc, ExceptionGroup) and exc.split(WebSocketDisconnect)[1] is None:
            # Of the tasks of a group, which all had the same client.
            exc = WebSocketDisconnect()
        if not isinstance(exc, Exception):
            return exc
        handle = self._find(exc)
        if handle is None:
            return self._by_default(exc)
        try:
            result = handle(self._socket, exc)
            if inspect.isawaitable(result):
                result = await result
            if result is not None:
                await self._socket.send_denial_response(result)
        except GeneratorExit:
            raise
        except BaseException as later:
            return later
        return None

    def _by_default(self, exc: Exception) -> BaseException | None:
        socket = self._socket
        if isinstance(exc, WebSocketException):
            try:
                self._farewell = exc.code, close_reason(exc.code, exc.reason)
            except ValueError as wrong:
                return wrong
        elif isinstance(exc, (HTTPException, RequestValidationError)):
            if socket.application_state is not WebSocketState.CONNECTING:
                return exc
            if isinstance(exc, HTTPException):
                socket._refusal = http_error(exc)
            else:
                socket._refusal = JSON({"detail": exc.errors()}, 422)
        elif not isinstance(exc, (WebSocketDisconnect, WebSocketRequestValidationError)):
            return exc
        if socket._refusal is None:
            socket._refusal = PlainText("", 403)
        return None

    def refusal(self, handler: str) -> Any:
        """The response for a request that was not accepted. Raises what is logged and becomes 500.

        handler: what errors call the handler.
        """
        refusal, failure = self._socket._refusal, self.failure
        if refusal is None:
            raise failure or RuntimeError(
                f"{handler} has ended without `await websocket.accept()` or `close()`"
            )
        if failure is not None:
            service().complain(failure, handler)
        return refusal

    async def hang_up(self, exits: Exits, handler: str) -> None:
        """Close an accepted WebSocket, and do the work that is left."""
        line, entry = self._socket._line, service()
        code, reason = self._farewell
        if self.failure is not None:
            entry.complain(self.failure, handler)
            code, reason = _INTERNAL, ""
        entry.forget(line.request)
        line.close(code, reason, lingers=exits.is_needed)
        if not line.lingers:
            return
        try:
            await exits.run(lambda exc: entry.complain(exc, handler))
        finally:
            entry.forget(line.request)
            entry.linger(line.request, True)
