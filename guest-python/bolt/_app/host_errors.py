"""Exception handlers that the host calls for its own errors: 404, 405 and 422."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .._callables import kind_of
from .._routing.path_templates import path_pattern
from ..exceptions import HTTPException
from ..requests import Request
from ..responses import JSON
from .application import BoltAPI
from .exception_handling import http_error, invalid_request

__all__ = ["HostErrorHandler", "host_error_handlers"]


@dataclass(frozen=True, slots=True)
class HostErrorHandler:
    """A handler without a path, for a request that the host rejects.

    invoke: takes a tuple of the error (a sentence, or the errors of a 422) and the request.
    """

    status_code: int
    is_async: bool
    invoke: Callable[[tuple[Any, ...]], Any]


@dataclass(frozen=True, slots=True)
class _Owner:
    """An application and its handler of a status, for the paths that match."""

    pattern: re.Pattern[str]
    api: BoltAPI
    handler: Callable[..., Any] | None


def host_error_handlers(api: BoltAPI) -> list[HostErrorHandler]:
    """The handlers of the application and of those in it for such errors, in a fixed order."""
    places = _places(api)
    found = []
    for status in (404, 405, 422):
        error = _exception(status, (), None)
        owners = [
            _Owner(pattern, one, one.context.exception_handlers.find(error))
            for pattern, one in places
        ]
        handlers = [owner.handler for owner in owners if owner.handler is not None]
        if handlers:
            is_async = any(kind_of(handler) == "async" for handler in handlers)
            invoke = _invoke(status, owners)
            found.append(HostErrorHandler(status, is_async, _later(invoke) if is_async else invoke))
    return found


def _places(api: BoltAPI) -> list[tuple[re.Pattern[str], BoltAPI]]:
    """The applications and the paths that are theirs; the first one that matches counts."""
    mounted = sorted(_mounted("", api), key=lambda place: place[0].count("/"), reverse=True)
    places = [(path_pattern(path, below=True), one) for path, one in mounted]
    routes = []
    for route in api.routes:
        # An application may have routes below a path on which it mounts another one.
        owner = _owner(places, route.path)
        if owner is not route.context.app:
            routes.append((path_pattern(route.path), route.context.app))
    return [*routes, *places]


def _mounted(prefix: str, api: BoltAPI) -> Iterator[tuple[str, BoltAPI]]:
    yield prefix, api
    for path, inner in api.mounted:
        yield from _mounted(prefix + path, inner)


def _owner(places: list[tuple[re.Pattern[str], BoltAPI]], path: str) -> BoltAPI:
    return next(one for pattern, one in places if pattern.match(path))


def _invoke(status: int, owners: list[_Owner]) -> Callable[[tuple[Any, ...]], Any]:
    """A function that asks the application whose path the request has."""

    def invoke(wire: tuple[Any, ...]) -> Any:
        error, sent = wire
        request = Request(sent)
        path = request.path
        # The last one is the outermost application. Every path is below it.
        owner = next(owner for owner in owners if owner.pattern.match(path) or owner is owners[-1])
        request.app = owner.api
        exc = _exception(status, error, request)
        if owner.handler is not None:
            return owner.handler(request, exc)
        return http_error(exc) if isinstance(exc, HTTPException) else JSON({"detail": error}, 422)

    return invoke


def _later(invoke: Callable[[tuple[Any, ...]], Any]) -> Callable[[tuple[Any, ...]], Any]:
    async def invoke_later(wire: tuple[Any, ...]) -> Any:
        result = invoke(wire)
        return await result if inspect.isawaitable(result) else result

    return invoke_later


def _exception(status: int, error: Any, request: Request | None) -> BaseException:
    if status == 422:
        return invalid_request(error, request)
    return HTTPException(status, error)
