"""`crud` in the manifest: from which routes the host answers alone; and in the description."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import pytest

from bolt import (
    BoltAPI,
    Depends,
    Field,
    RequestValidationError,
    Router,
    Struct,
    field_validator,
    model_validator,
    sql,
)
from bolt._app.manifest import manifest
from bolt._crud.bodies import ABSENT

ALL = ["create", "delete", "list", "read", "update"]


class Level(Enum):
    LOW = 1


class User(Struct, rename="camel"):
    id: int | None = None
    full_name: Annotated[str, Field(min_length=1)]
    age: int = 0
    at: datetime | None = None
    level: Literal["a", "b", None] = None


def queries(api: BoltAPI) -> dict[str, dict[str, Any]]:
    """The queries of an app with one resource, by operation."""
    found = (route.get("query") for route in manifest(api, "app:api")["routes"])
    return {query["operation"]: query for query in found if query is not None}


def alone(api: BoltAPI) -> list[str]:
    return sorted(queries(api))


def served(model: Any = User, **options: Any) -> BoltAPI:
    api = BoltAPI()
    api.crud(model, table="users", **options)
    return api


def test_queries() -> None:
    api = served(filters=("full_name", "age__ne"), database="other", path="/people")
    found = queries(api)
    shared = {
        "database": "other",
        "table": "users",
        "key": "id",
        "columns": [
            ["id", "id", "int"],
            ["full_name", "fullName", "str"],
            ["age", "age", "int"],
            ["at", "at", "datetime"],
            ["level", "level", "literal"],
        ],
    }
    fields = ["full_name", "age", "at", "level"]
    names = ["id", *fields]
    assert found == {
        "list": {
            **shared,
            "operation": "list",
            "arguments": {"order": 2, "limit": 3, "offset": 4},
            "filters": [[0, "full_name", "="], [1, "age", "<>"]],
            "orders": [order for name in names for order in (name, f"-{name}")],
        },
        "read": {**shared, "operation": "read", "arguments": {"key": 0}},
        "create": {**shared, "operation": "create", "arguments": {"body": 0}, "fields": fields},
        "update": {
            **shared,
            "operation": "update",
            "arguments": {"key": 0, "body": 1},
            "fields": fields,
        },
        "delete": {**shared, "operation": "delete", "arguments": {"key": 0}},
    }


def test_what_is_absent_has_no_default_that_the_host_sends() -> None:
    made = manifest(served(), "app:api")
    routes = {route["name"]: route for route in made["routes"]}
    params = {param["name"]: param for param in routes["list_users"]["params"]}
    assert params["full_name"] == {
        **{"name": "full_name", "in": "query", "alias": "full_name"},
        # Without the constraint: the filter of a name that nobody has is no error.
        **{"type": {"t": "str"}, "required": False},
    }
    assert params["level"]["type"] == {"t": "literal", "values": ["a", "b"]}
    assert [params[name].get("default") for name in ("order", "limit", "offset")] == ["id", 20, 0]
    body = routes["update_user"]["params"][1]
    assert (body["name"], body["in"], body["required"]) == ("item", "body", True)
    update, create = made["defs"][body["type"]["id"]], made["defs"]["test_crud_manifest.UserCreate"]
    assert [one["name"] for one in update["fields"]] == ["fullName", "age", "at", "level"]
    assert not any(one["required"] or "default" in one for one in update["fields"])
    assert update["fields"][0]["type"] == {"t": "str", "check": {"min_length": 1}}
    told = [(one["required"], one.get("default", ...)) for one in create["fields"]]
    # A None is left to the database.
    assert told == [(True, ...), (False, 0), (False, ...), (False, ...)]
    invoke = next(route for route in served().routes if route.method == "PATCH").invoke
    assert invoke((1, ("x", ..., (1, None), None))).close() is None
    assert repr(ABSENT) == "ABSENT"


def nothing() -> None: ...


async def through(request: Any, call_next: Any) -> Any:
    return await call_next(request)


async def lifespan(app: Any) -> Any:
    yield


def test_what_runs_around_a_route() -> None:
    depends = [Depends(nothing)]
    assert alone(served()) == ALL
    assert alone(served(dependencies=depends)) == []
    assert alone(served(dependencies=[], tags=["a"], isolation="fresh")) == ALL
    for options in ({"dependencies": depends}, {"lifespan": lifespan}):
        api = BoltAPI(**options)  # type: ignore[arg-type]
        api.crud(User, table="users")
        assert alone(api) == []
    api, router = BoltAPI(), Router(prefix="/a", dependencies=depends)
    router.crud(User, table="users")
    api.include_router(router)
    assert alone(api) == []
    api, router = BoltAPI(), Router(prefix="/a", tags=["b"])
    router.crud(User, table="users", only=["read"])
    api.include_router(router, prefix="/b")
    assert alone(api) == ["read"]
    api = served()
    api.middleware()(through)
    assert alone(api) == []
    outer = BoltAPI()
    outer.mount("/a", served())
    assert alone(outer) == ALL
    outer = BoltAPI()
    outer.mount("/a", served())
    outer.middleware()(through)
    assert alone(outer) == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (KeyError, ALL),
        (418, ALL),
        (404, []),
        (409, []),
        (422, []),
        (500, []),
        (503, []),
        (Exception, []),
        (RequestValidationError, []),
        (sql.Error, []),
        (sql.UniqueViolation, []),
        (sql.LockTimeout, []),
    ],
)
def test_exception_handlers(wanted: Any, expected: list[str]) -> None:
    api = served()
    api.add_exception_handler(wanted, lambda request, exc: None)
    assert alone(api) == expected


def test_methods_of_a_class() -> None:
    api = BoltAPI()

    @api.crud(User, table="users")
    class Users:
        def list(self) -> int:
            return 1

        def before_update(self, item: User) -> None: ...

        def help(self) -> None: ...

    assert alone(api) == ["create", "delete", "read"]
    paths = {(route.method, route.path) for route in api.routes}
    assert ("GET", "/users") in paths and ("PATCH", "/users/{id}") in paths


class Validated(Struct):
    id: int
    name: str

    @field_validator("name")
    def short(cls, value: str) -> str:
        return value


class Whole(Struct):
    id: int

    @model_validator()
    def right(self) -> "Whole":
        return self


class Built(Struct):
    id: int

    def __init__(self, id: int) -> None:
        self.id = id


class Tagged(Struct, tag="x"):
    id: int


class Wide(Struct):
    id: int
    words: list[str]


class Either(Struct):
    id: int
    value: int | str


class MadeKey(Struct):
    id: UUID = Field(default_factory=uuid4)


class MadeField(Struct):
    id: int
    tag: str = Field(default_factory=str)


class Kinds(Struct):
    id: str
    level: Level = Level.LOW
    price: Decimal = Decimal(1)


class Optional(Struct):
    id: str
    level: Level | None = None
    data: Any = None
    raw: bytes | None


@dataclass
class Plain:
    id: int
    name: str = "x"


@dataclass
class Computed:
    id: int

    def __post_init__(self) -> None: ...


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Validated, ["delete", "list", "read"]),
        (Whole, ["delete", "list", "read"]),
        (Built, ["delete", "list", "read"]),
        (Computed, ["delete", "list", "read"]),
        (Tagged, ["delete"]),
        (Wide, ["delete"]),
        (Either, ["delete"]),
        # The host knows plain defaults only.
        (MadeKey, ["delete", "list", "read", "update"]),
        (MadeField, ["delete", "list", "read", "update"]),
        (Kinds, ["delete", "list", "read", "update"]),
        (Optional, ALL),
        (Plain, ALL),
    ],
)
def test_models(model: type, expected: list[str]) -> None:
    api = served(model)
    assert alone(api) == expected
    assert all(kind for query in queries(api).values() for _, _, kind in query["columns"])


def test_what_has_no_order() -> None:
    found = queries(served(Optional))["list"]
    assert found["filters"] == [[0, "id", "="], [1, "level", "="], [2, "raw", "="]]
    assert "data" not in found["orders"]


def described(api: BoltAPI) -> Any:
    return json.loads(manifest(api, "app:api")["docs"]["openapi"])


def test_the_description() -> None:
    api = BoltAPI()
    api.crud(User, table="users", tags=["people"])
    api.crud(User, table="others", path="/more", only=["create"])
    made = described(api)
    users, one = made["paths"]["/users"], made["paths"]["/users/{id}"]
    operations = [users["get"], users["post"], one["get"], one["patch"], one["delete"]]
    assert [operation["summary"] for operation in operations] == [
        *("List Users", "Create User", "Read User", "Update User", "Delete User")
    ]
    assert [list(operation["responses"]) for operation in operations] == [
        ["200", "422"],
        ["201", "409", "422"],
        ["200", "404", "422"],
        ["200", "404", "409", "422"],
        ["204", "404", "409", "422"],
    ]
    assert all(operation["tags"] == ["people"] for operation in operations)
    ids = {operation["operationId"] for operation in operations}
    assert len(ids) == 5 and "read_user_users__id__get" in ids
    user = {"$ref": "#/components/schemas/User"}
    ok = [
        operation["responses"][code].get("content", {}).get("application/json", {}).get("schema")
        for operation, code in zip(operations, ("200", "201", "200", "200", "204"), strict=True)
    ]
    assert ok[0]["items"] == user and ok[4] is None
    assert [schema["$ref"] for schema in ok[1:4]] == [user["$ref"]] * 3
    limit = next(item for item in users["get"]["parameters"] if item["name"] == "limit")
    assert limit["schema"] == {
        **{"type": "integer", "minimum": 1, "maximum": 100, "default": 20, "title": "Limit"}
    }
    named = users["get"]["parameters"][1]
    assert named["name"] == "full_name" and "default" not in named["schema"]
    schemas = made["components"]["schemas"]
    assert schemas["UserCreate"]["required"] == ["fullName"]
    update = schemas["UserUpdate"]
    assert "required" not in update and "fullName" in update["properties"]
    assert not any("default" in field for field in update["properties"].values())
    problem = {"$ref": "#/components/schemas/Problem"}
    assert one["get"]["responses"]["404"] == {
        "description": "There is no such item",
        "content": {"application/json": {"schema": problem}},
    }
    assert "UserCreate2" not in schemas
