"""The answers that exceptions have without a handler, for handlers that change only a part of it.

They are awaited as those of FastAPI are.
"""

from __future__ import annotations

from .errors import HTTPException, RequestValidationError
from .failures import http_error
from .request import Request
from .responses import JSONResponse, Response

__all__ = ["http_exception_handler", "request_validation_exception_handler"]


async def http_exception_handler(request: Request, exc: HTTPException) -> Response:
    """The answer to an HTTPException: its status, its headers and `{"detail": ...}`."""
    return http_error(exc)


async def request_validation_exception_handler(
    request: Request, exc: RequestValidationError
) -> Response:
    """The answer to a request that does not fit: 422, and what is wrong with it."""
    return JSONResponse({"detail": exc.errors()}, status_code=422)
