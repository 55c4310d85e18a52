"""What an operation takes: its parameters and its body, of the handler and all dependencies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .._dependencies.call_tree import Call
from .._dependencies.params import Param, field_name, spread_model
from .._routing.route import Route
from .._schema.param_functions import Marker
from .._schema.types import Type
from .json_schema import Schemas

__all__ = ["described_body", "described_parameters"]

_BINARY = {"type": "string", "format": "binary"}
_FROM_PARTS = ("path", "query", "header", "cookie")


@dataclass(frozen=True, slots=True, eq=False)
class _Value:
    """A named value of a request: a parameter, or a field of a record that is spread over several.

    label: the name in Python, for the title.
    """

    source: str
    name: str
    label: str
    type: Type
    required: bool
    default: Any
    marker: Marker | None

    def schema(self, schemas: Schemas) -> dict[str, Any]:
        schema = schemas.of(self.type, self.label)
        schemas.describe(schema, self.marker, None if self.required else self.default)
        return schema


def described_parameters(route: Route, schemas: Schemas) -> list[dict[str, Any]]:
    """The parameter objects: those of the path, the query, the headers and the cookies."""
    values = _merged(_values(_shown(route, *_FROM_PARTS)))
    values.sort(key=lambda value: _FROM_PARTS.index(value.source))
    out = []
    for value in values:
        one: dict[str, Any] = {
            "name": value.name,
            "in": value.source,
            "required": value.required,
            "schema": value.schema(schemas),
        }
        marker = value.marker
        if marker is not None:
            if marker.description:
                one["description"] = marker.description
            if marker.deprecated:
                one["deprecated"] = True
            one.update(_examples(marker))
        out.append(one)
    return out


def described_body(route: Route, schemas: Schemas) -> dict[str, Any] | None:
    """The request body object; None if the operation takes no body."""
    forms = _shown(route, "form", "file")
    bodies = _shown(route, "body")
    if forms:
        files = any(param.source == "file" for param in forms)
        media = "multipart/form-data" if files else "application/x-www-form-urlencoded"
        if len(forms) == 1 and forms[0].spread:
            schema = schemas.of(forms[0].type, forms[0].name)
        else:
            schema = _keys(route, forms, schemas)
        required = any(param.required or param.spread for param in forms)
        return {"content": {media: {"schema": schema}}, "required": required}
    for param in _shown(route, "stream"):
        # The default of `Body()` is no statement about bytes.
        told = param.marker.media_type
        media = "application/octet-stream" if told in (None, "application/json") else told
        return {"content": {media: {"schema": dict(_BINARY)}}, "required": True}
    if not bodies:
        return None
    first = bodies[0]
    media = first.marker.media_type or "application/json"
    if len(bodies) == 1 and not first.marker.embed:
        schema = schemas.of(first.type, first.name)
        content: dict[str, Any] = {"schema": schema}
        if "$ref" not in schema or first.type.kind == "adapted":
            schemas.describe(schema, first.marker, None if first.required else first.default)
        content.update(_examples(first.marker))
        out: dict[str, Any] = {"content": {media: content}}
        if first.required:
            out["required"] = True
        return out
    schema = _keys(route, bodies, schemas)
    return {"content": {media: {"schema": schema}}, "required": any(b.required for b in bodies)}


def _keys(route: Route, params: list[Param], schemas: Schemas) -> dict[str, Any]:
    values = _merged(_values(params))
    properties = {value.name: value.schema(schemas) for value in values}
    out: dict[str, Any] = {"type": "object", "properties": properties}
    required = [value.name for value in values if value.required]
    if required:
        out["required"] = required
    path = "".join(c if c.isalnum() else "_" for c in route.path)
    return schemas.add(f"Body_{route.name}{path}_{route.method.lower()}", out)


def _shown(route: Route, *sources: str) -> list[Param]:
    """The documented parameters of some sources: those of the handler first, as in FastAPI."""
    return [
        param
        for param in _in_order(route.plan.root, set())
        if param.source in sources and param.marker.include_in_schema
    ]


def _in_order(call: Call, seen: set[int]) -> Iterator[Param]:
    if id(call) in seen:
        return
    seen.add(id(call))
    given = [item.given for item in call.arguments]
    yield from (one for one in given if isinstance(one, Param))
    for below in (*call.before, *(one for one in given if isinstance(one, Call))):
        yield from _in_order(below, seen)


def _values(params: Iterable[Param]) -> Iterator[_Value]:
    for param in params:
        if not param.spread:
            default, marker = param.default, param.marker
            yield _Value(
                param.source, param.alias, param.name, param.type, param.required, default, marker
            )
            continue
        for item in spread_model(param).fields:
            if item.marker is not None and not item.marker.include_in_schema:
                continue
            name = field_name(param, item)
            label, marker = item.alias or item.name, item.marker
            yield _Value(param.source, name, label, item.type, item.required, item.default, marker)


def _merged(values: Iterable[_Value]) -> list[_Value]:
    """Each value once. A request needs it if any declaration requires it: that one counts then.

    Otherwise the last one does.
    """
    found: dict[tuple[str, str], _Value] = {}
    for value in values:
        key = (value.source, value.name)
        known = found.get(key)
        if known is None or value.required or not known.required:
            found[key] = value
    return list(found.values())


def _examples(marker: Marker) -> dict[str, Any]:
    if marker.openapi_examples:
        return {"examples": dict(marker.openapi_examples)}
    return {} if marker.example is None else {"example": marker.example}
