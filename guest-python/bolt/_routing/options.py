"""The options of routes and routers, and how those of nested routers combine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Literal, TypedDict, get_args

from .._websockets.origins import wrong_origins

__all__ = [
    "WEBSOCKET",
    "CrudOptions",
    "Isolation",
    "IsolationOptions",
    "RouteOptions",
    "SocketOptions",
    "combined",
    "given_isolation",
    "wrong_crud_options",
    "wrong_options",
    "wrong_socket_options",
]

WEBSOCKET = "WEBSOCKET"
"""What stands for the method of a websocket route."""


Isolation = Literal["fresh", "serial", "concurrent"]


class RouteOptions(TypedDict, total=False):
    """What every route decorator takes besides the path.

    status_code: the status of results that do not set their own, 100 to 599; 200 by default.
    response_model: the type of the result, instead of the return annotation; None for none.
    response_model_include, response_model_exclude: names of fields to send, or to omit.
    response_model_exclude_none, _unset, _defaults: omit fields that are None, that were not given,
        or that equal their default.
    response_model_by_alias: send fields under their alias; True by default.
    response_class: the class of responses that the handler does not create itself, such as HTML.
    dependencies: `Depends(...)` to call for their side effects.
    isolation, max_concurrency, max_requests: as in `BoltAPI`, for this route.
    name, tags, summary, description, response_description, responses, deprecated, operation_id,
    include_in_schema, openapi_extra: for the OpenAPI description.
    """

    status_code: int | None
    response_model: Any
    response_model_include: Any
    response_model_exclude: Any
    response_model_exclude_none: bool
    response_model_exclude_unset: bool
    response_model_exclude_defaults: bool
    response_model_by_alias: bool
    response_class: type[Any]
    dependencies: Sequence[Any] | None
    isolation: Isolation
    max_concurrency: int
    max_requests: int
    name: str | None
    tags: Sequence[str | Enum] | None
    summary: str | None
    description: str | None
    response_description: str
    responses: Mapping[int | str, Mapping[str, Any]] | None
    deprecated: bool | None
    operation_id: str | None
    include_in_schema: bool
    openapi_extra: Mapping[str, Any] | None


class CrudOptions(TypedDict, total=False):
    """What `crud` takes besides the table: options of all its routes; see `RouteOptions`.

    With `dependencies`, the host does not answer alone.
    """

    dependencies: Sequence[Any] | None
    isolation: Isolation
    max_concurrency: int
    max_requests: int
    tags: Sequence[str | Enum] | None
    responses: Mapping[int | str, Mapping[str, Any]] | None
    deprecated: bool | None
    include_in_schema: bool
    openapi_extra: Mapping[str, Any] | None


class SocketOptions(TypedDict, total=False):
    """What the decorators of websocket routes take besides the path and the name.

    origins: whose pages may connect. None: pages of the host that they connect to. "*": all.
        "https://example.com", "https://*.example.com": that site, all below it. A client that is no
        browser sends no origin, and may always connect.
    dependencies, isolation, max_concurrency, max_requests: as in `RouteOptions`.
    """

    origins: Sequence[str] | None
    dependencies: Sequence[Any] | None
    isolation: Isolation
    max_concurrency: int
    max_requests: int


def combined(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """The effective options of a route: those of the router, overridden by its own."""
    # None means "not given", except for `response_model`.
    said = {
        name: value
        for name, value in inner.items()
        if value is not None or name == "response_model"
    }
    merged = {**outer, **said}
    for name in ("dependencies", "tags"):
        both = [*(outer.get(name) or ()), *(inner.get(name) or ())]
        if both:
            merged[name] = both
    if outer.get("responses") or inner.get("responses"):
        merged["responses"] = {**(outer.get("responses") or {}), **(inner.get("responses") or {})}
    if outer.get("deprecated"):
        merged["deprecated"] = True
    if outer.get("include_in_schema") is False:
        merged["include_in_schema"] = False
    return merged


def wrong_options(options: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each invalid option."""
    unknown = options.keys() - RouteOptions.__annotations__.keys()
    if unknown:
        yield f"a route has no option {', '.join(sorted(unknown))}"
    status = options.get("status_code")
    if status is not None and not 100 <= int(status) <= 599:
        yield f"an HTTP status lies between 100 and 599, not {status}"
    yield from wrong_rules(
        options.get("isolation"), options.get("max_concurrency"), options.get("max_requests")
    )


def wrong_crud_options(options: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each invalid option of `crud`."""
    unknown = options.keys() - CrudOptions.__annotations__.keys()
    if unknown:
        yield f"crud has no option {', '.join(sorted(unknown))}"
    yield from wrong_rules(
        options.get("isolation"), options.get("max_concurrency"), options.get("max_requests")
    )


def wrong_socket_options(options: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each invalid option of a websocket route."""
    unknown = options.keys() - SocketOptions.__annotations__.keys() - {"name"}
    if unknown:
        yield f"a websocket route has no option {', '.join(sorted(unknown))}"
    yield from wrong_origins(options.get("origins"))
    yield from wrong_rules(
        options.get("isolation"), options.get("max_concurrency"), options.get("max_requests")
    )


class IsolationOptions(TypedDict, total=False):
    """How requests share interpreters; see `BoltAPI`."""

    isolation: Isolation
    max_concurrency: int
    max_requests: int


def given_isolation(
    isolation: Isolation | None, max_concurrency: int | None, max_requests: int | None
) -> IsolationOptions:
    """Those options that are given. Raises ValueError."""
    for problem in wrong_rules(isolation, max_concurrency, max_requests):
        raise ValueError(problem)
    options: IsolationOptions = {}
    if isolation is not None:
        options["isolation"] = isolation
    if max_concurrency is not None:
        options["max_concurrency"] = max_concurrency
    if max_requests is not None:
        options["max_requests"] = max_requests
    return options


def wrong_rules(
    isolation: str | None, max_concurrency: int | None, max_requests: int | None
) -> Iterator[str]:
    """A sentence for each invalid isolation option."""
    known = get_args(Isolation)
    if isolation is not None and isolation not in known:
        yield f"isolation is one of {', '.join(known)}, not {isolation!r}"
    for name, most in (("max_concurrency", max_concurrency), ("max_requests", max_requests)):
        if most is not None and (type(most) is not int or not 1 <= most < 2**31):
            yield f"{name} is a number from 1 on, not {most!r}"
