"""The default exception handlers, for an application that changes only a part of what they do.

They are coroutine functions, as they are in FastAPI.
"""

from __future__ import annotations

from ._app.exception_handling import http_error
from .exceptions import (
    HTTPException,
    RequestValidationError,
    WebSocketRequestValidationError,
)
from .requests import Request
from .responses import JSONResponse, Response
from .websockets import WebSocket

__all__ = [
    "http_exception_handler",
    "request_validation_exception_handler",
    "websocket_request_validation_exception_handler",
]


async def http_exception_handler(request: Request, exc: HTTPException) -> Response:
    """The response to an HTTPException: its status, its headers and `{"detail": ...}`."""
    return http_error(exc)


async def request_validation_exception_handler(
    request: Request, exc: RequestValidationError
) -> Response:
    """The response to an invalid request: status 422, and the list of errors."""
    return JSONResponse({"detail": exc.errors()}, status_code=422)


async def websocket_request_validation_exception_handler(
    websocket: WebSocket, exc: WebSocketRequestValidationError
) -> None:
    """Refuse an invalid request for a WebSocket: the status is 403."""
    await websocket.close(1008, str(exc.errors()))
