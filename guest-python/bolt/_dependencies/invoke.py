"""Compiles the call of a route: one function from the wire tuple to the result of the handler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .._app.lifespan import Lifespan
from .._datastructures.headers import MutableHeaders
from .._schema.types import Type, is_host_default
from .._serialization.codegen import Source
from .._serialization.deserialize import Emitter
from ..requests import Request
from ..responses import JSON, Response
from .after_response import Exits
from .call_tree import Argument, Call
from .depends import SecurityScopes
from .params import Param

__all__ = ["REQUEST", "Plan", "compile_invoke", "wire_params"]

REQUEST = Param("request", "request", "request", Type("request"), True, ...)
"""The whole request, which the host sends only to routes that need it."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The parts of a route's call.

    root: the handler.
    app: the value of `request.app`.
    finish: converts the result of the handler to what is sent, or None.
    middleware: takes a request and the function that continues with it, or None.
    on_error: takes a request and an exception, and returns a response or raises; or None.
    lifespans: entered before the first request of an interpreter, in this order.
    waits: `on_error` is async.
    is_socket: the call is that of a websocket route. The last wire value is then its socket, and
        the result is the work that is left after the handler, or None.
    """

    root: Call
    app: Any
    finish: Callable[[Any], Any] | None = None
    middleware: Callable[..., Any] | None = None
    on_error: Callable[..., Any] | None = None
    lifespans: tuple[Lifespan, ...] = ()
    waits: bool = False
    is_socket: bool = False

    @property
    def is_async(self) -> bool:
        """Whether the call returns a coroutine."""
        kinds = {call.kind for call in self.root.walk()}
        outer = self.waits or self.middleware is not None or self.lifespans or self.is_socket
        return bool(outer) or bool(kinds & {"async", "async generator"})

    @property
    def asks_for_request(self) -> bool:
        """Whether the call needs the whole request."""
        if self.middleware is not None or self.on_error is not None or self.is_socket:
            return True
        return any(item.given == "request" for call in self.root.walk() for item in call.arguments)


def wire_params(plan: Plan) -> tuple[Param, ...]:
    """The values that the host has to send, in order."""
    params = plan.root.params()
    return (*params, REQUEST) if plan.asks_for_request else tuple(params)


def compile_invoke(plan: Plan, params: Sequence[Param], name: str) -> tuple[Any, str]:
    """The function from the wire tuple to the result, and its source.

    It returns a coroutine if `plan.is_async`. Raises Unsupported or NameError for a record that
    cannot be resolved.
    """
    writer = _Writer(plan, params)
    writer.write()
    source = writer.source
    return source.build("invoke", "wire", f"{name}.invoke", writer.word), source.text(
        "invoke", "wire", writer.word
    )


class _Writer:
    """Writes the body of `invoke`."""

    def __init__(self, plan: Plan, params: Sequence[Param]) -> None:
        self.plan = plan
        self.source = Source()
        self.emitter = Emitter(self.source)
        self.params = params
        self.made: dict[int, str] = {}
        self.finishers: dict[int, Callable[[], str]] = {}
        # A handler that yields is no dependency: its generator is the body of the response.
        others = {call.kind for call in plan.root.walk() if call is not plan.root}
        specials = {
            item.given
            for call in plan.root.walk()
            for item in call.arguments
            if isinstance(item.given, str)
        }
        self.generators = bool(others & {"generator", "async generator"})
        self.exits = self.generators or "background" in specials
        self.response = "response" in specials
        self.merges = self.response and not plan.is_socket
        # When nothing runs after the handler, `invoke` can return its coroutine instead of awaiting
        # it, which saves a frame.
        wrapped = plan.middleware or plan.on_error or plan.finish or plan.lifespans
        plain = not (self.exits or self.response or wrapped or plan.is_socket)
        self.hands_over = plain and not others & {"async", "async generator"}
        self.word = "async def" if plan.is_async and not self.hands_over else "def"

    def write(self) -> None:
        plan, source = self.plan, self.source
        if plan.is_socket:
            source.line("request = wire[-1]")
        elif plan.asks_for_request:
            # The request is the last value.
            app = source.constant(plan.app)
            source.line(f"request = {source.constant(Request)}(wire[-1], {app})")
        for lifespan in plan.lifespans:
            life = source.constant(lifespan)
            source.line(f"if not {life}.entered:")
            source.line(f"    await {life}.enter()")
            if plan.asks_for_request:
                source.line(f"{life}.share(request)")
        if plan.middleware is None:
            self.with_handlers()
            return
        source.line("async def endpoint(request):")
        source.indent()
        self.with_handlers()
        source.dedent()
        source.line(f"return await {source.constant(plan.middleware)}(request, endpoint)")

    def with_handlers(self) -> None:
        source, on_error = self.source, self.plan.on_error
        if on_error is None:
            self.body()
            return
        source.line("try:")
        source.indent()
        self.body()
        source.dedent()
        source.line("except Exception as exc:")
        source.indent()
        wait = "await " if self.plan.waits else ""
        source.line(f"return {wait}{source.constant(on_error)}(request, exc)")
        source.dedent()

    def unpack(self) -> None:
        parts = []
        for param in self.params:
            if param is REQUEST:
                parts.append("_")
                continue
            if param.source == "stream":
                parts.append("_")
                self.finishers[id(param)] = _reader(self.source, param)
                continue
            target, finish = self.emitter.bind_optional(param.type, _default(self.emitter, param))
            parts.append(target)
            self.finishers[id(param)] = finish
        if parts:
            self.source.line(f"({''.join(f'{part}, ' for part in parts)}) = wire")

    def body(self) -> None:
        source = self.source
        self.unpack()
        if self.response:
            source.line(f"response = {source.constant(Response)}()")
            source.line("response.status_code = None")
        if not self.exits:
            self.calls()
            return
        source.line(f"exits = {source.constant(Exits)}()")
        if not self.generators:
            self.calls()
            return
        source.line("try:")
        source.indent()
        self.calls()
        source.dedent()
        source.line("except BaseException as exc:")
        source.indent()
        source.line(
            "raise await exits.afail(exc)" if self.word != "def" else "raise exits.fail(exc)"
        )
        source.dedent()

    def calls(self) -> None:
        source, plan = self.source, self.plan
        for first in plan.root.before:
            self.value_of(first)
        result = self.called(plan.root)
        if plan.root.kind == "async" and not self.hands_over:
            result = f"await {result}"
        if plan.is_socket:
            source.line(result)
            if self.generators:
                source.line("await exits.aleave()")
            source.line(f"return {'exits' if self.exits else 'None'}")
            return
        if plan.finish is not None:
            result = f"{source.constant(plan.finish)}({result})"
        if self.merges:
            result = f"{source.constant(_merged)}({result}, response)"
        if self.exits:
            result = f"exits.hold({result})"
        source.line(f"return {result}")

    def called(self, call: Call) -> str:
        """The expression of a call, after the statements for its arguments are written."""
        positional, keywords = [], []
        for item in call.arguments:
            expression = self.argument(item)
            if item.keyword:
                keywords.append(f"{item.name}={expression}")
            else:
                positional.append(expression)
        target = self.source.constant(call.function if call.view is None else call.view)
        if call.view is not None:
            target = f"{target}().{call.function}"
        return f"{target}({', '.join(positional + keywords)})"

    def argument(self, item: Argument) -> str:
        given = item.given
        if isinstance(given, Param):
            return self.finishers[id(given)]()
        if isinstance(given, Call):
            return self.value_of(given)
        if isinstance(given, SecurityScopes):
            return self.source.constant(given)
        return "exits.background" if given == "background" else given

    def value_of(self, call: Call) -> str:
        """The local that holds the result of a dependency."""
        name = self.made.get(id(call))
        if name is not None:
            return name
        for first in call.before:
            self.value_of(first)
        expression = self.called(call)
        if call.kind == "async":
            expression = f"await {expression}"
        elif call.kind == "generator":
            expression = f"exits.enter({expression})"
        elif call.kind == "async generator":
            expression = f"await exits.aenter({expression})"
        name = self.made[id(call)] = self.source.local()
        self.source.line(f"{name} = {expression}")
        return name


def _reader(source: Source, param: Param) -> Callable[[], str]:
    return lambda: f"{source.constant(param.factory)}()"


def _default(emitter: Emitter, param: Param) -> Callable[[], str] | None:
    if param.required or param.spread:
        return None
    if param.factory is None and is_host_default(param.type, param.default):
        return None
    # As for records, calls do not share a mutable default.
    return lambda: emitter.default(param.default, param.factory)


def _merged(result: Any, response: Response) -> Any:
    """The result with the status, headers and cookies that were set on the `response` parameter."""
    untouched = response.status_code is None and not response.headers and not response.cookies
    if untouched:
        return result
    if isinstance(result, Response):
        if result.by_class:
            _add(result, response)
        return result
    final = JSON(result, response.status_code, response.headers)
    final.cookies.extend(response.cookies)
    return final


def _add(made: Response, response: Response) -> None:
    if response.status_code is not None:
        made.status_code = response.status_code
    # A header that the handler set replaces that of the response class.
    headers = MutableHeaders(response.headers)
    made.headers.update(headers)
    made.headers.more = (*made.headers.more, *headers.more)
    made.cookies.extend(response.cookies)
