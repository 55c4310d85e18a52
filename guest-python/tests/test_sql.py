"""`bolt.sql` over a fake host, whose SQLite is that of CPython."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from sqlfake import SqlHost, host, run

from bolt import Struct, sql
from bolt._sql import host as hosts
from bolt._sql.statement import Session, Statement

__all__ = ["host"]

db = sql.Database("main")


class User(Struct):
    id: int
    name: str


@dataclass
class Named:
    name: str


class Colour(Enum):
    RED = "red"


@pytest.fixture
def users(host: SqlHost) -> SqlHost:
    db.sync.execute("create table users (id integer primary key, name text not null unique)")
    db.sync.execute(
        "create table pets (owner integer references users (id), legs int check (legs < 9))"
    )
    for name in ("ann", "bob", "cleo"):
        db.sync.execute("insert into users (name) values (?)", name)
    return host


def names() -> list[str]:
    return [row["name"] for row in db.sync.fetch("select name from users order by id")]


def both(ask: Callable[[Any], Any]) -> list[Any]:
    """What a `Database` answers in an `async def` handler, and in a `def` handler."""

    async def asynchronous() -> Any:
        return await ask(db)

    return [run(asynchronous()), ask(db.sync)]


def test_queries(users: SqlHost) -> None:
    above = "select id, name from users where id > $1 order by id"
    rows = [{"id": 2, "name": "bob"}, {"id": 3, "name": "cleo"}]
    assert both(lambda d: d.fetch(above, 1)) == [rows, rows]
    assert (
        both(lambda d: d.fetch(above, 1, into=User))
        == [[User(id=2, name="bob"), User(id=3, name="cleo")]] * 2
    )
    assert both(lambda d: d.fetch(above, 9)) == [[], []]
    assert both(lambda d: d.fetchrow(above, 0)) == [{"id": 1, "name": "ann"}] * 2
    assert both(lambda d: d.fetchrow(above, 9)) == [None, None]
    only = "select name from users order by id"
    assert both(lambda d: d.fetchrow(only, into=Named)) == [Named("ann")] * 2
    assert both(lambda d: d.fetchval(only)) == ["ann", "ann"]
    assert both(lambda d: d.fetchval(above, 9)) == [None, None]
    assert both(lambda d: d.execute("update users set name = name || 'x' where id > ?", 1)) == [
        2,
        2,
    ]
    assert both(lambda d: d.execute("select 1")) == [0, 0]
    assert users.waits


def test_the_number_of_a_parameter_counts(host: SqlHost) -> None:
    assert db.sync.fetchrow("select $2 as b, $1 as a", 1, "x") == {"b": "x", "a": 1}
    with pytest.raises(sql.DataError):
        db.sync.fetchval("select $2", 1)


def test_rows_one_by_one(users: SqlHost) -> None:
    db.sync.execute("insert into users (name) values ('d'), ('e'), ('f'), ('g'), ('h')")
    text = "select name from users order by id"
    assert [row["name"] for row in db.sync.iterate(text)] == ["ann", "bob", "cleo", *"defgh"]
    assert [row.name for row in db.sync.iterate(text, into=Named)][-1] == "h"

    async def collect(most: int) -> list[str]:
        found = []
        rows = db.iterate(text)
        async for row in rows:
            found.append(row["name"])
            if len(found) == most:
                break
        await rows.aclose()
        return found

    assert run(collect(99)) == ["ann", "bob", "cleo", *"defgh"]
    assert run(collect(1)) == ["ann"]
    for row in db.sync.iterate(text):
        assert row == {"name": "ann"}
        break
    gc.collect()
    hosts.sweep()
    assert not users.statements


def test_values_of_all_kinds(host: SqlHost) -> None:
    db.sync.execute(
        "create table kinds (a boolean, b date, c time, d datetime, e decimal(10, 2), f uuid, "
        "g json, h interval, i blob, j real, k integer, l text)"
    )
    values: list[Any] = [
        True,
        date(2026, 1, 2),
        time(3, 4, 5),
        datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        Decimal("12.34"),
        UUID(int=7),
        {"a": [1, "ü"]},
        timedelta(days=1),
        b"\x00\xff",
        1.5,
        -(2**63),
        "é",
    ]
    marks = ", ".join(f"${place}" for place in range(1, 13))
    db.sync.execute(f"insert into kinds values ({marks})", *values)
    rows = both(lambda d: d.fetchrow("select * from kinds"))
    assert [list(row.values()) for row in rows] == [values, values]
    assert all(
        type(found) is type(given) for found, given in zip(rows[0].values(), values, strict=True)
    )
    db.sync.execute("update kinds set a = null, b = null, e = null, g = null, h = null")
    found = db.sync.fetchrow("select a, b, e, g, h from kinds")
    assert found is not None and set(found.values()) == {None}
    raw = Statement("main", "select b, f from kinds", (), raw=True).block_rows()
    assert raw == [(None, str(UUID(int=7)))]


def test_arguments_become_plain(host: SqlHost) -> None:
    class Number(int): ...

    class Text(str):
        def __str__(self) -> str:
            return self

    for given, stored in [
        (Colour.RED, "red"),
        (Number(4), 4),
        (Text("t"), "t"),
        (bytearray(b"b"), b"b"),
        (memoryview(b"m"), b"m"),
        ([1, {"a": None}], '[1,{"a":null}]'),
        (timedelta(milliseconds=1500), 1.5),
        (True, 1),
        (None, None),
    ]:
        assert db.sync.fetchval("select $1", given) == stored


def test_what_has_no_form(host: SqlHost) -> None:
    for given, told in [
        (object(), "argument 1 has no form in a database: object is none of"),
        ({1}, "set is none of"),
        ({"a": {1}}, "argument 1 is not JSON"),
        ([float("nan")], "argument 1 is not JSON"),
    ]:
        with pytest.raises(sql.DataError, match=told):
            db.sync.fetchval("select $1", given)
    db.sync.execute("create table odd (day date, price decimal)")
    db.sync.execute("insert into odd values ('never', 'much')")
    for column in ("day", "price"):
        with pytest.raises(sql.DataError, match=f"the column '{column}' has"):
            db.sync.fetch(f"select {column} from odd")
    assert not host.statements


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("selec 1", sql.ProgrammingError),
        ("select nothing from users", sql.ProgrammingError),
        ("select 1; select 2", sql.ProgrammingError),
        ("pragma journal_mode = off", sql.ProgrammingError),
        ("attach 'x' as y", sql.ProgrammingError),
        ("insert into users (name) values ('ann')", sql.UniqueViolation),
        ("insert into users (id) values (9)", sql.NotNullViolation),
        ("insert into pets values (99, 4)", sql.ForeignKeyViolation),
        ("insert into pets values (null, 10)", sql.CheckViolation),
        ("insert into users values ('x', 'y')", sql.DataError),
    ],
)
def test_errors_have_types(users: SqlHost, text: str, kind: type[Exception]) -> None:
    async def ask() -> Any:
        return await db.fetch(text)

    for call in (lambda: run(ask()), lambda: db.sync.fetch(text)):
        with pytest.raises(kind) as caught:
            call()
        assert isinstance(caught.value, sql.DatabaseError) and str(caught.value)
    assert not users.statements


def test_errors_of_the_host(host: SqlHost) -> None:
    for kind, expected in [
        ("busy", sql.LockTimeout),
        ("operational", sql.DatabaseUnavailable),
        ("limit", sql.LimitExceeded),
        ("cancelled", sql.StatementCancelled),
        ("integrity", sql.IntegrityError),
        ("unheard-of", sql.DatabaseError),
    ]:
        host.problems["select 1"] = (kind, "told so")
        with pytest.raises(expected, match="told so") as caught:
            db.sync.fetchval("select 1")
        assert type(caught.value) is expected
    host.problems.clear()
    with pytest.raises(sql.NotGranted, match="no database 'other'"):
        sql.Database("other").sync.fetchval("select 1")
    with pytest.raises(sql.NotGranted, match="no database 'other'"):
        sql.Database("other").sync.transaction().__enter__()
    db.sync.execute("create table t (a unique)")
    db.sync.execute("insert into t values (1)")
    with pytest.raises(sql.UniqueViolation) as violated:
        db.sync.execute("insert into t values (1)")
    assert violated.value.code == "2067"


def test_without_a_host_nothing_works() -> None:
    with pytest.raises(RuntimeError, match="there is no host to ask"):
        db.sync.fetchval("select 1")
    with pytest.raises(ValueError, match="the name of a database"):
        sql.Database("")


def test_transactions_are_whole(users: SqlHost) -> None:
    insert = "insert into users (name) values (?)"
    with db.sync.transaction():
        db.sync.execute(insert, "d")
    with pytest.raises(KeyError), db.sync.transaction():
        db.sync.execute(insert, "e")
        raise KeyError
    assert names() == ["ann", "bob", "cleo", "d"]

    async def transfer(fails: bool) -> None:
        async with db.transaction():
            await db.execute(insert, "f")
            if fails:
                raise KeyError

    run(transfer(False))
    with pytest.raises(sql.UniqueViolation):
        run(transfer(True))
    users.problems["commit"] = ("busy", "not now")
    with pytest.raises(sql.LockTimeout), db.sync.transaction():
        db.sync.execute(insert, "g")
    users.problems.clear()
    assert names() == ["ann", "bob", "cleo", "d", "f"]
    assert not users.sessions


def test_a_transaction_within_another_is_a_savepoint(users: SqlHost) -> None:
    insert = "insert into users (name) values (?)"

    async def transfer() -> None:
        async with db.transaction():
            await db.execute(insert, "d")
            with pytest.raises(sql.UniqueViolation):
                async with db.transaction():
                    await db.execute(insert, "e")
                    async with db.transaction():
                        await db.execute(insert, "d")
            async with db.transaction():
                await db.execute(insert, "f")

    run(transfer())
    assert names() == ["ann", "bob", "cleo", "d", "f"]
    with db.sync.transaction():
        for name in ("g", "ann", "h"):
            try:
                with db.sync.transaction():
                    db.sync.execute(insert, name)
            except sql.UniqueViolation:
                continue
    assert names()[5:] == ["g", "h"]


def test_a_transaction_that_only_reads(users: SqlHost) -> None:
    with db.sync.transaction(readonly=True):
        assert db.sync.fetchval("select count(*) from users") == 3
        with pytest.raises(sql.ProgrammingError, match="only reads"):
            db.sync.execute("delete from users")
    assert len(names()) == 3


def test_tasks_of_a_transaction_are_within_it(users: SqlHost) -> None:
    async def add(name: str) -> None:
        await db.execute("insert into users (name) values (?)", name)

    async def transfer() -> None:
        async with db.transaction():
            await asyncio.gather(add("d"), add("e"))
            raise KeyError

    with pytest.raises(KeyError):
        run(transfer())
    assert names() == ["ann", "bob", "cleo"]


def test_writers_wait_for_each_other(users: SqlHost) -> None:
    order = []

    async def write(name: str) -> None:
        async with db.transaction():
            order.append(f"{name} in")
            await db.execute("insert into users (name) values (?)", name)
            await asyncio.sleep(0.01)
            order.append(f"{name} out")

    async def several() -> None:
        await asyncio.gather(write("d"), write("e"))

    run(several())
    assert order == ["d in", "d out", "e in", "e out"]


def test_sessions_end(users: SqlHost) -> None:
    transaction = db.sync.transaction()
    for _ in range(2):
        with transaction:
            assert db.sync.fetchval("select 1") == 1
    session = Session("main", True)
    session.release()
    with pytest.raises(sql.InterfaceError, match="has ended"):
        Statement("main", "select 1", (), session)
    with pytest.raises(sql.InterfaceError, match="a statement is a text"):
        db.sync.fetch(b"select 1")  # type: ignore[call-overload]


def test_what_is_cancelled_is_closed(users: SqlHost) -> None:
    async def cancelled() -> None:
        task = asyncio.ensure_future(db.fetch("select 1"))
        await asyncio.sleep(0)
        assert users.statements
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancelled())
    assert not users.statements


def test_what_is_collected_is_closed(users: SqlHost) -> None:
    kept = Statement("main", "select 1", ()), Session("main", True)
    del kept
    assert users.statements and users.sessions
    assert db.sync.fetchval("select 2") == 2
    assert not users.statements and not users.sessions


def test_there_is_an_end_to_what_is_open(users: SqlHost) -> None:
    statements = [Statement("main", "select 1", ()) for _ in range(99)]
    assert Session("main", False).number
    with pytest.raises(sql.LimitExceeded, match="statements are open"):
        statements += [Statement("main", "select 1", ()) for _ in range(2)]
        statements[-1].block_part()
    for statement in statements:
        statement.close()
