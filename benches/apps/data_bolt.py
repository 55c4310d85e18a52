"""The bench app of data.py for bolt-host: users in a database, and a store of keys."""

from datetime import datetime
from typing import Any

from bolt import BoltAPI, HTTPException, Response, Struct, kv, sql

api = BoltAPI()
db = sql.Database("main")
store = kv.Store("main")

COLUMNS = "id, name, email, age, created"
ONE = f"select {COLUMNS} from users where id = $1"
PAGE = f"select {COLUMNS} from users where id > $1 order by id limit 20"
HUNDRED = f"select {COLUMNS} from users where id > $1 order by id limit 100"
INSERT = "insert into guests (name, email, age) values ($1, $2, $3) returning id"


class User(Struct):
    id: int
    name: str
    email: str
    age: int
    created: datetime


class Guest(Struct):
    name: str
    email: str
    age: int


@api.get("/")
async def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


# The host answers these by itself.
api.crud(User, table="users", path="/crud", only=("list", "read"))


@api.get("/users/{user}")
async def read(user: int) -> User:
    found = await db.fetchrow(ONE, user, into=User)
    if found is None:
        raise HTTPException(404)
    return found


@api.get("/users")
async def page(after: int = 0) -> list[User]:
    return await db.fetch(PAGE, after, into=User)


@api.get("/fresh", isolation="fresh")
async def fresh(after: int = 0) -> list[User]:
    return await db.fetch(PAGE, after, into=User)


@api.get("/hundred")
async def hundred(after: int = 0) -> list[User]:
    return await db.fetch(HUNDRED, after, into=User)


@api.get("/hundred-dicts")
async def hundred_dicts(after: int = 0) -> list[dict[str, Any]]:
    return await db.fetch(HUNDRED, after)


@api.get("/hundred-rows")
def hundred_rows(after: int = 0) -> Response:
    return db.rows(HUNDRED, after)


@api.post("/guests")
async def insert(guest: Guest) -> dict[str, int]:
    return {"id": await db.fetchval(INSERT, guest.name, guest.email, guest.age)}


@api.get("/keys/{key}")
async def get(key: str) -> dict[str, object]:
    return await store.get(key, {"message": "hello", "n": 1})


@api.post("/keys/{key}")
async def put(key: str) -> bool:
    return await store.set(key, {"message": "hello", "n": 1})
