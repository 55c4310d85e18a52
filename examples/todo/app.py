"""A list of things to do, kept in memory: create, read, update and delete."""

from typing import Annotated

from bolt import BoltAPI, Field, HTTPException, Path, Query, Response, Router, Struct

# One interpreter keeps the list, so every handler is of one kind, and `--workers 1 --instances 1`
# makes sure that there is one. An app that is to grow keeps its data elsewhere.
api = BoltAPI(title="Todo", version="1.0.0", description="Things to do, kept in memory.")
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


TODOS: dict[int, Todo] = {}
NOT_THERE = {404: {"model": Missing, "description": "There is no such todo"}}
Id = Annotated[int, Path(ge=1, description="The number that a todo got when it was made")]


def found(todo_id: int) -> Todo:
    todo = TODOS.get(todo_id)
    if todo is None:
        raise HTTPException(404, f"there is no todo {todo_id}")
    return todo


@todos.get("")
def list_todos(
    done: bool | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> list[Todo]:
    """The most urgent ones first."""
    wanted = (todo for todo in TODOS.values() if done is None or todo.done == done)
    return sorted(wanted, key=lambda todo: (todo.priority, todo.id))[:limit]


@todos.post("", status_code=201)
def create_todo(new: NewTodo) -> Todo:
    todo = Todo(id=max(TODOS, default=0) + 1, title=new.title, priority=new.priority, done=new.done)
    TODOS[todo.id] = todo
    return todo


@todos.get("/{todo_id}", responses=NOT_THERE)
def get_todo(todo_id: Id) -> Todo:
    return found(todo_id)


@todos.put("/{todo_id}", responses=NOT_THERE)
def replace_todo(todo_id: Id, new: NewTodo) -> Todo:
    todo = found(todo_id)
    todo.title, todo.priority, todo.done = new.title, new.priority, new.done
    return todo


@todos.delete("/{todo_id}", status_code=204, responses=NOT_THERE)
def delete_todo(todo_id: Id) -> Response:
    found(todo_id)
    del TODOS[todo_id]
    return Response(status_code=204)


api.include_router(todos)
