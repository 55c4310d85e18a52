"""A list of things to do, kept in a database: create, read, update and delete."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from bolt import BoltAPI, Field, HTTPException, Path, Query, Response, Router, Struct, sql

# The host has the connections. Nothing granted, it is the file app.db beside this one.
db = sql.Database("main")
TABLE = """
create table if not exists todos (
    id integer primary key, title text not null, priority integer not null, done boolean not null
)
"""


@asynccontextmanager
async def lifespan(api: BoltAPI) -> AsyncIterator[None]:
    await db.execute(TABLE)
    yield


api = BoltAPI(
    title="Todo",
    version="1.0.0",
    description="Things to do, kept in a database.",
    lifespan=lifespan,
)
todos = Router(prefix="/todos", tags=["todos"])


class NewTodo(Struct, forbid_unknown=True):
    """What a client sends."""

    title: Annotated[str, Field(min_length=1, max_length=100)]
    priority: Annotated[int, Field(ge=1, le=5)] = 3
    done: bool = False


class Todo(NewTodo):
    """What is kept."""

    id: int


class Missing(Struct):
    """The body of a 404."""

    detail: str


NOT_THERE = {404: {"model": Missing, "description": "There is no such todo"}}
Id = Annotated[int, Path(ge=1, lt=2**63, description="The number that a todo got when it was made")]


def found(todo: Todo | None, todo_id: int) -> Todo:
    if todo is None:
        raise HTTPException(404, f"there is no todo {todo_id}")
    return todo


@todos.get("")
async def list_todos(
    done: bool | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> list[Todo]:
    """The most urgent ones first."""
    return await db.fetch(
        "select * from todos where $1 is null or done = $1 order by priority, id limit $2",
        done,
        limit,
        into=Todo,
    )


@todos.post("", status_code=201)
async def create_todo(new: NewTodo) -> Todo:
    todo = await db.fetchrow(
        "insert into todos (title, priority, done) values ($1, $2, $3) returning *",
        new.title,
        new.priority,
        new.done,
        into=Todo,
    )
    assert todo is not None
    return todo


@todos.get("/{todo_id}", responses=NOT_THERE)
async def get_todo(todo_id: Id) -> Todo:
    todo = await db.fetchrow("select * from todos where id = $1", todo_id, into=Todo)
    return found(todo, todo_id)


@todos.put("/{todo_id}", responses=NOT_THERE)
async def replace_todo(todo_id: Id, new: NewTodo) -> Todo:
    todo = await db.fetchrow(
        "update todos set title = $2, priority = $3, done = $4 where id = $1 returning *",
        todo_id,
        new.title,
        new.priority,
        new.done,
        into=Todo,
    )
    return found(todo, todo_id)


@todos.delete("/{todo_id}", status_code=204, responses=NOT_THERE)
async def delete_todo(todo_id: Id) -> Response:
    if not await db.execute("delete from todos where id = $1", todo_id):
        raise HTTPException(404, f"there is no todo {todo_id}")
    return Response(status_code=204)


api.include_router(todos)
