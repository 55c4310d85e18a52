"""The descriptions of mounted applications and their pages, as routes of the outermost one.

The host serves those of the outermost application. These are routes of the SDK instead, so that the
middleware of the applications is around them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Any

from .._app.application import BoltAPI
from .._app.context import AppContext
from .._routing.router import Declaration
from ..requests import Request
from ..responses import HTML, Response
from .document import openapi

__all__ = ["add_mounted_pages"]

# The options of an application that choose the interpreters which serve a route.
_RULES = ("isolation", "max_concurrency", "max_requests")


def add_mounted_pages(api: BoltAPI) -> None:
    """Add the routes of all mounted applications, once they have all of theirs.

    A route of an application itself takes precedence. Raises as `openapi` does.
    """
    scripts = api.description.get("docs_url", "/docs")
    if api.description.get("openapi_url", "/openapi.json") is None:
        scripts = None
    for path, inner in api.mounted:
        _add(api, path, inner, (api.context,), scripts)


def _add(
    api: BoltAPI, prefix: str, inner: BoltAPI, outer: tuple[AppContext, ...], scripts: str | None
) -> None:
    contexts = (*outer, inner.context)
    about = inner.description
    url = about.get("openapi_url", "/openapi.json")
    if url is not None:
        served: dict[str, Callable[..., Any]] = {url: _description(inner, url)}
        docs, redoc = about.get("docs_url", "/docs"), about.get("redoc_url", "/redoc")
        if docs is not None:
            served[docs] = _page(prefix, docs, url, scripts)
        if redoc is not None:
            served.setdefault(redoc, _page(prefix, redoc, url, None))
        options = {
            name: inner.route_options[name] for name in _RULES if name in inner.route_options
        }
        options |= {"include_in_schema": False}
        for path, handler in served.items():
            if not api.serves("GET", prefix + path):
                declared = Declaration("GET", prefix + path, dict(options), handler, "bolt", 0)
                api.register(declared, contexts)
    for path, deeper in inner.mounted:
        _add(api, prefix + path, deeper, contexts, scripts)


def _description(api: BoltAPI, url: str) -> Callable[[Request], Response]:
    for route in api.routes:
        # A type may have been defined after the route.
        route.prepare()
    document = openapi(api)
    own = document.pop("servers", [])
    rest = json.dumps(document, separators=(",", ":"), ensure_ascii=False)[1:]

    def mounted_openapi(request: Request) -> Response:
        here = request.url.path.removesuffix(url)
        servers = own if any(one.get("url") == here for one in own) else [{"url": here}, *own]
        text = f'{{"servers":{json.dumps(servers, ensure_ascii=False)},{rest}'
        return Response(text, media_type="application/json")

    return mounted_openapi


def _page(prefix: str, path: str, url: str, scripts: str | None) -> Callable[..., HTML]:
    # All links are relative: the host may serve the whole application below another path.
    up = "../" * (path.count("/") - 1) or "./"
    text = _PAGE.replace("{{root}}", up).replace("{{openapi}}", escape(up + url.lstrip("/")))
    links = ""
    if scripts is not None:
        place = up + "../" * prefix.count("/") + scripts.lstrip("/")
        links = _SCRIPTS.replace("{{place}}", escape(place))
    text = text.replace("{{scripts}}", links)

    # It takes the request because the path of the application may have parameters.
    def mounted_page(request: Request) -> HTML:
        return HTML(text)

    return mounted_page


_SCRIPTS = """<link rel="stylesheet" href="{{place}}/swagger-ui.css">
<script src="{{place}}/swagger-ui-bundle.js"></script>"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
{{scripts}}
</head>
<body data-openapi="{{openapi}}" data-root="{{root}}">
<div id="page"></div>
<script>
const page = document.getElementById("page");
const { openapi, root } = document.body.dataset;
// Everything shown comes from the description, so it is only ever set as text.
const show = (tag, textContent) =>
  page.append(Object.assign(document.createElement(tag), { textContent }));

function list(api) {
  show("h1", api.info.title);
  show("p", `version ${api.info.version}`);
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const [method, one] of Object.entries(operations)) {
      show("h2", `${method.toUpperCase()} ${path}`);
      show("p", one.description ?? one.summary ?? "");
      const { parameters, requestBody, responses } = one;
      show("pre", JSON.stringify({ parameters, requestBody, responses }, null, 2));
    }
  }
  show("h2", "Schemas");
  show("pre", JSON.stringify(api.components?.schemas ?? {}, null, 2));
}

fetch(openapi).then((reply) => reply.json()).then((api) => {
  document.title = api.info.title;
  // Where the browser finds the application, below whatever path it is served.
  const here = new URL(root, location.href).pathname.replace(/[/]$/, "");
  if (here.endsWith(api.servers[0].url)) api.servers[0].url = here;
  if (!window.SwaggerUIBundle) return list(api);
  SwaggerUIBundle({ spec: api, dom_id: "#page", deepLinking: true, layout: "BaseLayout" });
}).catch((problem) => show("p", `The description could not be read: ${problem}`));
</script>
</body>
</html>
"""
