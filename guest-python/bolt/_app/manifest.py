"""The manifest: everything that the host has to know about an application, as JSON data."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, get_args, get_origin, get_type_hints

from .._crud.native import query_of
from .._dependencies.params import Param, field_name, spread_model
from .._openapi.document import openapi
from .._openapi.mounted_pages import add_mounted_pages
from .._routing.route import Route
from .._schema.annotations import model_kind
from .._schema.models import Field, Model, walk_models
from .._schema.types import is_host_default, type_json
from .._serialization.serialize import compile_plain
from .._struct.struct import Struct
from .._version import __version__
from .application import BoltAPI
from .host_errors import host_error_handlers

__all__ = ["ABI", "manifest"]

ABI = 4
"""The version of the interface between host and guest."""


class _Ids:
    """Names for the classes in `defs`: module and qualified name, numbered when those clash."""

    def __init__(self) -> None:
        self._ids: dict[type, str] = {}
        self._used: set[str] = set()

    def __call__(self, cls: type) -> str:
        name = self._ids.get(cls)
        if name is None:
            base = name = f"{cls.__module__}.{cls.__qualname__}"
            count = 1
            # Two classes that the same function creates have the same name.
            while name in self._used:
                count += 1
                name = f"{base}#{count}"
            self._ids[cls] = name
            self._used.add(name)
        return name


def manifest(api: BoltAPI, app_ref: str) -> dict[str, Any]:
    """Describe `api`, and compile what requests will need, before the snapshot is taken.

    app_ref: the location of the application object, as "module:attribute".

    Raises BuildError for a record whose fields cannot be resolved.
    """
    api.finish()
    add_mounted_pages(api)
    # The pages are routes as well.
    api.finish()
    ids = _Ids()
    models: dict[type, Model] = {}
    for route in api.routes:
        for param in route.params:
            walk_models(param.type, models)
    _compile_results(api, models)
    defs = {ids(cls): _model(model, ids) for cls, model in models.items()}
    # The manifest's routes may add to `defs`.
    routes = [_route(route, ids, defs) for route in api.routes]
    return {
        "abi": ABI,
        "sdk": __version__,
        "interpreter": ".".join(str(part) for part in sys.version_info[:3]),
        "marshal": 4,
        "app": app_ref,
        "title": api.title,
        "lifespan": any(route.plan.lifespans for route in api.routes),
        "redirect_slashes": api.redirect_slashes,
        "takes_prefix": True,
        "reads_streams": True,
        "docs": _docs(api),
        "defs": defs,
        "routes": routes,
        # Their numbers follow those of the routes, in this order.
        "refusals": [
            {"status": handler.status_code, "async": handler.is_async}
            for handler in host_error_handlers(api)
        ],
        # And theirs follow those of the refusals.
        "sleepers": [
            {"route": route.id, "event": sleeper.event, "async": sleeper.is_async}
            for route in api.routes
            for sleeper in route.sleepers
        ],
    }


def _docs(api: BoltAPI) -> dict[str, Any] | None:
    """The paths of the OpenAPI description and its pages, and its text."""
    about = api.description
    url = about.get("openapi_url", "/openapi.json")
    if url is None:
        return None
    return {
        "openapi_url": url,
        "docs_url": about.get("docs_url", "/docs"),
        "redoc_url": about.get("redoc_url", "/redoc"),
        "openapi": json.dumps(openapi(api), separators=(",", ":"), ensure_ascii=False),
    }


def _compile_results(api: BoltAPI, models: Iterable[type]) -> None:
    """Compile the serializers of all known records, so that no request has to."""
    records = set(models)
    for route in api.routes:
        try:
            result = get_type_hints(route.handler).get("return")
        except Exception:
            # A return annotation need not be resolvable at run time.
            continue
        pending = [result]
        while pending:
            annotation = pending.pop()
            if isinstance(annotation, type) and get_origin(annotation) is None:
                records.add(annotation)
            pending.extend(get_args(annotation))
    known: list[type] = [Struct]
    while known:
        # Through `type`: mypy does not know the result type of the metaclass's method.
        children: list[type] = type.__subclasses__(known.pop())
        records.update(children)
        known.extend(children)
    for cls in records:
        if model_kind(cls) in ("struct", "dataclass", "attrs"):
            compile_plain(cls)


def _model(model: Model, ids: _Ids) -> dict[str, Any]:
    return {
        "kind": model.kind,
        "name": model.name,
        "forbid": model.forbid,
        "tag": model.tag,
        "fields": [_field(item, ids, model.lenient) for item in model.fields],
    }


def _field(item: Field, ids: _Ids, lenient: bool) -> dict[str, Any]:
    out = {
        "name": item.alias or item.name,
        "type": type_json(item.type, ids),
        "required": item.required and not lenient,
    }
    if item.host_fills and not lenient:
        out["default"] = item.default
    return out


def _route(route: Route, ids: _Ids, defs: dict[str, Any]) -> dict[str, Any]:
    out = {
        "id": route.id,
        "method": route.method,
        "path": route.path,
        "name": route.name,
        "file": route.file,
        "line": route.line,
        "async": route.is_async,
        "handler_is_async": route.plan.root.kind in ("async", "async generator"),
        "isolation": route.isolation,
        "max_concurrency": route.max_concurrency,
        "max_requests": route.max_requests,
        "status": route.status_code,
        "doc": route.doc,
        "params": [_param(param, ids, defs) for param in route.params],
    }
    query = query_of(route)
    if query is not None:
        # The host answers without an interpreter.
        out["query"] = query
    if route.is_socket:
        # Without a list, only pages of the host that they connect to.
        origins = route.declared.options.get("origins")
        out["origins"] = None if origins is None else list(origins)
    return out


def _param(param: Param, ids: _Ids, defs: dict[str, Any]) -> dict[str, Any]:
    out = {
        "name": param.name,
        "in": param.source,
        "alias": param.alias,
        "type": type_json(param.type, ids),
        "required": param.required,
    }
    if param.spread:
        out["spread"] = True
        _name_fields(out, param, defs)
    elif not param.required and is_host_default(param.type, param.default):
        out["default"] = param.default
    if param.marker.embed:
        out["embed"] = True
    for name in ("max_size", "max_files"):
        limit = getattr(param.marker, name)
        if limit is not None:
            out[name] = limit
    if param.marker.allowed_types is not None:
        out["allowed_types"] = [str(kind) for kind in param.marker.allowed_types]
    return out


def _name_fields(out: dict[str, Any], param: Param, defs: dict[str, Any]) -> None:
    """Give a record of headers a definition of its own, in which its fields have their names.

    The host finds them by these names, and tells them in errors.
    """
    model = spread_model(param)
    names = [field_name(param, item) for item in model.fields]
    plain = out["type"]["id"]
    known = defs[plain]
    if names == [one["name"] for one in known["fields"]]:
        return
    fields = [{**one, "name": name} for one, name in zip(known["fields"], names, strict=True)]
    out["type"] = {**out["type"], "id": f"{plain}#headers"}
    defs[f"{plain}#headers"] = {**known, "fields": fields}
