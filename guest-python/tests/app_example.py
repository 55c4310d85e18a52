"""An application as a user writes it; the tests read its manifest and call its routes."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import NotRequired, TypedDict

from bolt import BoltAPI, HTTPException, Struct

api = BoltAPI(title="Example")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Node(Struct):
    value: int
    children: list[Node] = []


class Address(Struct):
    city: str
    zip: str = "0000"


class User(Struct):
    id: int
    name: str
    address: Address
    color: Color = Color.RED
    tags: list[str] = []
    nick: str | None = None


@dataclass
class Event:
    at: datetime
    limit: int = 5
    notes: list[str] = field(default_factory=list)
    shown: str = field(default="x", init=False)


class Patch(TypedDict):
    name: str
    color: NotRequired[Color]


@api.get("/users/{user_id}")
def get_user(user_id: int, verbose: bool = False) -> User:
    """Finds a user
    by number.

    The second paragraph is left out.
    """
    if user_id == 0:
        raise HTTPException(404)
    return User(id=user_id, name="Ann", address=Address(city="Oslo"))


@api.post("/users", status_code=201)
async def create_user(user: User) -> User:
    return user


@api.post("/nodes")
def post_node(node: Node) -> int:
    return node.value


@api.post("/events")
def post_event(event: Event, *, color: Color = Color.BLUE) -> Event:
    return event


@api.patch("/users/{user_id}")
def patch_user(user_id: int, patch: Patch, when: datetime | None = None) -> Patch:
    return patch


@api.get("/files/{name:path}")
def get_file(name, limit=3):
    return name
