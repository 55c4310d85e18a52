"""Runs `on_connect` of an endpoint, and gives the host the reply that follows from how it ends."""

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
from ..responses import JSON
from .line import service
from .session import SocketEnded
from .sleeping import SleepingSocket
from .states import WebSocketDisconnect

__all__ = ["connect"]

# A timer, so that the loop returns to the host, which has the reply then.
_PAUSE = 1e-9

_Find = Callable[[BaseException], Callable[[Any, Any], Any] | None]


async def connect(
    socket: SleepingSocket, call: Awaitable[Exits | None], find: _Find, handler: str
) -> Any:
    """Run `on_connect`. Returns or raises the refusal of a request that is not accepted, and raises
    SocketEnded for one that is.

    call: the method with its dependencies. Returns the work that is left after it.
    find: finds the exception handler of the app for an exception.
    handler: what errors call the method.
    """
    exits = Exits()
    try:
        exits = await call or exits
        socket._settle()
    except Exception as exc:
        await _handle(socket, exc, find)
        socket._settle()
    refusal = socket._refusal
    if refusal is not None:
        socket._end()
        return exits.hold(refusal)
    await _accept(socket, exits, handler)
    raise SocketEnded


async def _handle(socket: SleepingSocket, exc: Exception, find: _Find) -> None:
    """Refuse or close the WebSocket for an exception. Raises what is logged and becomes a 500.

    As nothing has been sent yet, a response refuses also after `accept`.
    """
    handle = find(exc)
    if handle is not None:
        result = handle(socket, exc)
        if inspect.isawaitable(result):
            result = await result
        if result is not None:
            socket._refusal = result
        elif not socket._has_ended:
            socket.close()
    elif isinstance(exc, HTTPException):
        socket._refusal = http_error(exc)
    elif isinstance(exc, RequestValidationError):
        socket._refusal = JSON({"detail": exc.errors()}, 422)
    elif isinstance(exc, WebSocketException):
        if not socket._has_ended:
            socket.close(exc.code, exc.reason)
    elif isinstance(exc, (WebSocketDisconnect, WebSocketRequestValidationError)):
        if not socket._has_ended:
            socket.close()
    else:
        raise exc


async def _accept(socket: SleepingSocket, exits: Exits, handler: str) -> None:
    """Give the host the reply that accepts, and do the work that is left."""
    entry, request = service(), socket._request
    lingers = exits.is_needed
    entry.forget(request)
    if lingers:
        entry.linger(request, False)
    entry.reply(request, socket._end())
    if not lingers:
        return
    while entry.is_unsent(request):
        await asyncio.sleep(_PAUSE)
    try:
        await exits.run(lambda exc: entry.complain(exc, handler))
    finally:
        entry.forget(request)
        entry.linger(request, True)
