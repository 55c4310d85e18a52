"""Handler signatures to parameters: where each value comes from and what type it has."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from .errors import Unsupported
from .schema import show, type_of
from .types import MISSING, SCALARS, STR, Type

__all__ = ["Param", "read_params"]

_SEQUENCES = frozenset({"list", "set", "frozenset", "vartuple"})


@dataclass(frozen=True, slots=True, eq=False)
class Param:
    """One parameter of a handler.

    source: "path", "query" or "body".
    alias: the name in the request.
    required: the host refuses requests without it.
    default: the Python default, or MISSING.
    keyword: it can only be passed by keyword.
    """

    name: str
    source: str
    alias: str
    type: Type
    required: bool
    default: Any
    keyword: bool


def read_params(handler: Callable[..., Any], path_names: tuple[str, ...]) -> tuple[Param, ...]:
    """The parameters of a handler, in the order of its signature.

    Raises Unsupported with a sentence about the first one that cannot be served.
    """
    try:
        signature = inspect.signature(handler)
    except NameError:
        # From 3.14 on, reading a signature computes the annotations. The names and defaults do
        # not depend on them, and `_hints` says which one is at fault.
        signature = _signature_without_values(handler)
    parameters = signature.parameters
    for name in path_names:
        if name not in parameters:
            raise Unsupported(f"the path names {name!r}, and the handler has no such parameter")
    hints = _hints(handler, parameters)

    params = []
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise Unsupported(f"the parameter '{stars}{name}' is not supported; name each one")
        kind = STR
        if name in hints:
            try:
                kind = type_of(hints[name])
            except Unsupported as error:
                raise Unsupported(f"parameter {name!r}: {error}") from None
        source = _source(name, kind, path_names, hints.get(name))
        default = MISSING if parameter.default is parameter.empty else parameter.default
        # A path always has its parts, so a default there is never used. It may still make sense:
        # the same function can serve a second path without the part.
        required = default is MISSING or source == "path"
        keyword = parameter.kind is parameter.KEYWORD_ONLY
        params.append(Param(name, source, name, kind, required, default, keyword))

    bodies = [param.name for param in params if param.source == "body"]
    if len(bodies) > 1:
        raise Unsupported(
            f"the parameters {' and '.join(map(repr, bodies))} would all be read from the body; "
            "only one body parameter is supported yet"
        )
    return tuple(params)


def _signature_without_values(handler: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(handler, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(handler)


def _hints(handler: Any, parameters: Any) -> dict[str, Any]:
    """The resolved annotations of the parameters."""
    function = inspect.unwrap(handler)
    if not isinstance(function, (types.FunctionType, types.MethodType)):
        # A functools.partial or an object with __call__.
        function = inspect.unwrap(getattr(function, "func", None) or type(function).__call__)
    try:
        return get_type_hints(function, include_extras=True)
    except NameError:
        pass
    # One by one: the name that is missing may belong to the result, which is not looked at, and
    # otherwise the message should say which parameter is meant.
    hints: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if parameter.annotation is parameter.empty:
            continue
        holder = types.SimpleNamespace(__annotations__={name: parameter.annotation})
        try:
            hints.update(get_type_hints(holder, function.__globals__, include_extras=True))
        except NameError as error:
            raise Unsupported(
                f"parameter {name!r}: the annotation {_written(parameter.annotation)} "
                f"cannot be resolved ({error}); define what it names before the handler, "
                "at module level"
            ) from None
    return hints


def _written(annotation: Any) -> str:
    text = getattr(annotation, "__forward_arg__", annotation)
    return repr(text) if isinstance(text, str) else show(text)


def _source(name: str, kind: Type, path_names: tuple[str, ...], annotation: Any) -> str:
    if name in path_names:
        if not _all_scalars(kind):
            raise Unsupported(
                f"parameter {name!r} is part of the path, "
                f"and one part of a path cannot hold {show(annotation)}"
            )
        return "path"
    if _is_body(kind):
        return "body"
    if not _is_query(kind):
        raise Unsupported(
            f"parameter {name!r}: a query cannot hold {show(annotation)}; "
            "use a list of plain values"
        )
    return "query"


def _all_scalars(kind: Type) -> bool:
    return kind.kind in SCALARS or (
        kind.kind == "union" and all(arm.kind in SCALARS for arm in kind.args)
    )


def _is_body(kind: Type) -> bool:
    """Records, mappings, and sequences of anything that one query value cannot hold."""
    if kind.kind in ("ref", "dict"):
        return True
    if kind.kind == "union":
        return any(_is_body(arm) for arm in kind.args)
    if kind.kind in _SEQUENCES or kind.kind == "tuple":
        return not all(_all_scalars(arg) for arg in kind.args)
    return False


def _is_query(kind: Type) -> bool:
    if kind.kind == "union":
        return all(arm.kind in SCALARS or arm.kind in _SEQUENCES for arm in kind.args)
    return kind.kind in SCALARS or kind.kind in _SEQUENCES
