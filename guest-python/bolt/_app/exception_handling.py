"""The exception handlers of an application, and which one handles an exception."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from .._callables import kind_of
from .._datastructures.urls import QueryParams
from .._errors import ValidatorError
from ..exceptions import HTTPException, RequestValidationError
from ..requests import Request
from ..responses import JSON, Response

__all__ = ["ExceptionHandlers", "http_error", "invalid_request"]

_ANY = frozenset({Exception, BaseException, ValueError})

Handler = Callable[[Request, Any], Any]


def http_error(exc: HTTPException) -> Response:
    """The response to an HTTPException without a handler."""
    return JSON({"detail": exc.detail}, int(exc.status_code), exc.headers)


def invalid_request(errors: Sequence[Any], request: Request | None) -> RequestValidationError:
    """The exception for an invalid request, with the body that was sent."""
    return RequestValidationError(errors, body=None if request is None else _sent(request))


def _sent(request: Request) -> Any:
    """The body as FastAPI tells it: JSON or a form in its parsed form, else bytes, or None."""
    body = request._body
    if body is None:
        # Its handler reads it in parts.
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return QueryParams(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if not body:
        return None
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            return body.decode("utf-8", "replace")
    return body


class ExceptionHandlers:
    """Functions from a request and an exception to a result, by class or by status."""

    def __init__(self) -> None:
        self.by_class: dict[type[BaseException], Handler] = {}
        self.by_status: dict[int, Handler] = {}

    def __bool__(self) -> bool:
        return bool(self.by_class or self.by_status)

    def add(self, wanted: int | type[BaseException], handler: Handler) -> None:
        """Register a handler. Raises TypeError for a key that is neither status nor exception."""
        if isinstance(wanted, int):
            self.by_status[wanted] = handler
        elif isinstance(wanted, type) and issubclass(wanted, BaseException):
            self.by_class[wanted] = handler
        else:
            raise TypeError(f"an exception handler is for a status or an exception, not {wanted!r}")

    @property
    def waits(self) -> bool:
        """Whether any of them is `async`."""
        handlers = (*self.by_class.values(), *self.by_status.values())
        return any(kind_of(handler) == "async" for handler in handlers)

    def find(self, exc: BaseException) -> Handler | None:
        """The handler for an exception: by its status, then by its class or the nearest base."""
        if isinstance(exc, HTTPException):
            found = self.by_status.get(int(exc.status_code))
            if found is not None:
                return found
        answers = isinstance(exc, (HTTPException, RequestValidationError))
        for cls in type(exc).__mro__:
            # HTTPException and RequestValidationError have a default response, which a handler of
            # all exceptions does not replace.
            found = None if answers and cls in _ANY else self.by_class.get(cls)
            if found is not None:
                return found
        return None if answers else self.by_status.get(500)

    def find_for_socket(self, exc: BaseException) -> Handler | None:
        """As `find`, for an exception of a websocket handler.

        As in FastAPI, handlers of Exception and of the status 500 are for HTTP only.
        """
        found = self.find(exc)
        general = (self.by_class.get(Exception), self.by_status.get(500))
        is_http_500 = isinstance(exc, HTTPException)
        return None if found in general and not is_http_500 else found

    def handle(self, request: Request, exc: BaseException) -> Any:
        """Call the handler for an exception. Without a handler, raise the exception again."""
        handler = None if isinstance(exc, ValidatorError) else self.find(exc)
        if handler is None:
            raise exc
        return handler(request, exc)

    async def handle_async(self, request: Request, exc: BaseException) -> Any:
        """As `handle`, for handlers of which some are `async`."""
        result = self.handle(request, exc)
        return await result if inspect.isawaitable(result) else result
