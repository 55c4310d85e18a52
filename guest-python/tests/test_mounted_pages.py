"""The descriptions of mounted applications, and the pages that show them."""

import json
import re
from typing import Any
from urllib.parse import urljoin

import pytest
from test_mounts import add_routes, shop, wire

from bolt import BoltAPI, JSONResponse, Request
from bolt._app.manifest import manifest


def page(api: BoltAPI, path: str) -> tuple[str, str]:
    (route,) = (one for one in api.routes if one.path == path)
    assert route.declared.options["include_in_schema"] is False
    result = route.invoke((wire(path),))
    return result.reply_type()[0], result.body.decode()


def test_a_mounted_application_serves_its_description() -> None:
    outer = BoltAPI("outer")
    inner = BoltAPI("inner", servers=[{"url": "https://a.example"}])
    deep = BoltAPI("deep", docs_url="/d/ocs", openapi_url="/o.json", redoc_url=None)
    silent = BoltAPI("silent", openapi_url=None)
    for api in (inner, deep, silent):
        add_routes(api)
    inner.mount("/deep", deep)
    outer.mount("/sub", inner)
    outer.mount("/silent", silent)

    @inner.get("/redoc")
    def mine(request: Request) -> Any:
        return JSONResponse("mine")

    told = manifest(outer, "a:b")
    assert manifest(outer, "a:b") == told
    pages = {route["path"] for route in told["routes"]} - {route.path for route in shop([]).routes}
    assert {path for path in pages if not path.startswith("/silent")} == {
        *("/sub/openapi.json", "/sub/docs", "/sub/redoc"),
        *("/sub/deep/o.json", "/sub/deep/d/ocs"),
    }
    assert not any("docs" in path or "json" in path for path in pages if "silent" in path)
    kind, text = page(outer, "/sub/openapi.json")
    document = json.loads(text)
    assert kind == "application/json"
    assert document["servers"] == [{"url": "/sub"}, {"url": "https://a.example"}]
    assert document["info"]["title"] == "inner"
    paths = ["/state", "/tea", "/only", "/http", "/item"]
    assert list(document["paths"]) == [*paths, "/redoc"]
    deeper = json.loads(page(outer, "/sub/deep/o.json")[1])
    assert (deeper["servers"], list(deeper["paths"])) == ([{"url": "/sub/deep"}], paths)
    assert json.loads(told["docs"]["openapi"])["paths"] == {}


@pytest.mark.parametrize(
    ("path", "description", "root", "scripts"),
    [
        ("/sub/docs", "/sub/openapi.json", "/sub/", "/docs/"),
        ("/sub/redoc", "/sub/openapi.json", "/sub/", None),
        ("/sub/a/deep/d/ocs", "/sub/a/deep/o.json", "/sub/a/deep/", "/docs/"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/shop"])
def test_the_links_of_a_page_are_right_below_any_path(
    prefix: str, path: str, description: str, root: str, scripts: str | None
) -> None:
    outer, inner = BoltAPI("outer"), BoltAPI("inner")
    inner.mount("/a/deep", BoltAPI("deep", docs_url="/d/ocs", openapi_url="/o.json"))
    outer.mount("/sub", inner)
    manifest(outer, "a:b")
    kind, text = page(outer, path)
    assert kind == "text/html; charset=utf-8" and "{{" not in text
    links = dict(re.findall(r'data-(\w+)="([^"]*)"', text))
    here = prefix + path
    assert urljoin(here, links["openapi"]) == prefix + description
    assert urljoin(here, links["root"]) == prefix + root
    loaded = re.findall(r'(?:src|href)="([^"]*)"', text)
    wanted = [] if scripts is None else ["swagger-ui.css", "swagger-ui-bundle.js"]
    assert [urljoin(here, link) for link in loaded] == [
        prefix + str(scripts) + name for name in wanted
    ]


def test_without_pages_of_the_outermost_application_there_are_no_scripts() -> None:
    for options in ({"docs_url": None}, {"openapi_url": None}):
        outer = BoltAPI("outer", **options)  # type: ignore[arg-type]
        outer.mount("/sub", BoltAPI("inner"))
        manifest(outer, "a:b")
        assert "src=" not in page(outer, "/sub/docs")[1]


def test_a_mount_with_a_parameter_has_pages() -> None:
    outer = BoltAPI("outer")
    outer.mount("/tenants/{tenant}", BoltAPI("inner"))
    manifest(outer, "a:b")
    (route,) = (one for one in outer.routes if one.path.endswith("/openapi.json"))
    found = json.loads(route.invoke((wire("/tenants/a%20b/openapi.json"),)).body)
    assert found["servers"] == [{"url": "/tenants/a b"}]
