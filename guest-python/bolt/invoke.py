"""The compiled call of a route: from the wire tuple, through its dependencies, to its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .background import Exits
from .codegen import Source
from .convert import Emitter
from .depends import Argument, Call, SecurityScopes
from .errors import Unsupported
from .headers import MutableHeaders
from .lifespan import Lifespan
from .params import Param
from .request import Request
from .responses import JSON, Response
from .types import Type, is_host_default

__all__ = ["REQUEST", "Plan", "compile_invoke", "wire_params"]

REQUEST = Param("request", "request", "request", Type("request"), True, ...)
"""The whole request, as the host writes it for those who ask."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What there is to compile.

    root: the handler.
    app: what `request.app` is.
    finish: turns the handler's result into what is sent, or None.
    around: the middleware: takes a request and the function that goes on with it. None for none.
    on_error: takes a request and an exception and gives a response or raises. None for none.
    lifespan: what has to be entered before the first request of an interpreter, or None.
    waits: `around` or `on_error` are async.
    """

    root: Call
    app: Any
    finish: Callable[[Any], Any] | None = None
    around: Callable[..., Any] | None = None
    on_error: Callable[..., Any] | None = None
    lifespan: Lifespan | None = None
    waits: bool = False

    @property
    def is_async(self) -> bool:
        """Whether the call gives a coroutine."""
        kinds = {call.kind for call in self.root.walk()}
        around = self.waits or self.around is not None or self.lifespan is not None
        return around or bool(kinds & {"async", "async generator"})

    @property
    def asks_for_request(self) -> bool:
        """Whether anything wants the whole request."""
        if self.around is not None or self.on_error is not None:
            return True
        return any(item.given == "request" for call in self.root.walk() for item in call.arguments)


def wire_params(plan: Plan) -> tuple[Param, ...]:
    """What the host has to send, in order."""
    params = plan.root.params()
    return (*params, REQUEST) if plan.asks_for_request else tuple(params)


def compile_invoke(plan: Plan, params: Sequence[Param], name: str) -> tuple[Any, str]:
    """The function from the wire tuple to the result, and its text.

    It gives a coroutine where `plan.is_async`. Raises Unsupported or NameError when a record
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
        kinds = {call.kind for call in plan.root.walk()}
        specials = {
            item.given
            for call in plan.root.walk()
            for item in call.arguments
            if isinstance(item.given, str)
        }
        self.generators = bool(kinds & {"generator", "async generator"})
        self.exits = self.generators or "background" in specials
        self.response = "response" in specials
        # A handler without anything behind it may give its coroutine away instead of awaiting it.
        others = {call.kind for call in plan.root.walk() if call is not plan.root}
        wrapped = plan.around or plan.on_error or plan.finish or plan.lifespan
        plain = not (self.exits or self.response or wrapped)
        self.hands_over = plain and not others & {"async", "async generator"}
        self.word = "async def" if plan.is_async and not self.hands_over else "def"

    def write(self) -> None:
        plan, source = self.plan, self.source
        if plan.root.kind in ("generator", "async generator"):
            raise Unsupported("a handler that yields is not supported")
        if plan.asks_for_request:
            # It comes last.
            app = source.constant(plan.app)
            source.line(f"request = {source.constant(Request)}(wire[-1], {app})")
        if plan.lifespan is not None:
            life = source.constant(plan.lifespan)
            source.line(f"if not {life}.entered:")
            source.line(f"    await {life}.enter()")
            if plan.asks_for_request:
                source.line(f"{life}.share(request)")
        if plan.around is None:
            self.with_handlers()
            return
        source.line("async def endpoint(request):")
        source.indent()
        self.with_handlers()
        source.dedent()
        source.line(f"return await {source.constant(plan.around)}(request, endpoint)")

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
        if plan.finish is not None:
            result = f"{source.constant(plan.finish)}({result})"
        if self.response:
            result = f"{source.constant(_merged)}({result}, response)"
        if self.exits:
            result = f"exits.hold({result})"
        source.line(f"return {result}")

    def called(self, call: Call) -> str:
        """The expression of a call; what it needs is written before."""
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
        """The local that holds what a dependency returned."""
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


def _default(emitter: Emitter, param: Param) -> Callable[[], str] | None:
    if param.required or param.spread:
        return None
    if param.factory is None and is_host_default(param.type, param.default):
        return None
    # As with records, a mutable default is not shared between calls.
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
    # As elsewhere, a header that is set there wins over what the class brings.
    headers = MutableHeaders(response.headers)
    made.headers.update(headers)
    made.headers.more = (*made.headers.more, *headers.more)
    made.cookies.extend(response.cookies)
