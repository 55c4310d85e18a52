"""`Operation`: the handler of an operation, which a method of the author's class may replace."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._dependencies.params import signature_of

__all__ = ["Operation", "parameter"]


def parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> Any:
    """A parameter of a generated handler."""
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
    )


class Operation:
    """A callable with the signature of what it calls.

    The routes are declared before the class is known that `crud` decorates. A route reads the
    signature of its handler again when it is compiled.

    query: what the host needs to answer alone, with the names of parameters in place of their
        numbers; None if Python has to.
    outcomes: what the handler may raise.
    """

    def __init__(self, name: str, outcomes: Sequence[BaseException]) -> None:
        self.name = name
        self.outcomes = tuple(outcomes)
        self.query: dict[str, Any] | None = None

    def generate(
        self,
        function: Callable[..., Any],
        parameters: Sequence[inspect.Parameter],
        result: Any,
        shown: tuple[str, str],
    ) -> None:
        """Call a generated function.

        shown: its qualified name and its docstring.
        """
        made: Any = function
        made.__annotations__ = {
            item.name: item.annotation
            for item in parameters
            if item.annotation is not inspect.Parameter.empty
        }
        made.__annotations__["return"] = result
        made.__qualname__, made.__doc__ = shown
        self._follow(made, inspect.Signature(parameters, return_annotation=result), made)

    def replace(self, cls: type, method: Callable[..., Any]) -> None:
        """Call a method, of a new instance for each request."""
        name = method.__name__

        def call(*arguments: Any, **keywords: Any) -> Any:
            return getattr(cls(), name)(*arguments, **keywords)

        signature = signature_of(method)
        own = list(signature.parameters.values())[1:]
        self._follow(method, signature.replace(parameters=own), call)
        self.query = None

    def _follow(
        self, function: Any, signature: inspect.Signature, call: Callable[..., Any]
    ) -> None:
        self.__wrapped__ = function
        self.__signature__ = signature
        self.__name__ = self.name
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self._call = call

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._call(*arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        # Late, because annotations may name what is defined later.
        if name == "__annotations__" and "__wrapped__" in vars(self):
            return self.__wrapped__.__annotations__
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def numbered(self, places: Mapping[str, int]) -> dict[str, Any] | None:
        """The query, with the numbers of the parameters."""
        if self.query is None:
            return None
        out = dict(self.query)
        out["arguments"] = {what: places[name] for what, name in out["arguments"].items()}
        if "filters" in out:
            out["filters"] = [[places[name], *rest] for name, *rest in out["filters"]]
        return out
