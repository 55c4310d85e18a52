"""Values to go the way of a request with before there is one, without calling what the app wrote.

What an app wrote may have effects, and those would be in the snapshot. So functions of the app have
stand-ins here, and what runs its code otherwise (middleware, validators, constructors of its own)
has no samples.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

from .convert import converter
from .depends import Call
from .models import model_of
from .plain import RECORD_KINDS, compile_plain
from .route import Route
from .schema import model_kind
from .struct import Struct
from .types import Type

__all__ = ["Rehearsed", "prepare_records", "rehearsed"]

_DEEPEST = 6
_NOT_THE_APPS = sys.stdlib_module_names | {"bolt"}
_VALUES: dict[str, Any] = {
    **{"str": "sample", "int": 1, "float": 1.5, "bool": True, "none": None, "any": "sample"},
    **{"bytes": b"sample", "enum": 0, "datetime": (2000, 1, 1, 0, 0, 0, 0, 0)},
    **{"date": (2000, 1, 1), "uuid": 1, "decimal": "1.5"},
}


class _NoSample(Exception):
    """There is none without running code of the app."""


def _sample(kind: Type, depth: int = 0) -> Any:
    """A value as the host sends it. Raises _NoSample."""
    tag = kind.kind
    if depth > _DEEPEST:
        raise _NoSample
    if tag in _VALUES:
        return _VALUES[tag]
    if tag == "literal":
        return kind.data[0]
    if tag in ("list", "set", "frozenset", "vartuple"):
        # A record within itself has to end.
        items = [] if depth > 2 else [_sample(kind.args[0], depth + 1)]
        return tuple(items) if kind.plain and tag == "vartuple" else items
    if tag == "dict":
        key, value = (_sample(arg, depth + 1) for arg in kind.args)
        return {key: value}
    if tag == "tuple":
        return tuple(_sample(arg, depth + 1) for arg in kind.args)
    if tag == "union":
        # The first, which is hardly ever None.
        value = _sample(kind.args[0], depth + 1)
        return value if kind.plain else (0, value)
    if tag == "ref":
        return _record(kind.data, depth)
    raise _NoSample


def _record(cls: Any, depth: int) -> Any:
    model = model_of(cls)
    runs_code = getattr(cls, "__struct_validators__", ()) or getattr(
        cls, "__struct_custom_init__", False
    )
    if model.kind != "struct" or runs_code:
        raise _NoSample
    return tuple(_sample(item.type, depth + 1) for item in model.fields)


class Rehearsed:
    """A route whose way can be gone without its app.

    wire: what the host would send.
    """

    def __init__(self, invoke: Any, wire: tuple[Any, ...], stand_ins: dict[str, Any]) -> None:
        self.wire = wire
        self._namespace: dict[str, Any] = invoke.__globals__
        self._stand_ins = stand_ins
        self._real = {name: self._namespace[name] for name in stand_ins}

    def __enter__(self) -> None:
        self._namespace.update(self._stand_ins)

    def __exit__(self, *exc: object) -> None:
        self._namespace.update(self._real)


def rehearsed(route: Route) -> Rehearsed | None:
    """A route's rehearsal; None where it cannot be gone without code of the app."""
    plan = route.plan
    invoke: Any = route.invoke
    namespace = getattr(invoke, "__globals__", {})
    if plan.around or plan.on_error or plan.lifespan or plan.asks_for_request:
        return None
    try:
        wire = tuple(_sample(param.type) for param in route.params)
        result = None
        if route.result is not None:
            wired = _sample(route.result)
            convert = converter(route.result)
            result = wired if convert is None else convert(wired)
        stand_ins: dict[str, Any] = {}
        for call in plan.root.walk():
            stand_in = _stand_in(call, result if call is plan.root else None)
            names = [name for name, value in namespace.items() if value is call.function]
            if not names:
                raise _NoSample
            stand_ins.update(dict.fromkeys(names, stand_in))
    except Exception:
        return None
    return Rehearsed(invoke, wire, stand_ins)


def _stand_in(call: Call, result: Any) -> Callable[..., Any]:
    if call.view is not None or call.kind not in ("def", "async"):
        raise _NoSample

    def answer(*args: object, **named: object) -> Any:
        return result

    async def answer_later(*args: object, **named: object) -> Any:
        return result

    return answer_later if call.kind == "async" else answer


def prepare_records() -> None:
    """Compile what the records of the app would compile when one is first sent, where it can be."""
    for cls in gc.get_objects():
        if not isinstance(cls, type) or model_kind(cls) not in RECORD_KINDS:
            continue
        if cls.__module__.partition(".")[0] in _NOT_THE_APPS:
            continue
        try:
            compiled = compile_plain(cls)
        except Exception:
            # A type in it is not there, or has no plain form: so a handler will be told.
            continue
        if issubclass(cls, Struct):
            cls._to_plain = compiled  # type: ignore[assignment]
