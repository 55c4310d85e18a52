"""What `on_message` takes: a message as it came, or JSON that is checked and converted."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any, NoReturn

from .._dependencies.param_types import declared_type
from .._dependencies.params import Declared, Param
from .._errors import ResultMismatch, Unsupported, ValidatorError
from .._schema.types import MISSING, Type
from .._serialization.deserialize import converter
from .._serialization.result_checks import check_of
from .._struct.validation_errors import explain
from ..exceptions import WebSocketException
from .json_wire import WireCompiler

__all__ = ["compile_message", "message_type"]

_RAW = ("str", "bytes")
# Codes of RFC 6455: data that is not of its type, data that breaks a rule, data of a wrong type.
_NO_JSON = 1007
_UNFIT = 1008
_WRONG_KIND = 1003


def message_type(item: Declared) -> Type | None:
    """The type of the parameter that takes the message; None for any message as it came.

    Raises Unsupported for a type that a message cannot have.
    """
    if item.annotation is inspect.Parameter.empty:
        return None
    kind = declared_type(item.annotation, list(item.metadata))
    arms = kind.args if kind.kind == "union" else (kind,)
    raw = [arm for arm in arms if arm.kind in _RAW]
    if raw and len(raw) < len(arms):
        raise Unsupported(
            "str and bytes are a message as it came, and every other type is read from JSON: "
            "a message cannot be both"
        )
    return kind


def compile_message(kind: Type | None) -> Callable[[str | bytes], Any]:
    """The function from a message to what the handler takes. It raises WebSocketException.

    Raises Unsupported or NameError for a record that cannot be resolved.
    """
    if kind is None:
        return lambda data: data
    arms = kind.args if kind.kind == "union" else (kind,)
    if arms[0].kind in _RAW:
        return _raw(arms)
    return _parsed(kind)


def _raw(arms: tuple[Type, ...]) -> Callable[[str | bytes], Any]:
    """The function for messages of these types as they came."""
    checks = {arm.kind: check_of(arm) for arm in arms}

    def convert(data: str | bytes) -> Any:
        kind = "str" if isinstance(data, str) else "bytes"
        if kind not in checks:
            wanted = "binary" if kind == "str" else "text"
            raise WebSocketException(_WRONG_KIND, f"a {wanted} message was expected")
        check = checks[kind]
        failed = None if check is None else check(data)
        if failed is not None:
            raise WebSocketException(_UNFIT, f"message is not {failed}")
        return data

    return convert


def _parsed(kind: Type) -> Callable[[str | bytes], Any]:
    """The function for messages that are JSON, of either kind."""
    to_wire = WireCompiler().of(kind)
    from_wire = converter(kind)
    param = Param("message", "body", "message", kind, True, MISSING)

    def convert(data: str | bytes) -> Any:
        try:
            value = json.loads(data, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise WebSocketException(_NO_JSON, "message is not JSON") from None
        try:
            wire = to_wire(value, "message")
        except ResultMismatch as exc:
            raise WebSocketException(_UNFIT, str(exc)) from None
        except RecursionError:
            raise WebSocketException(_UNFIT, "message is nested too deep") from None
        if from_wire is None:
            return wire
        try:
            return from_wire(wire)
        except ValidatorError as exc:
            errors = explain((param,), (wire,))
            if not errors:
                raise exc.__cause__ or exc from None
            raise WebSocketException(_UNFIT, _told(errors[0])) from exc.__cause__

    return convert


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _told(error: dict[str, Any]) -> str:
    place = "".join(
        f".{step}" if isinstance(step, str) else f"[{step}]" for step in error["loc"][1:]
    )
    return f"message{place}: {error['msg']}"
