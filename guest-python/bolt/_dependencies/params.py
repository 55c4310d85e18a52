"""Translates signatures to parameters: where each value comes from, and its type."""

from __future__ import annotations

import copy
import functools
import inspect
import sys
import types
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from .._adapters.found import library_of
from .._callables import function_in
from .._errors import Unsupported
from .._schema.annotations import show
from .._schema.constraints import checks_of, constrained
from .._schema.models import Field, Model, model_of
from .._schema.param_functions import Marker
from .._schema.types import (
    MISSING,
    SCALARS,
    STR,
    Type,
)
from .._streams.inflow import block_parts, read_parts
from .param_types import declared_type, sent_type

__all__ = [
    "Declared",
    "Param",
    "declared",
    "field_name",
    "hints_of_function",
    "make_param",
    "signature_of",
    "spread_model",
]

_SEQUENCES = frozenset({"list", "set", "frozenset", "vartuple"})
_NO_MARKER = Marker("")
_BYTES = Type("bytes")


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """A parameter of a function as its author declared it.

    annotation: resolved, without `Annotated`; Parameter.empty when there is none.
    metadata: the metadata of `Annotated`.
    default: MISSING when there is none.
    keyword: it is keyword-only.
    """

    name: str
    annotation: Any
    metadata: tuple[Any, ...]
    default: Any
    keyword: bool


@dataclass(frozen=True, slots=True, eq=False)
class Param:
    """A value that the host extracts from a request.

    source: "path", "query", "header", "cookie", "form", "file", "body", "request", or "stream" for
        the body in parts, of which the host sends nothing.
    alias: the name in the request.
    required: the host rejects requests without it.
    default: the Python default, or MISSING.
    factory: creates the default, or the iterator of a stream; or None.
    spread: the type is a record, and each of its fields is a value of the source.
    marker: its declaration, for the OpenAPI description and the limits of files.
    """

    name: str
    source: str
    alias: str
    type: Type
    required: bool
    default: Any
    factory: Callable[[], Any] | None = None
    spread: bool = False
    marker: Marker = _NO_MARKER


def declared(function: Callable[..., Any]) -> tuple[Declared, ...]:
    """The parameters of a function, in the order of its signature.

    Raises Unsupported with a sentence about the first one that is not supported.
    """
    parameters = signature_of(function).parameters
    hints = hints_of_function(function, parameters)
    found = []
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise Unsupported(f"the parameter '{stars}{name}' is not supported; name each one")
        annotation, metadata = hints.get(name, parameter.empty), ()
        if get_origin(annotation) is Annotated:
            annotation, *rest = get_args(annotation)
            metadata = tuple(rest)
        default = MISSING if parameter.default is parameter.empty else parameter.default
        keyword = parameter.kind is parameter.KEYWORD_ONLY
        found.append(Declared(name, annotation, metadata, default, keyword))
    return tuple(found)


def make_param(item: Declared, path_names: tuple[str, ...]) -> Param:
    """The value that a parameter declares. Raises Unsupported with a sentence."""
    marker, default = _marker(item)
    written = item.annotation
    parts = _parts_of(written)
    if parts is not None and (marker is None or marker.source == "body"):
        if item.name in path_names or default is not MISSING:
            raise Unsupported(
                f"parameter {item.name!r} is the body in parts: "
                "it is not part of the path and has no default"
            )
        used = marker or _NO_MARKER
        return Param(item.name, "stream", item.name, _BYTES, True, MISSING, parts, False, used)
    try:
        metadata = [extra for extra in item.metadata if extra is not marker]
        is_bare = written is inspect.Parameter.empty
        kind = STR if is_bare else declared_type(written, metadata)
        kind = constrained(kind, checks_of(marker)) if marker is not None else kind
    except Unsupported as error:
        raise Unsupported(f"parameter {item.name!r}: {error}") from None
    source = _source(item.name, kind, path_names, written, marker)
    used = marker or _NO_MARKER
    spread = source in ("query", "header", "cookie", "form") and _record(kind)
    # A path parameter is always present, so its default is never used. The default is still valid,
    # because the same function can serve a second path without the parameter.
    no_default = default is MISSING and used.default_factory is None
    required = source == "path" or (no_default and not spread)
    alias = used.alias or _alias(item.name, source, used)
    factory = used.default_factory
    kind = sent_type(kind, source, spread, lambda name: _alias(name, source, used))
    if kind.kind == "adapted" and default is not MISSING and factory is None:
        # A model is mutable, and calls do not share it.
        factory = functools.partial(copy.deepcopy, default)
    return Param(item.name, source, alias, kind, required, default, factory, spread, used)


def spread_model(param: Param) -> Model:
    """The record of a parameter that is spread over several values."""
    kind = param.type.args[0] if param.type.kind == "adapted" else param.type
    return model_of(kind.data)


def _parts_of(annotation: Any) -> Callable[[], Any] | None:
    """The function that reads the body in parts, for `AsyncIterator[bytes]` and its like."""
    if get_args(annotation)[:1] != (bytes,):
        return None
    origin = get_origin(annotation)
    if origin in (AsyncIterator, AsyncIterable):
        return read_parts
    return block_parts if origin in (Iterator, Iterable) else None


