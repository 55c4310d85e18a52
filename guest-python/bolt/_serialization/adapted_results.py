"""Results that pydantic or msgspec checks and encodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._adapters.adapter import Adapter, Refusal, marked
from .._errors import ResultError, ResultMismatch
from .._schema.annotations import show
from ..responses import Response
from .places import Place, show_place, step_of
from .result_match import told, wrong
from .result_shape import Shape
from .unsendable import is_mistake

__all__ = ["adapted_json", "adapted_part", "adapted_result", "adapted_text"]

# More errors are not told: the log has one line for a result.
_MOST = 5


class _Encoded(Response):
    """A result as JSON, made by the package that knows its type."""

    media_type = "application/json"


def _checked(adapter: Adapter) -> Callable[[Any, Place], Any]:
    """The function that checks a value. Raises ResultMismatch, which names the place."""
    check, refused = adapter.checker(), adapter.refused

    def checked(value: Any, place: Place) -> Any:
        try:
            return check(value)
        except refused as exc:
            if is_mistake(value):
                raise wrong(value, place, show(adapter.annotation)) from None
            raise _mismatch(adapter, adapter.refusals(exc, value), place) from None

    return checked


def _mismatch(adapter: Adapter, refusals: list[Refusal], place: Place) -> ResultMismatch:
    parts = []
    for one in refusals[:_MOST]:
        at = place
        for step in one.path:
            at = (at, step_of(step))
        shown = "" if one.type == "missing" else f", not {told(one.input)}"
        parts.append(f"{show_place(at)}: {one.msg}{shown}")
    if len(refusals) > _MOST:
        parts.append(f"and {len(refusals) - _MOST} more")
    return ResultMismatch(f"the handler declares {show(adapter.annotation)}; {'; '.join(parts)}")


def adapted_part(
    adapter: Adapter, shape: Shape, picked: Any = None, left_out: Any = None
) -> Callable[[Any, Place], Any]:
    """The function from a value in a result to its plain form."""
    checked = _checked(adapter)
    options = {name: getattr(shape, name) for name in shape.__dataclass_fields__}
    _, to_plain = adapter.dumpers(Shape(**{**options, "include": picked, "exclude": left_out}))

    def convert(value: Any, place: Place) -> Any:
        return to_plain(checked(value, place))

    return convert


def adapted_result(adapter: Adapter, shape: Shape, handler: str) -> Callable[[Any], Any]:
    """The function from a result to its plain form."""
    convert = adapted_part(adapter, shape, shape.include, shape.exclude)
    return _finish(lambda value: convert(value, "result"), handler)


def adapted_json(adapter: Adapter, shape: Shape, handler: str) -> Callable[[Any], Any]:
    """The function from a result to a response that has it as JSON."""
    checked = _checked(adapter)
    to_json, _ = adapter.dumpers(shape)

    def encoded(value: Any) -> Response:
        made = _Encoded(to_json(checked(value, "result")), None)
        made.by_class = True
        return made

    return marked(_finish(encoded, handler))


def adapted_text(adapter: Adapter, shape: Shape, handler: str) -> Callable[[Any], str]:
    """The function from a streamed item to its JSON."""
    checked = _checked(adapter)
    to_json, _ = adapter.dumpers(shape)
    return _finish(lambda value: to_json(checked(value, "item")).decode(), handler)


def _finish(convert: Callable[[Any], Any], handler: str) -> Callable[[Any], Any]:
    def finish(result: Any) -> Any:
        if isinstance(result, Response):
            return result
        try:
            return convert(result)
        except ResultError as error:
            raise error.of(handler) from None

    return finish
