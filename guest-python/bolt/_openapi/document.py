"""The OpenAPI 3.1 description of an application, which the build creates."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any

from .._app.application import BoltAPI
from .._dependencies.params import Param
from .._routing.route import Route
from .._schema.annotations import type_of
from .._schema.models import model_of
from ..responses import (
    HTML,
    JSON,
    PlainText,
    Redirect,
    Response,
)
from ..security import SecurityScheme
from .json_schema import Schemas

__all__ = ["openapi"]

_ERRORS = {
    "HTTPValidationError": {
        "title": "HTTPValidationError",
        "type": "object",
        "properties": {
            "detail": {
                "title": "Detail",
                "type": "array",
                "items": {"$ref": "#/components/schemas/ValidationError"},
            }
        },
    },
    "ValidationError": {
        "title": "ValidationError",
        "type": "object",
        "required": ["loc", "msg", "type"],
        "properties": {
            "loc": {
                "title": "Location",
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            },
            "msg": {"title": "Message", "type": "string"},
            "type": {"title": "Error Type", "type": "string"},
            "input": {"title": "Input"},
        },
    },
}
_BODILESS = frozenset({204, 205, 304})
_FROM_PARTS = ("path", "query", "header", "cookie")


def openapi(api: BoltAPI) -> dict[str, Any]:
    """The OpenAPI document. Raises Unsupported for a model without a wire form."""
    about: Mapping[str, Any] = api.description
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    schemes: dict[str, Any] = {}
    used: set[str] = set()
    for route in api.routes:
        if route.declared.options.get("include_in_schema") is False:
            continue
        operation = _operation(route, schemas, schemes, used)
        paths.setdefault(_path(route.path), {})[route.method.lower()] = operation
    components: dict[str, Any] = {}
    named = schemas.components()
    if any(
        "422" in operation["responses"] for path in paths.values() for operation in path.values()
    ):
        named.update(_ERRORS)
    if named:
        components["schemas"] = dict(sorted(named.items()))
    if schemes:
        components["securitySchemes"] = schemes
    info = {"title": api.title, "version": about.get("version", "0.1.0")}
    for key, name in (
        ("summary", "summary"),
        ("description", "description"),
        ("terms_of_service", "termsOfService"),
        ("contact", "contact"),
        ("license_info", "license"),
    ):
        if about.get(key):
            info[name] = about[key]
    out: dict[str, Any] = {"openapi": "3.1.0", "info": info}
    if about.get("servers"):
        out["servers"] = list(about["servers"])
    out["paths"] = paths
    if components:
        out["components"] = components
    if about.get("openapi_tags"):
        out["tags"] = list(about["openapi_tags"])
    return out


def _path(path: str) -> str:
    return path.replace(":path}", "}")


def _operation(
    route: Route, schemas: Schemas, schemes: dict[str, Any], used: set[str]
) -> dict[str, Any]:
    options = route.declared.options
    out: dict[str, Any] = {}
    if options.get("tags"):
        tags = (tag.value if isinstance(tag, Enum) else tag for tag in options["tags"])
        out["tags"] = list(dict.fromkeys(tags))
    out["summary"] = options.get("summary") or route.name.replace("_", " ").title()
    doc = options.get("description") or inspect.getdoc(route.handler)
    if doc:
        out["description"] = doc.partition("\f")[0].strip()
    out["operationId"] = _operation_id(route, used)
    if options.get("deprecated"):
        out["deprecated"] = True
    parameters = _parameters(route, schemas)
    if parameters:
        out["parameters"] = parameters
    body = _body(route, schemas)
    if body is not None:
        out["requestBody"] = body
    security = _security(route, schemes)
    if security:
        out["security"] = security
    out["responses"] = _responses(route, schemas, bool(parameters or body))
    return {**out, **(options.get("openapi_extra") or {})}


def _operation_id(route: Route, used: set[str]) -> str:
    given = route.declared.options.get("operation_id")
    if given:
        return str(given)
    path = "".join(c if c.isalnum() else "_" for c in route.path)
    name = base = f"{route.name}{path}_{route.method.lower()}"
    count = 1
    while name in used:
        count += 1
        name = f"{base}_{count}"
    used.add(name)
    return name


def _shown(route: Route, *sources: str) -> list[Param]:
    """The documented parameters of some sources, each name once."""
    found: dict[tuple[str, str], Param] = {}
    for param in route.params:
        if param.source in sources and param.marker.include_in_schema:
            found.setdefault((param.source, param.alias), param)
    return list(found.values())


def _parameters(route: Route, schemas: Schemas) -> list[dict[str, Any]]:
    out = []
    for param in _shown(route, *_FROM_PARTS):
        if param.spread:
            out.extend(_spread(param, schemas))
            continue
        schema = schemas.of(param.type, param.name)
        marker = param.marker
        schemas.describe(schema, marker, None if param.required else param.default)
        one: dict[str, Any] = {
            "name": param.alias,
            "in": param.source,
            "required": param.required,
            "schema": schema,
        }
        if marker.description:
            one["description"] = marker.description
        if marker.deprecated:
            one["deprecated"] = True
        if marker.openapi_examples:
            one["examples"] = dict(marker.openapi_examples)
        elif marker.example is not None:
            one["example"] = marker.example
        out.append(one)
    return out


def _spread(param: Param, schemas: Schemas) -> list[dict[str, Any]]:
    hyphens = param.source == "header" and param.marker.convert_underscores
    out = []
    for item in model_of(param.type.data).fields:
        name = item.alias or item.name
        schema = schemas.of(item.type, item.name)
        schemas.describe(schema, item.marker, None if item.required else item.default)
        out.append(
            {
                "name": name.replace("_", "-") if hyphens else name,
                "in": param.source,
                "required": item.required,
                "schema": schema,
            }
        )
    return out


def _body(route: Route, schemas: Schemas) -> dict[str, Any] | None:
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
    if not bodies:
        return None
    first = bodies[0]
    media = first.marker.media_type or "application/json"
    if len(bodies) == 1 and not first.marker.embed:
        schema = schemas.of(first.type, first.name)
        content: dict[str, Any] = {"schema": schema}
        marker = first.marker
        if "$ref" not in schema:
            schemas.describe(schema, marker, None if first.required else first.default)
        if marker.openapi_examples:
            content["examples"] = dict(marker.openapi_examples)
        elif marker.example is not None:
            content["example"] = marker.example
        out: dict[str, Any] = {"content": {media: content}}
        if first.required:
            out["required"] = True
        return out
    schema = _keys(route, bodies, schemas)
    return {"content": {media: {"schema": schema}}, "required": any(b.required for b in bodies)}


def _keys(route: Route, params: list[Param], schemas: Schemas) -> dict[str, Any]:
    properties = {}
    for param in params:
        schema = schemas.of(param.type, param.name)
        schemas.describe(schema, param.marker, None if param.required else param.default)
        properties[param.alias] = schema
    out: dict[str, Any] = {"type": "object", "properties": properties}
    required = [param.alias for param in params if param.required]
    if required:
        out["required"] = required
    path = "".join(c if c.isalnum() else "_" for c in route.path)
    return schemas.add(f"Body_{route.name}{path}_{route.method.lower()}", out)


def _security(route: Route, schemes: dict[str, Any]) -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = []
    for call in route.plan.root.walk():
        scheme = call.function
        if isinstance(scheme, SecurityScheme):
            schemes[scheme.scheme_name] = scheme.described()
            entry = {scheme.scheme_name: list(call.scopes)}
            if entry not in found:
                found.append(entry)
    return found


_MEDIA: dict[type, str] = {
    HTML: "text/html",
    PlainText: "text/plain",
}


def _responses(route: Route, schemas: Schemas, may_refuse: bool) -> dict[str, Any]:
    options = route.declared.options
    status = str(route.status_code)
    cls = options.get("response_class") or JSON
    main: dict[str, Any] = {
        "description": options.get("response_description") or "Successful Response"
    }
    if route.status_code not in _BODILESS and not issubclass(cls, Redirect):
        if issubclass(cls, JSON) or cls is Response:
            schema = {} if route.result is None else schemas.of(route.result, "", title=True)
            if not schema.get("$ref") and route.result is not None:
                schema.setdefault("title", f"Response {route.name.replace('_', ' ').title()}")
            media = cls.media_type or "application/json"
            main["content"] = {media.partition(";")[0]: {"schema": schema}}
        else:
            media = _MEDIA.get(cls, cls.media_type or "application/octet-stream")
            main["content"] = {media.partition(";")[0]: {"schema": {"type": "string"}}}
    out = {status: main}
    for code, more in (options.get("responses") or {}).items():
        out[str(code)] = {**out.get(str(code), {}), **_described(code, more, schemas)}
    if may_refuse:
        reference = {"$ref": "#/components/schemas/HTTPValidationError"}
        out.setdefault(
            "422",
            {
                "description": "Validation Error",
                "content": {"application/json": {"schema": reference}},
            },
        )
    return out


def _described(code: int | str, more: Mapping[str, Any], schemas: Schemas) -> dict[str, Any]:
    entry = {key: value for key, value in more.items() if key != "model"}
    if more.get("model") is not None:
        content = dict(entry.get("content") or {})
        body = dict(content.get("application/json") or {})
        body.setdefault("schema", schemas.of(type_of(more["model"]), "", title=True))
        content["application/json"] = body
        entry["content"] = content
    entry.setdefault("description", _phrase(code))
    return entry


def _phrase(code: int | str) -> str:
    try:
        return HTTPStatus(int(code)).phrase
    except ValueError:
        return "Response"
