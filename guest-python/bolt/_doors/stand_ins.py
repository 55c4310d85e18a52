"""Small apps of the frameworks, whose handlers may be called before the snapshot.

The handlers of the real app may have side effects, and what a framework does around them, imports
at its first request, and writes into caches, is the same for all of its apps.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["StandIn", "stand_ins"]


@dataclass(frozen=True, slots=True)
class StandIn:
    """An app, and a request to it: its method, path, and body of JSON."""

    app: Any
    method: str
    path: str
    body: bytes = b""


def stand_ins(app: Any) -> Iterator[StandIn]:
    """Requests to an app in place of the real one, if its framework is known."""
    names = {f"{cls.__module__}.{cls.__qualname__}" for cls in type(app).__mro__}
    for name, made in _FRAMEWORKS.items():
        if name in names:
            yield from made()
            return


def _here() -> dict[str, int]:
    return {"n": 1}


async def _later() -> dict[str, int]:
    return {"n": 1}


def _fastapi() -> Iterator[StandIn]:
    app = sys.modules["fastapi"].FastAPI(openapi_url=None)
    model = type("Item", (sys.modules["pydantic"].BaseModel,), {"__annotations__": {"n": int}})

    async def check(item: Any, n: int = 1) -> Any:
        return item

    check.__annotations__["item"] = check.__annotations__["return"] = model
    app.get("/here")(_here)
    app.get("/later")(_later)
    app.post("/checked")(check)
    yield StandIn(app, "GET", "/here")
    yield StandIn(app, "GET", "/later")
    yield StandIn(app, "POST", "/checked", b'{"n": 1}')


def _starlette() -> Iterator[StandIn]:
    response = sys.modules["starlette.responses"].JSONResponse

    def here(request: Any) -> Any:
        return response(_here())

    async def later(request: Any) -> Any:
        return response(await _later())

    route = sys.modules["starlette.routing"].Route
    routes = [route("/here", here), route("/later", later)]
    app = sys.modules["starlette.applications"].Starlette(routes=routes)
    yield StandIn(app, "GET", "/here")
    yield StandIn(app, "GET", "/later")


def _flask() -> Iterator[StandIn]:
    app = sys.modules["flask"].Flask("bolt")
    app.get("/here")(_here)
    yield StandIn(app, "GET", "/here")


# The first that an app is of. A FastAPI is a Starlette, too.
_FRAMEWORKS = {
    "fastapi.applications.FastAPI": _fastapi,
    "starlette.applications.Starlette": _starlette,
    "flask.app.Flask": _flask,
}
