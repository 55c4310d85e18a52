"""Hooks and methods of a class that `crud` decorates, over a fake host."""

from typing import Any

import pytest
from crudfake import send, served_items
from sqlfake import SqlHost, host

from bolt import BoltAPI, Depends, HTTPException, Request, Struct, sql

__all__ = ["host"]

db = sql.Database("main")


@pytest.fixture
def items(host: SqlHost) -> BoltAPI:
    return served_items()


def test_hooks(items: BoltAPI, host: SqlHost) -> None:
    people, notes = "/crud/python/hooked", "/crud/python/notes"
    status, made = send(items, "POST", f"{people}?shout=true", {"firstName": "ann", "age": 5})
    assert (status, made["firstName"]) == (201, "ANN")
    assert send(items, "GET", notes)[1][0]["code"] == "of ann"
    # What follows the row fails, so there is no row either.
    assert send(items, "POST", people, {"firstName": "ann"})[0] == 409
    assert len(send(items, "GET", people)[1]) == 1
    assert send(items, "POST", people, {"firstName": "nobody"}) == (
        403,
        {"detail": "nobody is not a name"},
    )
    assert send(items, "PATCH", f"{people}/1", {"age": 4})[0] == 403
    assert send(items, "PATCH", f"{people}/1", {"age": 6})[1]["age"] == 6
    assert send(items, "PATCH", f"{people}/9", {"age": 6})[0] == 404
    # A method in place of an operation.
    assert send(items, "GET", f"{people}/4") == (200, {"twice": 8})
    assert send(items, "DELETE", f"{people}/9")[0] == 404
    # Its note refers to it.
    assert send(items, "DELETE", f"{people}/1")[0] == 409
    send(items, "DELETE", f"{notes}/of%20ann")
    send(items, "PATCH", f"{people}/1", {"isAdmin": True})
    assert send(items, "DELETE", f"{people}/1") == (403, {"detail": "an admin stays"})
    send(items, "PATCH", f"{people}/1", {"isAdmin": False})
    assert send(items, "DELETE", f"{people}/1") == (204, None)
    assert not host.sessions


class User(Struct):
    id: int | None = None
    name: str
    age: int = 0


TABLE = "create table users (id integer primary key, name text not null unique, age integer)"


@pytest.fixture
def users(host: SqlHost) -> SqlHost:
    db.sync.execute(TABLE)
    return host


def asked(header: str = "x") -> str:
    return header


def test_hooks_replace_what_they_are_given(users: SqlHost) -> None:
    api = BoltAPI()
    seen: list[Any] = []

    @api.crud(User, table="users")
    class Users:
        def before_create(self, item: User, request: Request) -> User:
            return User(name=f"{item.name}!", age=item.age)

        def after_create(self, item: User, found: str = Depends(asked)) -> dict[str, str]:
            return {"made": item.name, "found": found}

        async def before_update(self, item: User, changes: dict[str, Any], id: int) -> Any:
            seen.append((item.age, changes, id))
            return {**changes, "age": 50}

        async def after_update(self, item: User, changes: dict[str, Any]) -> User:
            seen.append(changes)
            item.name = "shown"
            return item

        def after_delete(self, item: User) -> None:
            seen.append(item)

    create = next(route for route in api.routes if route.method == "POST")
    api.finish()
    assert [param.name for param in create.params] == ["item", "header", "request"]
    made = send(api, "POST", "/users?header=y", {"name": "ann", "age": 3})
    assert made == (201, {"made": "ann!", "found": "y"})
    assert send(api, "PATCH", "/users/1", {"name": "bob"})[1] == {
        "id": 1,
        "name": "shown",
        "age": 50,
    }
    assert send(api, "GET", "/users/1")[1] == {"id": 1, "name": "bob", "age": 50}
    assert send(api, "DELETE", "/users/1")[0] == 204
    assert seen == [
        (3, {"name": "bob"}, 1),
        {"name": "bob"},
        User(id=1, name="bob", age=50),
    ]


def test_methods_in_place_of_operations(users: SqlHost) -> None:
    api = BoltAPI()

    @api.crud(User, table="users")
    class Users:
        def create(self, item: User, loud: bool = False) -> User:
            """Make somebody."""
            name = item.name.upper() if loud else item.name
            found = db.sync.fetchrow(
                "insert into users values (null, $1, 0) returning *", name, into=User
            )
            assert found is not None
            return found

        async def list(self, found: str = Depends(asked)) -> list[str]:
            return [found]

    api.finish()
    create, listed = api.routes[1], api.routes[0]
    assert (create.is_async, create.status_code) == (False, 201)
    assert send(api, "POST", "/users?loud=1", {"name": "ann"})[1]["name"] == "ANN"
    assert send(api, "GET", "/users?header=z") == (200, ["z"])
    assert create.doc == "Make somebody." and listed.doc == ""
    assert create.name == "create_user"


def test_a_hook_raises_what_it_likes(users: SqlHost) -> None:
    api = BoltAPI()

    @api.crud(User, table="users", only=["create"])
    class Users:
        def after_create(self, item: User) -> None:
            raise HTTPException(418)

    assert send(api, "POST", "/users", {"name": "x"})[0] == 418
    assert db.sync.fetchval("select count(*) from users") == 0


later = BoltAPI()


@later.crud(User, table="users", only=["read", "list"])
class Users:
    def list(self) -> list[int]:
        return [1]

    def read(self, id: int) -> "Later":
        return {"id": id, "more": 1}  # type: ignore[return-value]


class Later(Struct):
    id: int


def test_methods_name_what_is_defined_later() -> None:
    assert send(later, "GET", "/users/3") == (200, {"id": 3})
    # In Python 3.14, the annotation names the method.
    assert send(later, "GET", "/users") == (200, [1])
