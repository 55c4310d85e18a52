"""The methods of an endpoint as handlers: `on_connect` for its route, the others for the host."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .._app.lifespan import Lifespan
from .._callables import kind_of
from .._dependencies.params import Declared, declared
from .._errors import Unsupported
from .._routing.location import location, qualname
from ..exceptions import HTTPException, RequestValidationError, WebSocketException
from ..requests import HTTPConnection
from .endpoint import WebSocketEndpoint
from .incoming import compile_message, message_type
from .sleeping import SleepingSocket
from .states import WebSocketDisconnect

__all__ = ["Sleeper", "Terms", "check_endpoint", "compile_sleepers", "connect_of", "first_method"]

_METHODS = ("on_connect", "on_message", "on_disconnect")
# What the events of a call are called for authors.
_GIVEN = {
    "on_message": "the socket and the message",
    "on_disconnect": "the socket, the code and the reason",
}
_EMPTY = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Sleeper:
    """A handler that the host calls for the event "message" or "disconnect".

    invoke: takes `(attachment, data)` or `(attachment, code, reason)`. Returns a coroutine if
        `is_async`.
    shown: the method, as errors name it.
    """

    event: str
    is_async: bool
    invoke: Callable[[tuple[Any, ...]], Any]
    shown: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What an application applies to the handlers.

    find: finds its exception handler for an exception.
    waits: some of these are `async`.
    """

    app: Any
    lifespans: tuple[Lifespan, ...]
    find: Callable[[BaseException], Callable[[Any, Any], Any] | None]
    waits: bool


def connect_of(cls: type) -> tuple[Callable[..., Any], type | None]:
    """The handler of the route of an endpoint, and the class if it is a method of it."""
    handler = getattr(cls, "on_connect", None)
    if handler is not None:
        return handler, cls

    async def on_connect(socket: SleepingSocket) -> None:
        """Accepts every request."""

    on_connect.__qualname__ = cls.__qualname__
    on_connect.__doc__ = None
    return on_connect, None


def first_method(cls: type) -> Callable[..., Any] | None:
    """The method whose place errors name."""
    return next((getattr(cls, name) for name in _METHODS if hasattr(cls, name)), None)


def check_endpoint(cls: type) -> None:
    """Raise Unsupported with a sentence for a class that is no endpoint, or cannot be one."""
    name = cls.__qualname__
    if not issubclass(cls, WebSocketEndpoint) or cls is WebSocketEndpoint:
        raise Unsupported(f"{name} is a class: let it inherit from WebSocketEndpoint")
    if hasattr(cls, "on_receive"):
        raise Unsupported(
            f"{name}.on_receive is called on_message here: "
            "`async def on_message(self, socket: SleepingSocket, message: str)`"
        )
    if hasattr(cls, "encoding"):
        raise Unsupported(
            f"{name} has no use for `encoding`: the annotation of the message in on_message says "
            "what it is"
        )
    if first_method(cls) is None:
        raise Unsupported(f"{name} has none of the methods {', '.join(_METHODS)}")
    try:
        inspect.signature(cls).bind()
    except TypeError:
        raise Unsupported(
            f"an object of {name} is made for each call, so its constructor takes nothing"
        ) from None
    for method in _METHODS:
        found = inspect.getattr_static(cls, method, None)
        if isinstance(found, (staticmethod, classmethod)):
            raise Unsupported(f"{method} is a method of the object: it takes `self`")
    for method in _METHODS[1:]:
        if hasattr(cls, method):
            _arguments(cls, method)


def _arguments(cls: type, method: str) -> list[Declared]:
    """The parameters of `on_message` or `on_disconnect` besides `self`.

    Raises Unsupported with a sentence for others than these methods have.
    """
    function = getattr(cls, method)
    if kind_of(function) not in ("def", "async"):
        raise Unsupported(f"{method} is a `def` or an `async def` that yields nothing")
    items = list(declared(function))[1:]
    least, most = (2, 2) if method == "on_message" else (1, 3)
    if not least <= len(items) <= most or any(item.keyword for item in items):
        raise Unsupported(f"{method} takes {_GIVEN[method]}, and nothing else: {_REST}")
    if items[0].annotation not in (_EMPTY, SleepingSocket, HTTPConnection):
        raise Unsupported(
            f"parameter {items[0].name!r}: the socket of an endpoint is a SleepingSocket"
        )
    if method == "on_message":
        try:
            message_type(items[1])
        except Unsupported as error:
            raise Unsupported(f"parameter {items[1].name!r}: {error}") from None
    return items


