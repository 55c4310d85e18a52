"""Exception handlers and middleware of an application: what stands around its handlers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from .errors import HTTPException, Refused, RequestValidationError
from .request import Request
from .responses import JSON, Response, as_response

__all__ = ["ExceptionHandlers", "Middleware", "http_error"]

_ANY = frozenset({Exception, BaseException, ValueError})

Handler = Callable[[Request, Any], Any]
CallNext = Callable[[Request], Awaitable[Response]]


def http_error(exc: HTTPException) -> Response:
    """The answer to an HTTPException that nobody handles."""
    return JSON({"detail": exc.detail}, int(exc.status_code), exc.headers)


class ExceptionHandlers:
    """Functions from a request and an exception to a response, by class or by status."""

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
        """Whether one of them is `async`."""
        handlers = (*self.by_class.values(), *self.by_status.values())
        return any(inspect.iscoroutinefunction(handler) for handler in handlers)

    def find(self, exc: BaseException) -> Handler | None:
        """The handler of an exception: of its status, then of its class or the nearest base."""
        if isinstance(exc, HTTPException):
            found = self.by_status.get(int(exc.status_code))
            if found is not None:
                return found
        answers = isinstance(exc, (HTTPException, RequestValidationError))
        for cls in type(exc).__mro__:
            # A handler of all exceptions is for those that have no answer of their own.
            found = None if answers and cls in _ANY else self.by_class.get(cls)
            if found is not None:
                return found
        return None if answers else self.by_status.get(500)

    def handle(self, request: Request, exc: BaseException) -> Any:
        """The response of the exception's handler. Without one the exception is raised again."""
        handler = None if isinstance(exc, Refused) else self.find(exc)
        if handler is None:
            raise exc
        return handler(request, exc)

    async def handle_async(self, request: Request, exc: BaseException) -> Any:
        """As `handle`, where some are `async`."""
        result = self.handle(request, exc)
        return await result if inspect.isawaitable(result) else result


class Middleware:
    """The functions around every handler of an application; the last one added is the outermost."""

    def __init__(self) -> None:
        self.functions: list[Callable[[Request, CallNext], Awaitable[Any]]] = []

    def __bool__(self) -> bool:
        return bool(self.functions)

    def around(self, status: int) -> Callable[[Request, Callable[[Request], Awaitable[Any]]], Any]:
        """What runs them all around an endpoint whose replies have `status`."""
        functions = tuple(self.functions)

        async def innermost(endpoint: Any, request: Request) -> Response:
            try:
                return as_response(await endpoint(request), status)
            except HTTPException as exc:
                return http_error(exc)

        async def around(request: Request, endpoint: Any) -> Any:
            async def step(index: int, request: Request) -> Response:
                if index < 0:
                    return await innermost(endpoint, request)
                found = await functions[index](request, lambda later: step(index - 1, later))
                return as_response(found, 200)

            return await step(len(functions) - 1, request)

        return around
