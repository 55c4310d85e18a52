"""The OpenAPI 3.1 description of an application, which the build creates."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any

from .._app.application import BoltAPI
from .._routing.route import Route
from .._schema.annotations import type_of
from ..responses import (
    HTML,
    JSON,
    EventSourceResponse,
    PlainText,
    Redirect,
    Response,
    StreamingResponse,
)
from ..security import SecurityScheme
from .adapted_schemas import AdaptedSchemas
from .json_schema import Schemas
from .refusals import refusal
from .request_parts import described_body, described_parameters

__all__ = ["openapi"]

_BODILESS = frozenset({204, 205, 304})


def openapi(api: BoltAPI) -> dict[str, Any]:
    """The OpenAPI document. Raises Unsupported for a model without a wire form."""
    adapted = AdaptedSchemas()
    document = _document(api, Schemas(adapted))
    return _document(api, Schemas(adapted)) if adapted.make() else document


def _document(api: BoltAPI, schemas: Schemas) -> dict[str, Any]:
    about: Mapping[str, Any] = api.description
    paths: dict[str, dict[str, Any]] = {}
    schemes: dict[str, Any] = {}
    used: set[str] = set()
    for route in api.routes:
        if route.is_socket or route.declared.options.get("include_in_schema") is False:
            continue
        operation = _operation(route, schemas, schemes, used)
        paths.setdefault(_path(route.path), {})[route.method.lower()] = operation
    components: dict[str, Any] = {}
    named = schemas.components()
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
    parameters = described_parameters(route, schemas)
    if parameters:
        out["parameters"] = parameters
    body = described_body(route, schemas)
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


def _security(route: Route, schemes: dict[str, Any]) -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = []
    for call in route.plan.root.walk():
        scheme = call.function
        while isinstance(scheme, functools.partial):
            scheme = scheme.func
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
        if route.yields and (cls is JSON or issubclass(cls, EventSourceResponse)):
            main["content"] = _items(route, schemas, cls)
        elif cls is StreamingResponse:
            # Nothing is known about it.
            pass
        elif issubclass(cls, JSON) or cls is Response:
            schema = {} if route.result is None else schemas.of(route.result, "", out=True)
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
        out.setdefault("422", refusal(schemas))
    return out


# The fields of an event.
_EVENT = {
    "data": {"type": "string"},
    "event": {"type": "string"},
    "id": {"type": "string"},
    "retry": {"type": "integer", "minimum": 0},
}


def _items(route: Route, schemas: Schemas, cls: type[Response]) -> dict[str, Any]:
    """The content of a response that is a sequence of items."""
    schema: dict[str, Any] = {}
    if route.item is not None:
        schema = schemas.of(route.item, "", out=True)
        if "$ref" not in schema:
            schema.setdefault("title", f"Streamitem {route.name.replace('_', ' ').title()}")
    if not issubclass(cls, EventSourceResponse):
        return {"application/jsonl": {"itemSchema": schema}}
    event: dict[str, Any] = {"type": "object", "properties": dict(_EVENT)}
    if route.item is not None:
        data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
        event["properties"]["data"] = data
        event["required"] = ["data"]
    return {"text/event-stream": {"itemSchema": event}}


def _described(code: int | str, more: Mapping[str, Any], schemas: Schemas) -> dict[str, Any]:
    entry = {key: value for key, value in more.items() if key != "model"}
    if more.get("model") is not None:
        content = dict(entry.get("content") or {})
        body = dict(content.get("application/json") or {})
        body.setdefault("schema", schemas.of(type_of(more["model"]), "", out=True))
        content["application/json"] = body
        entry["content"] = content
    entry.setdefault("description", _phrase(code))
    return entry


def _phrase(code: int | str) -> str:
    try:
        return HTTPStatus(int(code)).phrase
    except ValueError:
        return "Response"