def _marker(item: Declared) -> tuple[Marker | None, Any]:
    """The marker of a parameter and its default: `x: int = Query(5)`, or `Annotated[...] = 5`."""
    if isinstance(item.default, Marker):
        return item.default, item.default.given()
    found = None
    for extra in item.metadata:
        if isinstance(extra, Marker) and extra.source:
            found = extra
    if found is None:
        return None, item.default
    default = item.default
    if default is MISSING:
        default = found.given()
    return found, MISSING if default is ... else default


def _alias(name: str, source: str, marker: Marker) -> str:
    if source == "header" and marker.convert_underscores:
        return name.replace("_", "-")
    return name


def field_name(param: Param, item: Field) -> str:
    """The name in the request of a field of a record whose fields are values of a source."""
    if item.alias:
        return item.alias
    return _alias(item.name, param.source, param.marker)


def _record(kind: Type) -> bool:
    return kind.kind == "ref" or _is_adapted(kind, "model")


def _is_adapted(kind: Type, *shapes: str) -> bool:
    return kind.kind == "adapted" and kind.data.shape in shapes


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function, also if an annotation of it cannot be resolved."""
    try:
        return inspect.signature(function)
    except (NameError, TypeError):
        # From Python 3.14 on, `signature` evaluates the annotations. `hints_of_function` reports
        # which one cannot be resolved. In a class with a method `list`, `list[int]` is an error.
        return _signature_without_values(function)


def _signature_without_values(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def hints_of_function(handler: Any, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """The resolved annotations of the parameters."""
    function = function_in(handler)
    if isinstance(function, type) and library_of(function):
        # Their constructors take anything; the signature says what.
        return _hints_of_model(function, parameters)
    if isinstance(function, type):
        function = inspect.getattr_static(function, "__init__")
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        pass
    # One by one: the unresolvable name may belong to the return annotation, which is not needed
    # here. Otherwise the message has to name the parameter.
    hints: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if parameter.annotation is parameter.empty:
            continue
        holder = types.SimpleNamespace(__annotations__={name: parameter.annotation})
        names = getattr(function, "__globals__", {})
        try:
            hints.update(get_type_hints(holder, names, include_extras=True))
        except NameError as error:
            raise Unsupported(
                f"parameter {name!r}: the annotation {_written(parameter.annotation)} "
                f"cannot be resolved ({error}); define what it names before the handler, "
                "at module level"
            ) from None
    return hints


def _hints_of_model(model: type, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    hints = get_type_hints(model, include_extras=True)
    # The signature of pydantic's has the constraints as well, and the aliases as names.
    return {
        name: hints.get(name) if isinstance(one.annotation, str) else one.annotation
        for name, one in parameters.items()
    }


def _written(annotation: Any) -> str:
    text = getattr(annotation, "__forward_arg__", annotation)
    return repr(text) if isinstance(text, str) else show(text)


def _source(
    name: str, kind: Type, path_names: tuple[str, ...], annotation: Any, marker: Marker | None
) -> str:
    asked = marker.source if marker is not None else ""
    if name in path_names:
        if asked not in ("", "path"):
            raise Unsupported(f"parameter {name!r} is part of the path, and not a {asked} value")
        if not _all_scalars(kind):
            raise Unsupported(
                f"parameter {name!r} is part of the path, "
                f"and one part of a path cannot hold {show(annotation)}"
            )
        return "path"
    if asked == "path":
        raise Unsupported(
            f"parameter {name!r} is declared as part of the path, which has no such parameter"
        )
    if _holds_upload(kind) and asked in ("", "file"):
        return "file"
    if asked == "file" and not _is_file(kind):
        raise Unsupported(f"parameter {name!r}: a file is bytes or an UploadFile")
    if asked in ("", "query") and _is_body(kind) and not (asked and _record(kind)):
        if asked:
            raise Unsupported(_cannot_hold(name, "query", annotation))
        return "body"
    if asked in ("file", "body"):
        return asked
    source = asked or "query"
    if not (_is_query(kind) or _record(kind)):
        raise Unsupported(_cannot_hold(name, source, annotation))
    return source


def _cannot_hold(name: str, source: str, annotation: Any) -> str:
    return (
        f"parameter {name!r}: a {source} cannot hold {show(annotation)}; use a list of plain values"
    )


def _all_scalars(kind: Type) -> bool:
    if kind.kind in SCALARS or _is_adapted(kind, "scalar"):
        return True
    return kind.kind == "union" and all(arm.kind in SCALARS for arm in kind.args)


def _is_body(kind: Type) -> bool:
    """Whether it is a record, a mapping, or a sequence of items that a query value cannot hold."""
    if kind.kind in ("ref", "dict") or _is_adapted(kind, "model", "other"):
        return True
    if kind.kind == "union":
        return any(_is_body(arm) for arm in kind.args)
    if kind.kind in _SEQUENCES or kind.kind == "tuple":
        return not all(_all_scalars(arg) for arg in kind.args)
    return False


def _is_query(kind: Type) -> bool:
    if kind.kind == "union":
        return all(arm.kind in SCALARS or arm.kind in _SEQUENCES for arm in kind.args)
    if _is_adapted(kind, "scalar", "sequence"):
        return True
    return kind.kind in SCALARS or kind.kind in _SEQUENCES


def _holds_upload(kind: Type) -> bool:
    return kind.kind == "upload" or any(_holds_upload(arg) for arg in kind.args)


def _is_file(kind: Type) -> bool:
    if kind.kind in ("upload", "bytes", "none"):
        return True
    return kind.kind in ("list", "union") and all(_is_file(arg) for arg in kind.args)
