"""Builds the tree of calls that serve a request: the handler and its dependencies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._callables import kind_of
from .._errors import Unsupported
from .._streams.inflow import read_parts
from ..requests import Request
from ..websockets import SleepingSocket, WebSocket
from .depends import Dependency, SecurityScopes
from .injected import RouteKind, injected_kind
from .params import Declared, Param, declared, make_param

__all__ = ["Argument", "Call", "call_tree"]


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """One argument of a call.

    given: a Param (from the request), a Call (of a dependency), the name of an object that the SDK
        creates ("request", "background", "response"), or SecurityScopes.
    keyword: it is passed by keyword.
    """

    name: str
    given: Param | Call | str | SecurityScopes
    keyword: bool


@dataclass(slots=True, eq=False)
class Call:
    """A function to call for a request, and its arguments. All users of a shared dependency have
    the same Call object.

    kind: "def", "async", "generator" or "async generator".
    scopes: the OAuth2 scopes that its dependants require.
    view: a class that is instantiated first; `function` is then the name of its method.
    before: calls whose results nobody uses, from `dependencies=[...]`.
    """

    function: Any
    kind: str
    arguments: tuple[Argument, ...]
    view: type | None = None
    scopes: tuple[str, ...] = ()
    before: list[Call] = field(default_factory=list)

    def walk(self) -> Iterator[Call]:
        """This call and all calls below it, each once."""
        seen: set[int] = set()
        pending = [self]
        while pending:
            call = pending.pop()
            if id(call) in seen:
                continue
            seen.add(id(call))
            yield call
            pending.extend(call.before)
            pending.extend(item.given for item in call.arguments if isinstance(item.given, Call))

    def params(self) -> list[Param]:
        """The values that this call needs from the request, in order of use."""
        found: list[Param] = []
        seen: set[int] = set()

        def visit(call: Call) -> None:
            if id(call) in seen:
                return
            seen.add(id(call))
            for first in call.before:
                visit(first)
            for item in call.arguments:
                if isinstance(item.given, Call):
                    visit(item.given)
                elif isinstance(item.given, Param):
                    found.append(item.given)

        visit(self)
        return found


_EMPTY = inspect.Parameter.empty
Overrides = Mapping[Any, Callable[..., Any]]


# What parameters without an annotation are by their names.
_UNNAMED: dict[tuple[RouteKind, str], Any] = {
    ("socket", "websocket"): WebSocket,
    ("sleeper", "websocket"): SleepingSocket,
    ("sleeper", "socket"): SleepingSocket,
}


class _Tree:
    """One tree under construction: the finished calls by dependency, and the calls in progress."""

    def __init__(self, path_names: tuple[str, ...], overrides: Overrides, kind: RouteKind) -> None:
        self.path_names = path_names
        self.overrides = overrides
        self.kind = kind
        self.cache: dict[tuple[Any, tuple[str, ...]], Call] = {}
        self.open: list[Any] = []

    def call(self, function: Any, scopes: tuple[str, ...], view: type | None = None) -> Call:
        if function in self.open:
            raise Unsupported(f"the dependency {_name(function)} depends on itself")
        self.open.append(function)
        try:
            items = declared(function)
            if view is not None:
                items = items[1:]
            arguments = tuple(
                Argument(item.name, self.given(item, scopes), item.keyword) for item in items
            )
        finally:
            self.open.pop()
        kind = kind_of(function)
        _check_streams(kind, arguments)
        if view is not None:
            return Call(function.__name__, kind, arguments, view)
        return Call(function, kind, arguments, scopes=scopes)

    def given(self, item: Declared, scopes: tuple[str, ...]) -> Any:
        wanted = _dependency(item)
        if wanted is not None:
            return self.dependency(wanted, scopes, item.annotation)
        if item.annotation is SecurityScopes:
            return SecurityScopes(scopes)
        annotation = item.annotation
        if annotation is _EMPTY and item.name == "request":
            annotation = Request
        elif annotation is _EMPTY:
            annotation = _UNNAMED.get((self.kind, item.name), _EMPTY)
        try:
            special = injected_kind(annotation, self.kind)
        except Unsupported as error:
            raise Unsupported(f"parameter {item.name!r}: {error}") from None
        return special or make_param(item, self.path_names)

    def dependency(
        self, wanted: Dependency, scopes: tuple[str, ...], annotation: Any = _EMPTY
    ) -> Call:
        function = wanted.dependency
        if function is None:
            function = annotation
        if not callable(function) or function is _EMPTY:
            raise Unsupported("Depends() needs something to call, or an annotation that names it")
        function = self.overrides.get(function, function)
        asked = tuple(dict.fromkeys((*scopes, *wanted.scopes)))
        key = (function, asked)
        call = self.cache.get(key) if wanted.use_cache else None
        if call is None:
            call = self.call(function, asked)
            if wanted.use_cache:
                self.cache[key] = call
        return call


def call_tree(
    handler: Callable[..., Any],
    path_names: tuple[str, ...],
    dependencies: Sequence[Any] = (),
    overrides: Overrides | None = None,
    view: type | None = None,
    route: RouteKind = "http",
) -> Call:
    """The calls of a request: `dependencies` first, then the dependencies of the handler.

    route: the kind of route that the handler has.

    Raises Unsupported with a sentence about the first parameter that cannot be served.
    """
    tree = _Tree(path_names, overrides or {}, route)
    before = []
    for wanted in dependencies:
        if not isinstance(wanted, Dependency):
            raise Unsupported(f"dependencies= takes Depends(...), not {wanted!r}")
        before.append(tree.dependency(wanted, ()))
    call = tree.call(handler, (), view)
    call.before = before
    if route != "http":
        _check_socket(call, route)
    _refuse_two_bodies(call)
    names = {param.name for param in call.params() if param.source == "path"}
    for name in path_names:
        if name not in names:
            _refuse_unused(handler, name, call)
    return call


def _check_streams(kind: str, arguments: tuple[Argument, ...]) -> None:
    """Refuse an iterator of the body that the function cannot iterate, or that would block it."""
    is_async = kind in ("async", "async generator")
    for item in arguments:
        if not isinstance(item.given, Param) or item.given.source != "stream":
            continue
        if (item.given.factory is read_parts) != is_async:
            fitting = "AsyncIterator[bytes]" if is_async else "Iterator[bytes]"
            what = "an `async def`" if is_async else "a `def`"
            raise Unsupported(f"parameter {item.name!r}: {what} function takes an {fitting}")


def _check_socket(call: Call, route: RouteKind) -> None:
    """Refuse what a websocket route cannot serve."""
    if route == "sleeper":
        if call.kind not in ("def", "async"):
            raise Unsupported("on_connect is a `def` or an `async def` that yields nothing")
    elif call.kind != "async":
        raise Unsupported("the handler of a WebSocket is an `async def` that yields nothing")
    for param in call.params():
        if param.source in ("stream", "body", "form", "file"):
            raise Unsupported(
                f"parameter {param.name!r} is read from the body of a request, and a WebSocket "
                "has none: receive it as a message"
            )


def _refuse_two_bodies(call: Call) -> None:
    readers = [one for one in call.params() if one.source in ("stream", "body", "form", "file")]
    streams = [one for one in readers if one.source == "stream"]
    if streams and len(readers) > 1:
        other = next(one for one in readers if one is not streams[0])
        raise Unsupported(
            f"the body is read in parts by {streams[0].name!r}, and once: "
            f"it cannot be {other.name!r} as well"
        )


def _refuse_unused(handler: Any, name: str, call: Call) -> None:
    # A handler that takes the Request can read the path parameters from it.
    if any(item.given == "request" for below in call.walk() for item in below.arguments):
        return
    raise Unsupported(f"the path names {name!r}, and the handler has no such parameter")


def _dependency(item: Declared) -> Dependency | None:
    if isinstance(item.default, Dependency):
        return item.default
    for extra in item.metadata:
        if isinstance(extra, Dependency):
            return extra
    return None


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))
