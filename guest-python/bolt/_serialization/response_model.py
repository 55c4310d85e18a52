"""Filters and checks results by the return annotation or the `response_model` of a route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from .._errors import ResultError, ResultMismatch, Unsupported
from .._schema.annotations import type_of
from .._schema.types import MISSING, Type
from ..responses import Response
from .adapted_results import adapted_result
from .places import Place
from .result_compiler import ResultCompiler
from .result_match import EXACT, MATCH
from .result_shape import Shape
from .serialize import plain
from .serialize_exact import compile_exact

__all__ = ["ResultMismatch", "Shape", "compile_result", "declared_result", "record_filter"]


def declared_result(
    handler: Callable[..., Any],
    options: Mapping[str, Any],
    with_records: Callable[[Any], Any],
) -> Type | None:
    """The declared type of a handler's results; None when it declares none that can be checked.

    with_records: puts records in place of models of other packages.

    Raises Unsupported for a `response_model` without a wire form; ignores such an annotation.
    """
    if "response_model" in options:
        model = options["response_model"]
        return None if model is None else type_of(with_records(model))
    try:
        annotation = get_type_hints(handler, include_extras=True).get("return", MISSING)
    except Exception:
        # A return annotation need not be resolvable at run time.
        return None
    if annotation is MISSING or annotation is None:
        return None
    try:
        return type_of(with_records(annotation))
    except Unsupported:
        return None


def compile_result(
    kind: Type, shape: Shape, handler: str = "", checks: bool = True, root: str = "result"
) -> Callable[[Any], Any] | None:
    """The function that converts a result to what is sent; None when no conversion is needed.

    handler: names the handler in errors.
    checks: the values must satisfy the constraints.
    root: what errors call the value.

    Raises Unsupported or NameError for a record that cannot be resolved.
    """
    if kind.kind == "adapted":
        return adapted_result(kind.data, shape, handler)
    if _says_nothing(kind) and shape.changes_nothing:
        return None
    convert = _whole(ResultCompiler(shape, checks).of(kind))

    def finish(result: Any) -> Any:
        if isinstance(result, Response):
            return result
        try:
            return convert(result, root)
        except ResultError as error:
            raise error.of(handler) from None

    exact = compile_exact(kind) if checks and shape.changes_nothing else None
    if exact is None:
        return finish
    make, whole = exact

    def finish_exact(result: Any) -> Any:
        if type(result) in whole:
            try:
                return make(result)
            except Exception:
                # A value does not match its annotation exactly: convert or reject it.
                return finish(result)
        return finish(result)

    return finish_exact


def _whole(convert: Callable[[Any, Place], Any]) -> Callable[[Any, Place], Any]:
    """The function for a whole result, which may be converted while another one is.

    A property of a record that is being sent may dump another record.
    """

    def outermost(value: Any, place: Place) -> Any:
        level, fields = MATCH.level, MATCH.fields
        MATCH.level, MATCH.fields = EXACT, None
        try:
            return convert(value, place)
        finally:
            MATCH.level, MATCH.fields = level, fields

    return outermost


# Classes live as long as the program, so entries are never removed.
_FILTERS: dict[tuple[type, Shape], Callable[[Any], Any]] = {}


def record_filter(cls: type, shape: Shape) -> Callable[[Any], Any]:
    """The function that converts a record of this class to a dict, cached when possible."""
    # `include` and `exclude` may be unhashable.
    if shape.include is not None or shape.exclude is not None:
        return _record_filter(cls, shape)
    found = _FILTERS.get((cls, shape))
    if found is None:
        found = _FILTERS[cls, shape] = _record_filter(cls, shape)
    return found


def _record_filter(cls: type, shape: Shape) -> Callable[[Any], Any]:
    # For a record, `compile_result` never returns None.
    return compile_result(Type("ref", data=cls), shape, checks=False) or plain


def _says_nothing(kind: Type) -> bool:
    """Whether every JSON value matches the type."""
    if kind.checks:
        return False
    if kind.kind in ("any", "none"):
        return True
    if kind.kind == "dict":
        return kind.args[0].kind in ("str", "any") and _says_nothing(kind.args[1])
    return kind.kind == "list" and _says_nothing(kind.args[0])