_REST = (
    "the request and its dependencies are over, so `on_connect` puts what it needs from them into "
    "the attachment"
)


def compile_sleepers(cls: type, terms: Terms) -> Iterator[Sleeper]:
    """The handlers of an endpoint besides `on_connect`.

    Raises Unsupported or NameError for a record that cannot be resolved.
    """
    for method, event in (("on_message", "message"), ("on_disconnect", "disconnect")):
        function = getattr(cls, method, None)
        if function is not None:
            waits = bool(kind_of(function) == "async" or terms.lifespans or terms.waits)
            arguments = _arguments(cls, method)
            run = (
                _message(cls, arguments, terms)
                if event == "message"
                else _end(cls, arguments, terms)
            )
            file, line = location(function)
            shown = f"{qualname(function)}, {file}:{line}"
            yield Sleeper(event, waits, run if waits else _at_once(run), shown)


_Run = Callable[[tuple[Any, ...]], Awaitable[None]]


def _message(cls: Any, arguments: list[Declared], terms: Terms) -> _Run:
    convert = compile_message(message_type(arguments[1]))

    async def run(wire: tuple[Any, ...]) -> None:
        attachment, data = wire
        socket = SleepingSocket(None, terms.app, attachment)
        await _call(socket, lambda: cls().on_message(socket, convert(data)), terms)

    return run


def _end(cls: Any, arguments: list[Declared], terms: Terms) -> _Run:
    count = len(arguments) - 1

    async def run(wire: tuple[Any, ...]) -> None:
        attachment, *why = wire
        socket = SleepingSocket(None, terms.app, attachment)
        socket._is_closed = True
        await _call(socket, lambda: cls().on_disconnect(socket, *why[:count]), terms)

    return run


async def _call(socket: SleepingSocket, call: Callable[[], Any], terms: Terms) -> None:
    """Call a method, and keep the attachment."""
    try:
        for lifespan in terms.lifespans:
            if not lifespan.entered:
                await lifespan.enter()
            lifespan.share(socket)
        try:
            result = call()
            if inspect.isawaitable(result):
                await result
        except Exception as exc:
            await _handle(socket, exc, terms)
        socket._settle()
    finally:
        socket._end()


async def _handle(socket: SleepingSocket, exc: Exception, terms: Terms) -> None:
    """Close the WebSocket for an exception. Raises what is logged and closes it with 1011."""
    handle = terms.find(exc)
    if handle is not None:
        result = handle(socket, exc)
        if inspect.isawaitable(result):
            result = await result
        if result is not None:
            raise RuntimeError(_NO_RESPONSE) from exc
        if not socket._has_ended:
            socket.close()
    elif isinstance(exc, WebSocketException):
        if not socket._has_ended:
            socket.close(exc.code, exc.reason)
    elif isinstance(exc, (HTTPException, RequestValidationError)):
        # The host would take its response for an end without an error.
        raise RuntimeError(_NO_RESPONSE) from exc
    elif not isinstance(exc, WebSocketDisconnect):
        raise exc


_NO_RESPONSE = (
    "a WebSocket that is open gets no response: raise a WebSocketException, which closes it"
)


def _at_once(run: _Run) -> Callable[[tuple[Any, ...]], None]:
    """The function for a method that never waits."""

    def at_once(wire: tuple[Any, ...]) -> None:
        running: Any = run(wire)
        try:
            running.send(None)
        except StopIteration:
            return
        running.close()
        raise RuntimeError("a `def` method returned something that waits: use `async def`")

    return at_once
