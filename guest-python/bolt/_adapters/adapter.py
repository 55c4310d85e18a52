"""`Adapter`: how the SDK uses the package that checks an annotation."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import ValidatorError

__all__ = ["Adapter", "ModelField", "Refusal", "marked", "with_pattern"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that the package refuses. path: where it is in the whole value."""

    type: str
    path: tuple[Any, ...]
    msg: str
    input: Any
    ctx: Any = None


@dataclass(frozen=True, slots=True)
class ModelField:
    """A field of a model whose fields are values of a query, of headers, of cookies or of a form.

    names: those under which the model takes it, the preferred one first.
    several: it holds all values of a name.
    adapter: describes it.
    """

    name: str
    names: tuple[str, ...]
    several: bool
    required: bool
    adapter: Adapter
    description: str | None = None
    deprecated: bool = False


class Adapter(ABC):
    """An annotation and the package that checks it.

    The host hands over what it is in JSON, as plain values: the package sees what it sees in
    FastAPI, which parses a body before it is validated.

    library: "pydantic" or "msgspec".
    shape: see `shape_of`.
    refused: the exception of the package for a value that does not fit.
    texts: the values are texts, as in a query, of which numbers are made.
    """

    library: str
    refused: type[Exception]
    texts = False

    def __init__(self, annotation: Any, shape: str) -> None:
        self.annotation = annotation
        self.shape = shape

    @property
    def described(self) -> Adapter:
        """The adapter that describes the values for OpenAPI."""
        return self

    def of_texts(self) -> Adapter:
        """The same for values of a query, of headers, of cookies or of a form."""
        made = copy.copy(self)
        made.texts = True
        return made

    @abstractmethod
    def settle(self) -> None:
        """Prepare for values, if the annotation can be resolved by now. Raises Unsupported."""

    @abstractmethod
    def validator(self) -> Callable[[Any], Any]:
        """The function from plain values to the object; it raises `refused`."""

    @abstractmethod
    def refusals(self, exc: Exception, value: Any) -> list[Refusal]:
        """What an exception of the class `refused` says about a value."""

    @abstractmethod
    def checker(self) -> Callable[[Any], Any]:
        """The function from what a handler returns to what is sent; raises `refused`."""

    @abstractmethod
    def dumpers(self, shape: Any) -> tuple[Callable[[Any], bytes], Callable[[Any], Any]]:
        """The functions from checked results to JSON, and to plain values.

        shape: a `Shape`. Raises Unsupported for one that the package does not know.
        """

    @abstractmethod
    def constrained(self, checks: dict[str, Any]) -> Any:
        """The annotation with constraints of the SDK, such as `gt`."""

    @abstractmethod
    def fields(self) -> list[ModelField]:
        """The fields of a model. Its annotation must be resolved."""

    @property
    @abstractmethod
    def forbids(self) -> bool:
        """Whether the model refuses keys that it does not know."""

    @staticmethod
    @abstractmethod
    def schemas(
        wanted: Sequence[tuple[Adapter, bool]], template: str
    ) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """JSON schemas, and those that they refer to by their names.

        wanted: adapters, and whether their values are sent.
        template: of references, with `{name}`.
        """

    def converter(self) -> Callable[[Any], Any]:
        """The function from the wire value to the object; it raises ValidatorError."""
        validate, refused = self.validator(), self.refused

        def convert(wire: Any) -> Any:
            try:
                return validate(wire)
            except refused as exc:
                raise ValidatorError from exc

        return marked(convert)

    def errors(self, wire: Any) -> list[Refusal]:
        """What is wrong with a wire value."""
        try:
            self.validator()(wire)
        except self.refused as exc:
            return self.refusals(exc, wire)
        return []


def with_pattern(checks: dict[str, Any]) -> dict[str, Any]:
    """Constraints of the SDK with the text of a pattern, which may be a compiled one there."""
    pattern = checks.get("pattern")
    return (
        checks if pattern is None else {**checks, "pattern": getattr(pattern, "pattern", pattern)}
    )


def marked(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, marked as one that may run code of the app: the warmup replaces it."""
    convert.runs_models = True  # type: ignore[attr-defined]
    return convert
