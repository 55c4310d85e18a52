"""What a handler yields, as a response: lines of JSON, events, or chunks."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from .._errors import Unsupported
from .._schema.annotations import type_of
from .._schema.types import ANY, Type
from ..responses import EventSourceResponse, Response, StreamingResponse
from ..sse import ServerSentEvent, data_event
from .adapted_results import adapted_text
from .json_text import json_text, plain_text
from .response_model import Shape, compile_result

__all__ = ["compile_stream", "item_type"]

_STREAMS = frozenset(
    {
        collections.abc.AsyncIterable,
        collections.abc.AsyncIterator,
        collections.abc.AsyncGenerator,
        collections.abc.Iterable,
        collections.abc.Iterator,
        collections.abc.Generator,
    }
)


class _Lines(StreamingResponse):
    """JSON Lines."""

    media_type = "application/jsonl"


def item_type(
    handler: Callable[..., Any],
    options: Mapping[str, Any],
    with_records: Callable[[Any], Any],
) -> Type | None:
    """The declared type of what a handler yields; None when it declares none that can be checked.

    with_records: puts records in place of models of other packages.

    A `response_model` counts as none: it says what a whole result is.

    Raises Unsupported for a `response_class` that cannot be sent in parts.
    """
    cls = options.get("response_class")
    if cls is not None and not issubclass(cls, StreamingResponse):
        raise Unsupported(
            f"a handler that yields cannot have the response_class {cls.__name__}: "
            "leave it out, or use StreamingResponse or EventSourceResponse"
        )
    if "response_model" in options:
        return None
    try:
        annotation = get_type_hints(handler, include_extras=True).get("return")
    except Exception:
        # A return annotation need not be resolvable at run time.
        return None
    if get_origin(annotation) not in _STREAMS:
        return None
    arguments = get_args(annotation)
    try:
        # An event has its own fields.
        if arguments and arguments[0] is ServerSentEvent:
            return None
        return type_of(with_records(arguments[0])) if arguments else ANY
    except Unsupported:
        return None


def compile_stream(
    cls: type[Response] | None, item: Type | None, shape: Shape, handler: str
) -> Callable[[Any], Any]:
    """The function that makes a response of the generator that a handler has returned.

    cls: the `response_class` of the route, or None.
    item: the declared type of the items.
    handler: names the handler in errors.

    Raises Unsupported or NameError for a record that cannot be resolved.
    """
    text: Callable[[Any], str] = json_text
    check = None
    if item is not None and item.kind == "adapted":
        text = adapted_text(item.data, shape, handler)
    elif item is not None:
        check = compile_result(item, shape, handler, root="item")
    if check is not None:
        convert = check

        def text(value: Any) -> str:
            return plain_text(convert(value))

    def line(value: Any) -> str:
        return text(value) + "\n"

    def event(value: Any) -> str:
        if isinstance(value, ServerSentEvent):
            return value.encode()
        return data_event(text(value))

    made_of = cls or _Lines
    encode: Callable[[Any], str] | None = None
    if cls is None:
        encode = line
    elif issubclass(cls, EventSourceResponse):
        encode = event

    def finish(result: Any) -> Any:
        if isinstance(result, Response):
            return result
        response: Any = made_of(result, status_code=None)
        if encode is not None:
            response.stream(result, encode)
        response.by_class = True
        return response

    return finish
