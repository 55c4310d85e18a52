"""Exception handlers that the host calls for its own errors: 404, 405 and 422."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._callables import kind_of
from ..exceptions import HTTPException, RequestValidationError
from ..requests import Request
from .application import BoltAPI

__all__ = ["HostErrorHandler", "host_error_handlers"]


@dataclass(frozen=True, slots=True)
class HostErrorHandler:
    """A handler without a path, for a request that the host rejects.

    invoke: takes a tuple of the error (a sentence, or the errors of a 422) and the request.
    """

    status_code: int
    is_async: bool
    invoke: Callable[[tuple[Any, ...]], Any]


def _exception(status: int, error: Any) -> BaseException:
    return RequestValidationError(error) if status == 422 else HTTPException(status, error)


def host_error_handlers(api: BoltAPI) -> list[HostErrorHandler]:
    """The handlers of the application for such errors, in a fixed order."""
    found = []
    for status in (404, 405, 422):
        handler = api.context.exception_handlers.find(_exception(status, ()))
        if handler is not None:
            is_async = kind_of(handler) == "async"
            found.append(HostErrorHandler(status, is_async, _invoke(api, status, handler)))
    return found


def _invoke(
    api: BoltAPI, status: int, handler: Callable[..., Any]
) -> Callable[[tuple[Any, ...]], Any]:
    def invoke(wire: tuple[Any, ...]) -> Any:
        error, request = wire
        return handler(Request(request, api), _exception(status, error))

    return invoke
