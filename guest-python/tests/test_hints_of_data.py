"""The hints for databases and stores, and for an `await` that is missing or too much."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlfake import SqlHost, host

from bolt import kv, sql
from bolt._runtime.hints import hint
from bolt.websockets import SleepingSocket, WebSocketEndpoint

__all__ = ["host"]

db = sql.Database("main")
store = kv.Store("main")


def hint_of(call: Callable[[], Any]) -> str:
    """What is said about the exception of a function, which may be a coroutine function."""
    try:
        result = call()
        if asyncio.iscoroutine(result):
            asyncio.run(result)
    except Exception as exc:
        return hint(exc) or f"no hint: {exc!r}"
    raise AssertionError("nothing was raised")


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize(
    "call",
    [
        lambda: list(db.fetch("select 1")),  # type: ignore[call-overload]
        lambda: db.fetchval("select 1") + 1,  # type: ignore[operator]
        lambda: db.fetchval("select 1") < 1,  # type: ignore[operator]
        lambda: db.fetchrow("select 1")["a"],  # type: ignore[index]
        lambda: len(db.fetch("select 1")),  # type: ignore[arg-type]
        lambda: store.get("a").items(),  # type: ignore[attr-defined]
    ],
)
def test_a_missing_await_names_both_ways(call: Callable[[], Any]) -> None:
    found = hint_of(call)
    assert "`await db.fetch(...)`" in found, found
    assert "`db.sync.fetch(...)`" in found and "`store.sync.get(...)`" in found


def test_what_needs_no_await(host: SqlHost) -> None:
    async def waits_for_a_list() -> None:
        await db.sync.fetch("select 1")  # type: ignore[misc]

    async def waits_for_rows() -> None:
        await db.rows("select 1")  # type: ignore[misc]

    assert "`.sync`" in hint_of(waits_for_a_list)
    assert "without `await`" in hint_of(waits_for_rows)
    # As later Pythons say it.
    for text in ("'list' object can't be awaited", "'NoneType' object can't be awaited"):
        assert "`.sync`" in (hint(TypeError(text)) or "")
    assert "without `await`" in (hint(TypeError("'Rows' object can't be awaited")) or "")
    assert hint(TypeError("'Own' object can't be awaited")) is None


def test_iterations_and_transactions_of_the_other_kind(host: SqlHost) -> None:
    def in_def() -> None:
        with db.transaction():  # type: ignore[attr-defined]
            pass

    async def in_async() -> None:
        async with db.sync.transaction():  # type: ignore[attr-defined]
            pass

    for call in (in_def, in_async):
        assert "`with db.sync.transaction():`" in hint_of(call)
    later = "'bolt._sql.database.Transaction' object does not support the context manager protocol"
    assert "`with db.sync.transaction():`" in (hint(TypeError(later)) or "")
    assert "db.sync.iterate" in hint_of(lambda: list(db.iterate("select 1")))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("select * from users", (), "bolt-host migrate FOLDER --sql NAME="),
        ("select %s", (1,), "`$1`"),
        ("select 1; select 2", (), "one statement"),
        ("attach 'x' as y", (), "most pragmas"),
    ],
)
def test_statements(host: SqlHost, text: str, arguments: tuple[Any, ...], said: str) -> None:
    found = hint_of(lambda: db.sync.fetch(text, *arguments))
    assert said in found, found


def test_arguments_in_a_tuple() -> None:
    # Of the host: the fake one has the words of CPython.
    exc = sql.ProgrammingError("the statement has 2 parameters, and 1 arguments were given")
    assert "one by one, and not in a tuple" in (hint(exc) or "")


def test_statements_of_postgres() -> None:
    for text, said in [
        ('relation "users" does not exist', "bolt-host migrate"),
        ('syntax error at or near "%"', "`$1`"),
        ("cannot insert multiple commands into a prepared statement", "one statement"),
    ]:
        assert said in (hint(sql.ProgrammingError(text)) or ""), text
    # Another module's errors say nothing about the databases of the host.
    assert hint(RuntimeError('relation "users" does not exist')) is None
    assert hint(sql.ProgrammingError("something else")) is None


def test_a_table_of_django() -> None:
    utils = pytest.importorskip("django.db.utils")
    assert "`bolt.django`" in (hint(utils.ProgrammingError("no such table: books")) or "")


def test_sqlalchemy_has_no_async_engine() -> None:
    exc = pytest.importorskip("sqlalchemy.exc")
    said = "`create_engine` of `bolt.sqlalchemy`"
    for one in (
        ModuleNotFoundError("No module named 'greenlet'", name="greenlet"),
        ValueError("the greenlet library is required to use this function. No module ..."),
        exc.InvalidRequestError("The asyncio extension requires an async driver to be used."),
        exc.MissingGreenlet("greenlet_spawn has not been called"),
    ):
        assert said in (hint(one) or ""), one


def test_nothing_on_self_is_kept() -> None:
    class Chat(WebSocketEndpoint):
        async def on_connect(self, socket: SleepingSocket) -> None:
            self.room = "tea"

        async def on_message(self, socket: SleepingSocket, message: str) -> None:
            print(self.room)

    socket: Any = None
    assert "`socket.attachment`" in hint_of(lambda: Chat().on_message(socket, ""))


def test_a_websocket_that_was_not_accepted() -> None:
    for text in (
        'Expected ASGI message "websocket.accept", "websocket.close" or ...',
        'WebSocket is not connected. Need to call "accept" first.',
    ):
        assert "`await websocket.accept()`" in (hint(RuntimeError(text)) or "")
