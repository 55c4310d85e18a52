"""The middleware of an application: functions that run around every handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..exceptions import HTTPException
from ..requests import Request
from ..responses import JSON, Response
from .exception_handling import http_error

__all__ = ["Middleware"]

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


def _as_response(result: Any, status: int) -> Response:
    """The result of a handler as a Response; `status` is that of the route."""
    response = result if isinstance(result, Response) else JSON(result)
    if response.status_code is None:
        response.status_code = status
    return response
