"""A fake host for the tests of `crud`: it routes, and checks values as far as these tests need."""

import importlib.util
import inspect
import json
import marshal
import math
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote
from uuid import UUID

from sqlfake import run

from bolt import BoltAPI, HTTPException, RequestValidationError
from bolt._routing.path_templates import path_pattern
from bolt._routing.route import Route
from bolt._schema.models import model_of
from bolt._schema.types import Type, is_host_default
from bolt._serialization.replies import encode_exception, encode_reply


def served_items() -> BoltAPI:
    """An app with the tables of the shared fixture, which are made."""
    file = Path(__file__).parents[2] / "tests" / "fixture" / "items.py"
    spec = importlib.util.spec_from_file_location("items", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its records are found in it.
    sys.modules["items"] = module
    spec.loader.exec_module(module)
    api = BoltAPI()
    api.include_router(module.items)
    assert send(api, "POST", "/crud/setup")[0] == 200
    return api


class Wrong(Exception):
    """A value that a request must not have, and where it is."""

    def __init__(self, *loc: Any) -> None:
        super().__init__(loc)
        self.loc = list(loc)


def send(api: BoltAPI, method: str, path: str, body: Any = ...) -> tuple[int, Any]:
    """The status and the JSON of the answer; None without JSON."""
    path, _, query = path.partition("?")
    # As the manifest does, before the first request.
    api.finish()
    route, names = _found(api, method, path)
    try:
        result = route.invoke(_wire(route, names, query, body))
        if inspect.isawaitable(result):
            result = run(_awaited(result))
        reply = encode_reply(route.status_code, result)
    except HTTPException as exc:
        reply = encode_exception(exc)
    except RequestValidationError as exc:
        reply = encode_reply(422, {"detail": exc.errors()})
    except Wrong as exc:
        reply = encode_reply(422, {"detail": [{"loc": exc.loc}]})
    status, *rest = marshal.loads(reply.encode("latin-1"))
    return status, None if status == 204 else json.loads(json.dumps(rest[-1]))


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _found(api: BoltAPI, method: str, path: str) -> tuple[Route, dict[str, str]]:
    for route in api.routes:
        if route.method == method and path_pattern(route.path).match(unquote(path)):
            parts = zip(route.path.split("/"), path.split("/"), strict=True)
            return route, {name[1:-1]: unquote(value) for name, value in parts if name[:1] == "{"}
    raise LookupError(f"{method} {path}")


def _wire(route: Route, names: dict[str, str], query: str, body: Any) -> tuple[Any, ...]:
    given = {name: values[-1] for name, values in parse_qs(query, True).items()}
    out = []
    for param in route.params:
        if param.source == "request":
            out.append((route.method, "http", route.path, query, [], None, names, b"", ""))
            continue
        if param.source == "body":
            if body is ...:
                raise Wrong("body")
            out.append(_value(param.type, body, "body"))
            continue
        known = names if param.source == "path" else given
        if param.alias in known:
            out.append(_value(param.type, known[param.alias], param.source, param.alias))
        elif param.required:
            raise Wrong(param.source, param.alias)
        else:
            is_sent = is_host_default(param.type, param.default)
            out.append(param.default if is_sent else ...)
    return tuple(out)


def _moment(value: str) -> tuple[Any, ...]:
    made = datetime.fromisoformat(value)
    offset = made.utcoffset()
    seconds = None if offset is None else int(offset.total_seconds())
    return (*made.timetuple()[:6], made.microsecond, seconds)


def _bool(value: Any) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]


def _float(value: Any) -> float:
    made = float(value)
    if not math.isfinite(made):
        raise ValueError
    return made


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_MADE: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "int": int,
    "float": _float,
    "bool": _bool,
    "bytes": lambda value: _text(value).encode(),
    "datetime": _moment,
    "date": lambda value: date.fromisoformat(value).timetuple()[:3],
    "uuid": lambda value: UUID(value).int,
    "decimal": lambda value: str(Decimal(str(value))),
}


def _value(kind: Type, value: Any, *loc: Any) -> Any:
    if kind.kind == "union":
        for place, arm in enumerate(kind.args):
            if (value is None) == (arm.kind == "none"):
                made = None if value is None else _value(arm, value, *loc)
                return made if kind.plain else (place, made)
        raise Wrong(*loc)
    if kind.kind == "ref":
        return _record(kind, value, loc)
    if kind.kind == "list":
        return [_value(kind.args[0], item, *loc, place) for place, item in enumerate(value)]
    try:
        if kind.kind == "enum":
            return [str(member.value) for member in kind.data].index(str(value))
        if kind.kind == "literal":
            return kind.data[kind.data.index(value)]
        made = _MADE[kind.kind](value)
    except (ValueError, KeyError, TypeError, InvalidOperation):
        raise Wrong(*loc) from None
    checks = dict(kind.checks)
    too_small = "ge" in checks and made < checks["ge"]
    too_large = "le" in checks and made > checks["le"]
    if too_small or too_large or len(str(made)) < checks.get("min_length", 0):
        raise Wrong(*loc)
    return made


def _record(kind: Type, value: Any, loc: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(value, dict):
        raise Wrong(*loc)
    model = model_of(kind.data)
    out = []
    for item in model.fields:
        name = item.alias or item.name
        if name in value:
            out.append(_value(item.type, value[name], *loc, name))
        elif item.required:
            raise Wrong(*loc, name)
        else:
            out.append(item.default if item.host_fills else ...)
    strange = value.keys() - {item.alias or item.name for item in model.fields}
    if model.forbid and strange:
        raise Wrong(*loc, min(strange))
    return tuple(out)
