"""A route: one method and path with its handler, and the compiled call of that handler."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .depends import call_tree
from .errors import Refused, RequestValidationError
from .invoke import Plan, compile_invoke, wire_params
from .models import Model, walk_models
from .params import Param
from .request import Request
from .responses import JSON, JSONResponse, Response
from .results import Shape, compile_result, declared_result
from .router import Declaration
from .strict import to_plain
from .surroundings import Surroundings
from .validators import explain

__all__ = ["Route"]


class Route:
    """What the host needs to know to serve a handler.

    id: its place in `BoltAPI.routes`.
    declared: how it was written.
    around: the middleware, exception handlers and overrides that hold for it.
    method: upper case.
    path: the template as written.
    name: the name of the function.
    status_code: the status of replies that do not choose their own.
    is_async: `invoke` gives a coroutine.
    doc: the first paragraph of its docstring on one line, or "".
    isolation, max_concurrency, max_requests: how its instances are used; see `BoltAPI`.
    params: in the order of the wire tuple.
    invoke: takes the wire tuple, one value for each parameter, and calls the handler: the result
        is what the handler returns, a coroutine if `is_async`. Ellipsis stands for an absent
        value whose default the host cannot write.
    source: the text of the compiled `invoke`, "" until it is compiled.
    """

    def __init__(
        self, id: int, declared: Declaration, around: Surroundings, path_names: tuple[str, ...]
    ) -> None:
        self.id = id
        self.declared = declared
        self.around = around
        self.path_names = path_names
        options = declared.options
        self.method = declared.method
        self.path = declared.path
        self.handler = declared.handler
        self.file = declared.file
        self.line = declared.line
        given = getattr(declared.handler, "__name__", type(declared.handler).__name__)
        self.name = str(options.get("name") or given)
        self.status_code = int(options.get("status_code") or 200)
        self.doc = _first_paragraph(declared.handler)
        self.isolation: str | None = options.get("isolation")
        self.max_concurrency: int | None = options.get("max_concurrency")
        self.max_requests: int | None = options.get("max_requests")
        self.source = ""
        self.invoke: Callable[[tuple[Any, ...]], Any] = self._first_invoke
        self._prepare()

    def _prepare(self) -> None:
        """Look at the handler, and at what stands around it by now."""
        options, around = self.declared.options, self.around
        root = call_tree(
            self.handler,
            self.path_names,
            options.get("dependencies") or (),
            around.overrides,
            self.declared.view,
        )
        failures = around.failures
        on_error = None
        if failures:
            on_error = failures.handle_async if failures.waits else failures.handle
        self.result = declared_result(self.handler, options)
        self.plan = Plan(
            root,
            around.app,
            around=around.middleware.around(self.status_code) if around.middleware else None,
            on_error=on_error,
            lifespan=around.life,
            waits=bool(failures and failures.waits),
        )
        self.is_async = self.plan.is_async
        self.params: tuple[Param, ...] = wire_params(self.plan)

    def _first_invoke(self, wire: tuple[Any, ...]) -> Any:
        self.compile()
        return self.invoke(wire)

    def compile(self) -> None:
        """Writes `invoke`. Records may refer to later ones, so this waits until all are there.

        Raises Unsupported or NameError when a record cannot be resolved.
        """
        if self.source:
            return
        self._prepare()
        finish = self._finish()
        if finish is not None:
            self.plan = replace(self.plan, finish=finish)
        invoke, self.source = compile_invoke(self.plan, self.params, self.name)
        models: dict[type, Model] = {}
        for param in self.params:
            walk_models(param.type, models)
        if any(getattr(cls, "__struct_validators__", ()) for cls in models):
            invoke = self._explaining(invoke)
        self.invoke = invoke

    def _finish(self) -> Callable[[Any], Any] | None:
        """What is done with the handler's result, if anything."""
        options = self.declared.options
        check = None
        if self.result is not None:
            check = compile_result(self.result, Shape.of(options))
        cls = options.get("response_class")
        if cls in (None, JSON, JSONResponse):
            return check
        return _in_class(cls, check)

    def _explaining(self, invoke: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """`invoke`, where validators may refuse what the host let pass."""

        failures = self.around.failures

        def failed(wire: tuple[Any, ...], cause: Refused) -> Any:
            errors = explain(self.params, wire)
            error: BaseException = RequestValidationError(errors)
            if not errors:
                # It was not the request that was refused, but a record that the handler made.
                error = cause.__cause__ or cause
            if failures.find(error) is None:
                raise error from cause.__cause__
            return failures.handle(Request(wire[-1], self.around.app), error)

        def explaining(wire: tuple[Any, ...]) -> Any:
            try:
                return invoke(wire)
            except Refused as exc:
                return failed(wire, exc)

        async def explaining_async(wire: tuple[Any, ...]) -> Any:
            try:
                return await invoke(wire)
            except Refused as exc:
                result = failed(wire, exc)
                return await result if inspect.isawaitable(result) else result

        return explaining_async if self.is_async else explaining


def _in_class(cls: type[Response], check: Callable[[Any], Any] | None) -> Callable[[Any], Response]:
    """What makes a response of `response_class` of what a handler returned."""
    takes_data = cls.renders or issubclass(cls, JSON)

    def finish(result: Any) -> Response:
        if isinstance(result, Response):
            return result
        if check is not None:
            result = check(result)
        if takes_data and not isinstance(result, bytes):
            # A `render` knows the types of JSON, and no records.
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
