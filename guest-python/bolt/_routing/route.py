"""`Route`: a method and a path with the compiled call of their handler."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._app.context import AppContext, around_all
from .._app.exception_handling import invalid_request
from .._dependencies.call_tree import Call
from .._dependencies.invoke import Plan, compile_invoke, wire_params
from .._dependencies.params import Param
from .._errors import ValidatorError
from .._schema.models import Model, walk_models
from .._serialization.adapted_results import adapted_json
from .._serialization.response_model import Shape, compile_result, declared_result
from .._serialization.serialize_checked import to_plain
from .._serialization.stream_items import compile_stream, item_type
from .._struct.foreign import with_records
from .._struct.validation_errors import explain
from .._websockets.handshake import connect
from .._websockets.session import serve
from .._websockets.sleepers import Sleeper, Terms, compile_sleepers
from .._websockets.sleeping import SleepingSocket
from ..exceptions import WebSocketRequestValidationError
from ..requests import Request
from ..responses import JSON, EventSourceResponse, JSONResponse, Response, StreamingResponse
from ..websockets import WebSocket
from .location import qualname
from .router import Declaration

__all__ = ["Route"]

_AS_JSON = (None, JSON, JSONResponse)


class Route:
    """What the host needs to know to serve a handler.

    id: its index in `BoltAPI.routes`.
    declared: its declaration.
    contexts: the middleware, exception handlers, lifespans and overrides of the applications that
        it is in, the outermost first.
    context: that of its own application. Its exception handlers and overrides count, but the
        middleware and the lifespans of all.
    method: upper case; "WEBSOCKET" for a websocket route.
    is_socket: it is a websocket route.
    sleepers: the handlers that the host calls for its WebSockets while they sleep, once compiled.
    path: the template as declared.
    name: the option `name`, or the name of the function.
    status_code: the status of results that do not set their own.
    is_async: `invoke` returns a coroutine.
    doc: the first paragraph of its docstring on one line, or "".
    result: the declared type of the result, or None.
    yields: the handler is a generator function, whose items are the body of the response.
    item: the declared type of these items, or None.
    streams: whatever the handler returns or yields is sent in parts.
    isolation, max_concurrency, max_requests: how the host uses its instances; see `BoltAPI`.
    params: in the order of the wire tuple.
    invoke: takes the wire tuple, one value for each parameter, and calls the handler. Returns the
        result of the handler, or a coroutine if `is_async`. The wire value of an absent parameter
        is Ellipsis if the host cannot send its default.
    source: the source of the compiled `invoke`, "" until it is compiled.
    """

    def __init__(
        self,
        id: int,
        declared: Declaration,
        contexts: tuple[AppContext, ...],
        path_names: tuple[str, ...],
    ) -> None:
        self.id = id
        self.declared = declared
        self.contexts = contexts
        self.context = contexts[-1]
        self.path_names = path_names
        options = declared.options
        self.method = declared.method
        self.path = declared.path
        self.handler = declared.handler
        self.file = declared.file
        self.line = declared.line
        named: Any = declared.endpoint or declared.handler
        given = getattr(named, "__name__", type(named).__name__)
        self.name = str(options.get("name") or given)
        self.is_socket = declared.is_socket
        self.status_code = 101 if self.is_socket else int(options.get("status_code") or 200)
        self.sleepers: tuple[Sleeper, ...] = ()
        self.isolation: str | None = options.get("isolation")
        self.max_concurrency: int | None = options.get("max_concurrency")
        self.max_requests: int | None = options.get("max_requests")
        self.source = ""
        self.invoke: Callable[[tuple[Any, ...]], Any] = self._first_invoke
        self.prepare()

    def prepare(self) -> None:
        """Read the signature of the handler, and the current state of the application."""
        options, context = self.declared.options, self.context
        self.doc = _first_paragraph(self.handler)
        root = self.declared.calls(
            self.path_names, options.get("dependencies") or (), context.dependency_overrides
        )
        if self.is_socket:
            self._prepare_socket(root)
            return
        handlers = context.exception_handlers
        on_error = None
        if handlers:
            on_error = handlers.handle_async if handlers.waits else handlers.handle
        self.yields = root.kind in ("generator", "async generator")
        self.item = item_type(self.handler, options, with_records) if self.yields else None
        cls = options.get("response_class")
        self.streams = self.yields or (cls is not None and issubclass(cls, StreamingResponse))
        self.result = None if self.yields else declared_result(self.handler, options, with_records)
        self.plan = Plan(
            root,
            context.app,
            middleware=around_all(self.contexts, self.status_code),
            on_error=on_error,
            lifespans=tuple(one.lifespan for one in self.contexts if one.lifespan is not None),
            waits=bool(handlers and handlers.waits),
        )
        self.is_async = self.plan.is_async
        self.params: tuple[Param, ...] = wire_params(self.plan)

    def _prepare_socket(self, root: Call) -> None:
        """As `prepare`: of what routes have, a websocket route has dependencies and lifespans."""
        self.yields = self.streams = False
        self.item = self.result = None
        lifespans = tuple(one.lifespan for one in self.contexts if one.lifespan is not None)
        self.plan = Plan(root, self.context.app, lifespans=lifespans, is_socket=True)
        self.is_async = True
        self.params = wire_params(self.plan)

    def _first_invoke(self, wire: tuple[Any, ...]) -> Any:
        self.compile()
        return self.invoke(wire)

    def compile(self) -> None:
        """Compile `invoke`, once all records are defined: they may refer to later ones.

        Raises Unsupported or NameError for a record that cannot be resolved.
        """
        if self.source:
            return
        self.prepare()
        finish = None if self.is_socket else self._finish()
        if finish is not None:
            self.plan = replace(self.plan, finish=finish)
        invoke, self.source = compile_invoke(self.plan, self.params, self.name)
        models: dict[type, Model] = {}
        for param in self.params:
            walk_models(param.type, models)
        refuses = any(model.refuses for model in models.values()) or any(
            kind.has_adapted
            for kind in (
                *(param.type for param in self.params),
                *(item.type for model in models.values() for item in model.fields),
            )
        )
        if self.declared.endpoint is not None:
            invoke = self._with_sleeper(invoke)
            self.sleepers = tuple(compile_sleepers(self.declared.endpoint, self._terms()))
        elif self.is_socket:
            invoke = self._with_socket(invoke)
        elif refuses:
            invoke = self._explaining(invoke)
        self.invoke = invoke

    @property
    def shown(self) -> str:
        """The handler, its file and line, as errors name it."""
        return f"{qualname(self.handler)}, {self.file}:{self.line}"

    def _finish(self) -> Callable[[Any], Any] | None:
        """The function that converts the result of the handler, or None."""
        options = self.declared.options
        cls = options.get("response_class")
        shape = Shape.of(options)
        if self.yields or (cls is not None and issubclass(cls, EventSourceResponse)):
            return compile_stream(cls, self.item, shape, self.shown)
        check = None
        if self.result is not None and self.result.kind == "adapted" and cls in _AS_JSON:
            return adapted_json(self.result.data, shape, self.shown)
        if self.result is not None:
            check = compile_result(self.result, shape, self.shown)
        if cls in _AS_JSON:
            return check
        return _in_class(cls, check)

    def _with_socket(self, invoke: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The function that runs a whole WebSocket."""
        find = self.context.exception_handlers.find_for_socket

        def with_socket(wire: tuple[Any, ...]) -> Any:
            socket = WebSocket(wire[-1], self.context.app)
            call = self._handshake(invoke, (*wire[:-1], socket))
            return serve(socket, call, find, self.shown)

        return with_socket

    def _with_sleeper(self, invoke: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The function that runs the beginning of a WebSocket that sleeps."""
        find = self.context.exception_handlers.find_for_socket

        def with_sleeper(wire: tuple[Any, ...]) -> Any:
            socket = SleepingSocket(wire[-1], self.context.app)
            call = self._handshake(invoke, (*wire[:-1], socket))
            return connect(socket, call, find, self.shown)

        return with_sleeper

    async def _handshake(self, invoke: Callable[[Any], Any], wire: tuple[Any, ...]) -> Any:
        try:
            return await invoke(wire)
        except ValidatorError as exc:
            errors = explain(self.params, wire)
            if not errors:
                # The rejected record is not from the request; the handler created it.
                raise exc.__cause__ or exc from None
            raise WebSocketRequestValidationError(errors) from exc.__cause__

    def _terms(self) -> Terms:
        handlers = self.context.exception_handlers
        find, waits = handlers.find_for_socket, handlers.waits
        return Terms(self.context.app, self.plan.lifespans, find, waits)

    def _explaining(self, invoke: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """`invoke`, with a 422 for values that a validator or a constructor rejects."""

        handlers = self.context.exception_handlers

        def failed(wire: tuple[Any, ...], cause: ValidatorError) -> Any:
            errors = explain(self.params, wire)
            # Only a route with exception handlers has the request.
            request = Request(wire[-1], self.context.app) if handlers else None
            error: BaseException = invalid_request(errors, request)
            if not errors:
                # The rejected record is not from the request; the handler created it.
                error = cause.__cause__ or cause
            if request is None or handlers.find(error) is None:
                raise error from cause.__cause__
            return handlers.handle(request, error)

        def explaining(wire: tuple[Any, ...]) -> Any:
            try:
                return invoke(wire)
            except ValidatorError as exc:
                return failed(wire, exc)

        async def explaining_async(wire: tuple[Any, ...]) -> Any:
            try:
                return await invoke(wire)
            except ValidatorError as exc:
                result = failed(wire, exc)
                return await result if inspect.isawaitable(result) else result

        made: Any = explaining_async if self.is_async else explaining
        # For what looks for the functions that are called.
        made.__wrapped__ = invoke
        return made  # type: ignore[no-any-return]


def _in_class(cls: type[Response], check: Callable[[Any], Any] | None) -> Callable[[Any], Response]:
    """The function that converts a result to a response of `response_class`."""
    takes_data = cls.renders or issubclass(cls, JSON)

    def finish(result: Any) -> Response:
        if isinstance(result, Response):
            return result
        if check is not None:
            result = check(result)
        if takes_data and not isinstance(result, bytes):
            # The `render` of an application expects JSON types, not records.
            result = to_plain(result)
        made = cls(result, status_code=None)
        made.by_class = True
        return made

    return finish


def _first_paragraph(handler: Any) -> str:
    lines: list[str] = []
    for line in (inspect.getdoc(handler) or "").splitlines():
        if not line.strip():
            break
        lines.append(line.strip())
    return " ".join(lines)
