"""The application's own answers to requests that the host refuses: 404, 405 and 422."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .app import BoltAPI
from .errors import HTTPException, RequestValidationError
from .request import Request

__all__ = ["Refusal", "refusals"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A handler that no path leads to.

    invoke: takes what the host tells (a sentence, or the errors of a 422) and the request.
    """

    status_code: int
    is_async: bool
    invoke: Callable[[tuple[Any, ...]], Any]


def _exception(status: int, told: Any) -> BaseException:
    return RequestValidationError(told) if status == 422 else HTTPException(status, told)


def refusals(api: BoltAPI) -> list[Refusal]:
    """Those that the application has exception handlers for, in a fixed order."""
    found = []
    for status in (404, 405, 422):
        handler = api.surroundings.failures.find(_exception(status, ()))
        if handler is not None:
            is_async = inspect.iscoroutinefunction(handler)
            found.append(Refusal(status, is_async, _invoke(api, status, handler)))
    return found


def _invoke(
    api: BoltAPI, status: int, handler: Callable[..., Any]
) -> Callable[[tuple[Any, ...]], Any]:
    def invoke(wire: tuple[Any, ...]) -> Any:
        told, request = wire
        return handler(Request(request, api), _exception(status, told))

    return invoke
