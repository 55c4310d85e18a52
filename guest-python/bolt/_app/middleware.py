"""The middleware of an application: functions that run around every handler."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ..exceptions import HTTPException
from ..requests import Request
from ..responses import JSON, Response
from .exception_handling import http_error

__all__ = ["Middleware", "make_middleware"]

CallNext = Callable[[Request], Awaitable[Response]]


class Middleware:
    """Functions around every handler of an application; the last one added is the outermost."""

    def __init__(self) -> None:
        self.functions: list[Callable[[Request, CallNext], Awaitable[Any]]] = []

    def __bool__(self) -> bool:
        return bool(self.functions)

    def around(self, status: int) -> Callable[[Request, Callable[[Request], Awaitable[Any]]], Any]:
        """A function that runs them around an endpoint, whose results have `status` by default."""
        functions = tuple(self.functions)

        async def innermost(endpoint: Any, request: Request) -> Response:
            try:
                return _as_response(await endpoint(request), status)
            except HTTPException as exc:
                return http_error(exc)

        async def around(request: Request, endpoint: Any) -> Any:
            async def step(index: int, request: Request) -> Response:
                if index < 0:
                    return await innermost(endpoint, request)
                found = await functions[index](request, lambda later: step(index - 1, later))
                return _as_response(found, 200)

            return await step(len(functions) - 1, request)

        return around


def make_middleware(
    cls: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Callable[[Request, CallNext], Awaitable[Any]]:
    """An object of a middleware class of the SDK, which is called as a function is.

    Raises TypeError for other classes, such as those of ASGI, which are called with an application.
    """
    call = getattr(cls, "__call__", None)  # noqa: B004
    is_one = isinstance(cls, type) and inspect.iscoroutinefunction(call)
    if not is_one or "app" in inspect.signature(cls).parameters:
        name = getattr(cls, "__qualname__", repr(cls))
        raise TypeError(
            f"{name} is no middleware class of bolt: the objects of one are called with a request "
            "and `call_next`"
        )
    made: Callable[[Request, CallNext], Awaitable[Any]] = cls(*args, **options)
    return made


def _as_response(result: Any, status: int) -> Response:
    """The result of a handler as a Response; `status` is that of the route."""
    response = result if isinstance(result, Response) else JSON(result)
    if response.status_code is None:
        response.status_code = status
    return response
