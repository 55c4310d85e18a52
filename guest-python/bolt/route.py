"""A route: one method and path with its handler, and the compiled call of that handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .codegen import Source
from .convert import Emitter
from .params import Param
from .types import is_host_default

__all__ = ["Route"]


@dataclass(slots=True, eq=False)
class Route:
    """What the host needs to know to serve a handler.

    id: its place in `BoltAPI.routes`.
    method: upper case.
    path: the template as written.
    name: the name of the function.
    status_code: the status of replies that do not choose their own.
    is_async: the handler gives a coroutine.
    file, line: where its `def` is; the file is relative to the import root.
    doc: the first paragraph of its docstring on one line, or "".
    isolation, max_concurrency, max_requests: how its instances are used; see `BoltAPI`.
    params: in the order of the wire tuple.
    invoke: takes the wire tuple, one value for each parameter, and calls the handler: the result
        is what the handler returns, a coroutine if it is async. Ellipsis stands for an absent
        value whose default the host cannot write.
    source: the text of the compiled `invoke`, "" until it is compiled.
    """

    id: int
    method: str
    path: str
    handler: Callable[..., Any]
    name: str
    status_code: int
    is_async: bool
    file: str
    line: int
    doc: str
    isolation: str | None
    max_concurrency: int | None
    max_requests: int | None
    params: tuple[Param, ...]
    invoke: Callable[[tuple[Any, ...]], Any] = field(init=False, repr=False)
    source: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        self.invoke = self._first_invoke

    def _first_invoke(self, wire: tuple[Any, ...]) -> Any:
        self.compile()
        return self.invoke(wire)

    def compile(self) -> None:
        """Writes `invoke`. Records may refer to later ones, so this waits until all are there.

        Raises Unsupported or NameError when a record cannot be resolved.
        """
        if self.source:
            return
        code = Source()
        emitter = Emitter(code)
        parts = [
            emitter.bind_optional(param.type, _default(emitter, param)) for param in self.params
        ]
        if parts:
            code.line(f"({''.join(f'{target}, ' for target, _ in parts)}) = wire")
        positional, keywords = [], []
        for param, (_, finish) in zip(self.params, parts, strict=True):
            expression = finish()
            if param.keyword:
                keywords.append(f"{param.name}={expression}")
            else:
                positional.append(expression)
        call = code.constant(self.handler)
        code.line(f"return {call}({', '.join(positional + keywords)})")
        self.source = code.text("invoke", "wire")
        self.invoke = code.build("invoke", "wire", f"{self.name}.invoke")


def _default(emitter: Emitter, param: Param) -> Callable[[], str] | None:
    if param.required or is_host_default(param.type, param.default):
        return None
    # As with records, a mutable default is not shared between calls.
    return lambda: emitter.default_object(param.default)
