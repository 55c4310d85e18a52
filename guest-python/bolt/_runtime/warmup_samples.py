"""Sample arguments and stub functions to warm the routes of an app without running its code.

Code of the app may have side effects, which would be in the snapshot. So stubs replace the
functions of the app, and a route that runs other code of the app (middleware, validators, custom
constructors) is not warmed.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

from .._dependencies.call_tree import Call
from .._routing.route import Route
from .._schema.annotations import model_kind
from .._schema.models import model_of
from .._schema.types import Type
from .._serialization.deserialize import converter
from .._serialization.serialize import RECORD_KINDS, compile_plain
from .._struct.struct import Struct

__all__ = ["WarmupCall", "compile_records", "rows_of_records", "warmup_call"]

_DEEPEST = 6
_NOT_THE_APPS = sys.stdlib_module_names | {"bolt"}
_VALUES: dict[str, Any] = {
    **{"str": "sample", "int": 1, "float": 1.5, "bool": True, "none": None, "any": "sample"},
    **{"bytes": b"sample", "enum": 0, "datetime": (2000, 1, 1, 0, 0, 0, 0, 0)},
    **{"date": (2000, 1, 1), "uuid": 1, "decimal": "1.5"},
}


# The declared type of a column, and a value as a database has it.
_IN_A_COLUMN: dict[str, tuple[str, Any]] = {
    **{"str": ("text", "sample"), "int": ("integer", 1), "float": ("real", 1.5)},
    **{"bool": ("boolean", 1), "bytes": ("blob", b"sample"), "none": ("text", None)},
    **{"any": ("text", "sample"), "decimal": ("decimal", "1.5"), "date": ("date", "2000-01-01")},
    **{"datetime": ("timestamptz", "2000-01-01 00:00:00+00:00"), "uuid": ("uuid", "0" * 32)},
    **{"list": ("json", "[]"), "dict": ("json", "{}")},
}
# Classes of an app of which rows are made: a rehearsal takes some milliseconds for each.
_MOST_RECORDS = 20


class _NoSample(Exception):
    """A sample would require code of the app to run."""


def _sample(kind: Type, depth: int = 0) -> Any:
    """A wire value of the type. Raises _NoSample."""
    tag = kind.kind
    if depth > _DEEPEST:
        raise _NoSample
    if tag in _VALUES:
        return _VALUES[tag]
    if tag == "literal":
        return kind.data[0]
    if tag in ("list", "set", "frozenset", "vartuple"):
        # The list is empty at depth, so that a recursive record ends.
        items = [] if depth > 2 else [_sample(kind.args[0], depth + 1)]
        return tuple(items) if kind.plain and tag == "vartuple" else items
    if tag == "dict":
        key, value = (_sample(arg, depth + 1) for arg in kind.args)
        return {key: value}
    if tag == "tuple":
        return tuple(_sample(arg, depth + 1) for arg in kind.args)
    if tag == "union":
        # The first arm, which is rarely None.
        value = _sample(kind.args[0], depth + 1)
        return value if kind.plain else (0, value)
    if tag == "ref":
        return _record(kind.data, depth)
    if tag == "adapted" and depth == 0:
        # What converts it is replaced.
        return None
    raise _NoSample


def _record(cls: Any, depth: int) -> Any:
    model = model_of(cls)
    if model.kind != "struct" or model.refuses:
        raise _NoSample
    return tuple(_sample(item.type, depth + 1) for item in model.fields)


class WarmupCall:
    """A context in which a route can be called without its app: stubs replace the app's functions.

    wire: the sample arguments, as the host would send them.
    """

    def __init__(self, invoke: Any, wire: tuple[Any, ...], stubs: dict[str, Any]) -> None:
        self.wire = wire
        self._namespace: dict[str, Any] = invoke.__globals__
        self._stubs = stubs
        self._real = {name: self._namespace[name] for name in stubs}

    def __enter__(self) -> None:
        self._namespace.update(self._stubs)

    def __exit__(self, *exc: object) -> None:
        self._namespace.update(self._real)


def warmup_call(route: Route) -> WarmupCall | None:
    """The warmup call of a route; None when it would run code of the app."""
    plan = route.plan
    # Without what turns rejected values into a 422, which a stub has none of.
    invoke: Any = inspect.unwrap(route.invoke)
    namespace = getattr(invoke, "__globals__", {})
    if plan.middleware or plan.on_error or plan.lifespans or plan.asks_for_request:
        return None
    if route.streams or any(param.source == "stream" for param in route.params):
        return None
    try:
        wire = tuple(_sample(param.type) for param in route.params)
        result = None
        if route.result is not None and route.result.kind != "adapted":
            wired = _sample(route.result)
            convert = converter(route.result)
            result = wired if convert is None else convert(wired)
        stubs: dict[str, Any] = {}
        for call in plan.root.walk():
            stub = _stub(call, result if call is plan.root else None)
            names = [name for name, value in namespace.items() if value is call.function]
            if not names:
                raise _NoSample
            stubs.update(dict.fromkeys(names, stub))
        for name, value in namespace.items():
            if getattr(value, "runs_models", False):
                stubs[name] = _no_model
    except Exception:
        return None
    return WarmupCall(invoke, wire, stubs)


def _no_model(value: object) -> None:
    """In place of what checks or encodes a model of pydantic or msgspec: it may run its code."""


def _stub(call: Call, result: Any) -> Callable[..., Any]:
    if call.view is not None or call.kind not in ("def", "async"):
        raise _NoSample

    def answer(*args: object, **named: object) -> Any:
        return result

    async def answer_later(*args: object, **named: object) -> Any:
        return result

    return answer_later if call.kind == "async" else answer


def rows_of_records() -> list[tuple[type[Struct], list[tuple[str, str]], tuple[Any, ...]]]:
    """The app's Structs that can be made without running its code: class, columns, and a row."""
    found = []
    for cls in _records():
        if not issubclass(cls, Struct) or cls.__struct_custom_init__ or cls.__struct_validators__:
            continue
        try:
            cells = {item.name: _cell(item.type) for item in model_of(cls).fields}
        except Exception:
            continue
        columns = [(name, declared) for name, (declared, _) in cells.items()]
        found.append((cls, columns, tuple(value for _, value in cells.values())))
    return found[:_MOST_RECORDS]


def _cell(kind: Type) -> tuple[str, Any]:
    return _cell(kind.args[0]) if kind.kind == "union" else _IN_A_COLUMN[kind.kind]


def _records() -> Iterator[Any]:
    """The classes of the app that are records."""
    for cls in gc.get_objects():
        if not isinstance(cls, type) or model_kind(cls) not in RECORD_KINDS:
            continue
        if cls.__module__.partition(".")[0] not in _NOT_THE_APPS:
            yield cls


def compile_records() -> None:
    """Compile the serializers of the app's records, so that no request has to."""
    for cls in _records():
        try:
            compiled = compile_plain(cls)
        except Exception:
            # An annotation cannot be resolved; the handler that sends the record gets the error.
            continue
        if issubclass(cls, Struct):
            cls._to_plain = compiled
