"""A fake host for apps with models of pydantic and msgspec, beside FastAPI with the same handlers.

It hands over what the host hands over of types that it does not check: JSON as it is parsed, and
texts. Values of other types are those that a test sends.
"""

import asyncio
import inspect
import json
import marshal
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from bolt import BoltAPI
from bolt._app.manifest import manifest
from bolt._serialization.replies import encode_reply
from bolt.exceptions import HTTPException, RequestValidationError

Answer = tuple[int, Any]


class ModelHost:
    """An app, and its manifest as JSON."""

    def __init__(self, api: BoltAPI) -> None:
        self.api = api
        self.manifest = json.loads(json.dumps(manifest(api, "app:api")))

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = ...,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        form: str = "",
    ) -> Answer:
        """The status and the JSON of the answer. A body of Ellipsis is none."""
        route = next(
            one for one in self.manifest["routes"] if (one["method"], one["path"]) == (method, path)
        )
        pairs = {
            "query": parse_qsl(query, keep_blank_values=True),
            "header": [(name.lower(), value) for name, value in (headers or {}).items()],
            "cookie": list((cookies or {}).items()),
            "form": [pair for pair in parse_qsl(form, keep_blank_values=True) if pair[1]],
        }
        bodies = [one for one in route["params"] if one["in"] == "body"]
        whole = len(bodies) == 1 and not bodies[0].get("embed")
        wire, errors = [], []
        for param in route["params"]:
            place = "body" if param["in"] in ("body", "form") else param["in"]
            loc, given = [place, param["alias"]], ...
            if param["in"] == "body" and whole:
                loc, given = ["body"], body
            elif param["in"] == "body":
                given = (body if isinstance(body, dict) else {}).get(param["alias"], ...)
            elif param.get("spread"):
                wire.append(self._spread(param, pairs[param["in"]], errors, place))
                continue
            else:
                given = _value(param["alias"], param["type"], pairs[param["in"]], param["in"])
            if given is ... and param["required"]:
                errors.append(
                    {"type": "missing", "loc": loc, "msg": "Field required", "input": None}
                )
            wire.append(param.get("default", ...) if given is ... else given)
        if errors:
            return 422, {"detail": errors}
        return self._call(route["id"], tuple(wire))

    def _spread(self, param: Any, pairs: Any, errors: list[Any], place: str) -> tuple[Any, ...]:
        fields = self.manifest["defs"][param["type"]["id"]]
        names = {item["name"].lower() for item in fields["fields"]}
        if fields["forbid"]:
            errors.extend(
                {
                    "type": "extra_forbidden",
                    "loc": [place, name],
                    "msg": "Extra inputs are not permitted",
                    "input": value,
                }
                for name, value in pairs
                if name.lower() not in names
            )
        return tuple(
            _value(item["name"], item["type"], pairs, param["in"]) for item in fields["fields"]
        )

    def _call(self, index: int, wire: tuple[Any, ...]) -> Answer:
        route = self.api.routes[index]
        try:
            result = route.invoke(wire)
            if inspect.isawaitable(result):
                result = asyncio.run(_awaited(result))
        except RequestValidationError as exc:
            return 422, {"detail": json.loads(json.dumps(exc.errors()))}
        except HTTPException as exc:
            return exc.status_code, {"detail": exc.detail}
        reply = marshal.loads(encode_reply(route.status_code, result).encode("latin-1"))
        if len(reply) == 4 and reply[1] is not None:
            assert reply[1] == "application/json"
            return reply[0], json.loads(reply[3])
        return reply[0], json.loads(json.dumps(reply[-1]))


async def _awaited(result: Any) -> Any:
    return await result


def _value(name: str, kind: Any, pairs: Any, source: str) -> Any:
    wanted = name.lower() if source == "header" else name
    given = [value for key, value in pairs if key == wanted]
    if not given:
        return ...
    if kind["t"] == "list":
        return given
    return int(given[-1]) if kind["t"] == "int" else given[-1]


class Reference:
    """FastAPI with the same handlers."""

    def __init__(self, app: Any) -> None:
        from fastapi.testclient import TestClient

        self.app = app
        self.client = TestClient(app, raise_server_exceptions=False)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = ...,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        form: str = "",
    ) -> Answer:
        """As `ModelHost.send`."""
        options: dict[str, Any] = {}
        sent = dict(headers or {})
        if body is not ...:
            options = {"content": json.dumps(body)}
            sent["content-type"] = "application/json"
        if form:
            options = {"content": form}
            sent["content-type"] = "application/x-www-form-urlencoded"
        if cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        target = f"{path}?{query}" if query else path
        answer = self.client.request(method, target, headers=sent, **options)
        return answer.status_code, answer.json() if answer.status_code != 500 else None
