"""`bolt.dbapi` over a fake host: PEP 249, and transactions that begin by themselves."""

import datetime
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from sqlfake import SqlHost, host

from bolt import dbapi, sql
from bolt._sql.words import begins_at_once, is_read, is_rollback_to, verb

__all__ = ["host"]

db = sql.Database("main")


@pytest.fixture
def users(host: SqlHost) -> SqlHost:
    db.sync.execute("create table users (id integer primary key, name text not null unique)")
    db.sync.execute("insert into users (name) values ('ann'), ('bob'), ('cleo')")
    host.log.clear()
    return host


@pytest.fixture
def connection(users: SqlHost) -> Iterator[dbapi.Connection]:
    made = dbapi.connect("main")
    yield made
    made.close()


def count() -> Any:
    return db.sync.fetchval("select count(*) from users")


def ran(host: SqlHost) -> list[str]:
    """The statements since the last call."""
    texts = [text for _, text in host.log]
    host.log.clear()
    return texts


def test_the_module_has_what_pep_249_asks_for() -> None:
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 1, "qmark")
    assert issubclass(dbapi.Warning, Exception) and issubclass(dbapi.Error, Exception)
    assert issubclass(dbapi.InterfaceError, dbapi.Error)
    assert issubclass(dbapi.DatabaseError, dbapi.Error)
    for name in (
        "DataError",
        "OperationalError",
        "IntegrityError",
        "InternalError",
        "ProgrammingError",
        "NotSupportedError",
    ):
        kind = getattr(dbapi, name)
        assert issubclass(kind, dbapi.DatabaseError)
        assert getattr(dbapi.Connection, name) is kind
    assert dbapi.Error is sql.Error
    assert dbapi.Date(2026, 1, 2) == datetime.date(2026, 1, 2)
    assert dbapi.Binary(b"x") == b"x"
    ticks = datetime.datetime(2026, 1, 2, 3, 4, 5)
    assert dbapi.TimestampFromTicks(ticks.timestamp()) == ticks
    assert dbapi.DateFromTicks(ticks.timestamp()) == ticks.date()
    assert dbapi.TimeFromTicks(ticks.timestamp()) == ticks.time()


def test_rows(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("select id, name from users order by id")
    assert cursor.description == [
        ("id", "integer", None, None, None, None, None),
        ("name", "text", None, None, None, None, None),
    ]
    assert cursor.description[0][1] == dbapi.NUMBER and cursor.description[1][1] == dbapi.STRING
    assert cursor.description[0][1] != dbapi.STRING
    assert (cursor.rowcount, cursor.lastrowid) == (-1, None)
    assert cursor.fetchone() == (1, "ann")
    assert cursor.fetchmany(5) == [(2, "bob"), (3, "cleo")]
    assert cursor.fetchmany(5) == [] and cursor.fetchall() == [] and cursor.fetchone() is None
    text = "select name from users where id > ? order by id"
    assert list(cursor.execute(text, (1,))) == [("bob",), ("cleo",)]
    assert cursor.execute(text, [0]).fetchmany() == [("ann",)]
    cursor.arraysize = 2
    assert cursor.fetchmany() == [("bob",), ("cleo",)]
    assert cursor.execute(text, [1]).fetchall() == [("bob",), ("cleo",)]
    assert cursor.execute(text, [9]).fetchall() == []
    assert cursor.execute("select $2, $1", (1, 2)).fetchone() == (2, 1)
    assert cursor.description[0] == ("$2", None, None, None, None, None, None)
    cursor.setinputsizes([])
    cursor.setoutputsize(1)


def test_counts_and_ids(connection: dbapi.Connection) -> None:
    cursor = connection.execute("insert into users (name) values ('d'), ('e')")
    assert (cursor.rowcount, cursor.lastrowid, cursor.description) == (2, 5, None)
    cursor.execute("update users set name = name || '!' where id > 3")
    assert (cursor.rowcount, cursor.lastrowid) == (2, 5)
    cursor.execute("create table other (x)")
    assert cursor.rowcount == -1
    cursor.execute("with old as (select 4 as i) delete from users where id in (select i from old)")
    assert cursor.rowcount == 1
    cursor.execute("insert into users (name) values ('f'), ('g'), ('h') returning id")
    assert (cursor.rowcount, cursor.lastrowid) == (3, 8)
    assert cursor.fetchall() == [(6,), (7,), (8,)]
    cursor.executemany("insert into users (name) values (?)", ([name] for name in "ij"))
    assert (cursor.rowcount, cursor.lastrowid, cursor.description) == (2, 10, None)
    cursor.executemany("delete from users where id = ?", [])
    assert cursor.rowcount == 0
    with pytest.raises(dbapi.ProgrammingError, match="executemany is for"):
        cursor.executemany("select ?", [[1]])
    with pytest.raises(dbapi.ProgrammingError, match="no rows to return"):
        cursor.executemany("insert into users (name) values (?) returning id", [["k"]])


def test_values_are_converted_or_raw(host: SqlHost) -> None:
    day = datetime.date(2026, 1, 2)
    with dbapi.connect() as connection:
        connection.execute("create table days (day date, sure boolean)")
        connection.execute("insert into days values (?, ?)", (day, True))
    text = "select day, sure from days"
    assert connection.execute(text).fetchone() == (day, True)
    cursor = connection.cursor()
    cursor.raw = True
    assert cursor.execute(text).fetchone() == ("2026-01-02", 1)
    assert cursor.description[0][1] == dbapi.DATETIME
    connection.close()
    raw = dbapi.connect(raw=True)
    assert raw.execute(text).fetchone() == ("2026-01-02", 1)
    raw.close()


def test_a_transaction_begins_by_itself(users: SqlHost, connection: dbapi.Connection) -> None:
    assert not connection.in_transaction
    connection.execute("insert into users (name) values ('d')")
    assert connection.in_transaction and count() == 3
    connection.commit()
    assert not connection.in_transaction and count() == 4
    users.log.clear()
    connection.execute("delete from users")
    connection.rollback()
    assert ran(users) == ["begin immediate", "delete from users", "rollback"]
    connection.execute("select 1").fetchall()
    connection.execute("select 2").fetchall()
    connection.commit()
    assert ran(users) == ["begin", "select 1", "select 2", "commit"]
    connection.commit()
    connection.rollback()
    assert ran(users) == [] and not users.sessions


def test_what_has_been_read_is_one_state(connection: dbapi.Connection) -> None:
    text = "select count(*) from users"
    assert connection.execute(text).fetchone() == (3,)
    db.sync.execute("delete from users")
    assert connection.execute(text).fetchone() == (3,)
    connection.rollback()
    assert connection.execute(text).fetchone() == (0,)


def test_a_transaction_that_has_read_can_write(
    users: SqlHost, connection: dbapi.Connection
) -> None:
    cursor = connection.execute("select id from users order by id")
    assert cursor.fetchone() == (1,)
    connection.execute("update users set name = 'x' where id = 1")
    assert len(users.sessions) == 1
    # What was not fetched yet is still there.
    assert cursor.fetchall() == [(2,), (3,)]
    assert connection.execute("select name from users where id = 1").fetchone() == ("x",)
    connection.commit()
    assert db.sync.fetchval("select name from users where id = 1") == "x"


def test_it_does_not_write_upon_what_has_changed(
    users: SqlHost, connection: dbapi.Connection
) -> None:
    (number,) = connection.execute("select count(*) from users").fetchone() or (0,)
    db.sync.execute("insert into users (name) values ('d')")
    update = "update users set name = ? where id = 1"
    with pytest.raises(dbapi.OperationalError, match="repeat it") as caught:
        connection.execute(update, [str(number)])
    assert type(caught.value) is sql.LockTimeout and caught.value.code == "517"
    for again in (
        lambda: connection.execute(update, ["x"]),
        lambda: connection.execute("select 1"),
        connection.commit,
    ):
        with pytest.raises(dbapi.OperationalError, match="has failed, so roll it back: another"):
            again()
    connection.rollback()
    connection.execute(update, ["x"])
    connection.commit()
    assert count() == 4


def test_a_transaction_that_writes_from_the_start(users: SqlHost) -> None:
    connection = dbapi.connect("main", "IMMEDIATE")
    assert connection.execute("select count(*) from users").fetchone() == (3,)
    connection.execute("delete from users")
    connection.close()
    assert ran(users)[0] == "begin immediate" and count() == 3


def test_each_statement_by_itself(users: SqlHost) -> None:
    connection = dbapi.connect(isolation_level=None)
    assert connection.autocommit
    connection.execute("insert into users (name) values ('d')")
    assert not connection.in_transaction and count() == 4
    connection.rollback()
    assert count() == 4
    connection.execute("begin")
    connection.execute("insert into users (name) values ('e')")
    assert connection.in_transaction
    with pytest.raises(dbapi.ProgrammingError, match="a transaction is open"):
        connection.execute("begin")
    connection.execute("rollback")
    assert count() == 4
    connection.execute("begin immediate")
    assert len(users.sessions) == 1
    connection.execute("savepoint a")
    connection.execute("delete from users")
    connection.execute("rollback to a")
    cursor = connection.execute("commit")
    assert (cursor.description, cursor.rowcount) == (None, -1)
    assert count() == 4
    for text in ("commit", "rollback"):
        with pytest.raises(dbapi.ProgrammingError, match="no transaction is open"):
            connection.execute(text)
    with pytest.raises(dbapi.ProgrammingError, match="a savepoint is within"):
        connection.execute("savepoint a")
    connection.autocommit = False
    assert connection.isolation_level == "DEFERRED"
    connection.execute("delete from users")
    connection.autocommit = True
    assert count() == 0 and connection.isolation_level is None
    connection.close()


def test_a_block_commits_or_rolls_back(connection: dbapi.Connection) -> None:
    with connection:
        connection.execute("insert into users (name) values ('d')")
    with pytest.raises(KeyError), connection:
        connection.execute("delete from users")
        raise KeyError
    assert count() == 4
    with pytest.raises(dbapi.IntegrityError), connection:
        connection.execute("insert into users (name) values ('e')")
        connection.execute("insert into users (name) values ('d')")
    assert count() == 4


def test_a_commit_that_fails_can_be_undone(users: SqlHost, connection: dbapi.Connection) -> None:
    users.problems["commit"] = ("busy", "not now")
    connection.execute("delete from users")
    with pytest.raises(sql.LockTimeout):
        connection.commit()
    assert connection.in_transaction
    with pytest.raises(sql.LockTimeout), connection:
        pass
    assert not connection.in_transaction and count() == 3


def test_errors_of_the_program_leave_it_open(connection: dbapi.Connection) -> None:
    connection.execute("insert into users (name) values ('d')")
    for text, kind in [
        ("insert into users (name) values ('d')", dbapi.IntegrityError),
        ("selec 1", dbapi.ProgrammingError),
        ("select nothing", dbapi.ProgrammingError),
        ("pragma database_list", dbapi.ProgrammingError),
        ("select ?", dbapi.DataError),
    ]:
        with pytest.raises(kind):
            connection.execute(text)
    connection.commit()
    assert count() == 4


def test_what_the_database_may_have_rolled_back_is_over(
    users: SqlHost, connection: dbapi.Connection
) -> None:
    connection.execute("insert into users (name) values ('d')")
    users.problems["delete from users"] = ("operational", "the disk is full")
    with pytest.raises(sql.DatabaseUnavailable):
        connection.execute("delete from users")
    with pytest.raises(dbapi.OperationalError, match="so roll it back: the disk is full"):
        connection.execute("insert into users (name) values ('e')")
    users.problems["rollback"] = ("statement", "no transaction is active")
    connection.rollback()
    assert count() == 3


def test_the_lock_is_not_there(users: SqlHost, connection: dbapi.Connection) -> None:
    users.problems["begin immediate"] = ("busy", "database is locked")
    with pytest.raises(sql.LockTimeout):
        connection.execute("delete from users")
    assert not connection.in_transaction and not users.sessions
    connection.execute("select 1").fetchall()
    with pytest.raises(sql.LockTimeout):
        connection.execute("delete from users")
    # It goes on reading.
    assert connection.execute("select 2").fetchone() == (2,) and len(users.sessions) == 1
    users.problems.clear()
    connection.execute("delete from users")
    connection.commit()
    assert count() == 0


def test_a_transaction_ends_with_its_request(users: SqlHost, connection: dbapi.Connection) -> None:
    connection.execute("insert into users (name) values ('d')")
    users.end_request()
    assert not connection.in_transaction
    connection.commit()
    assert connection.execute("select count(*) from users").fetchone() == (3,)


def test_requests_at_a_time_do_not_share_a_transaction(
    users: SqlHost, connection: dbapi.Connection
) -> None:
    insert = "insert into users (name) values (?)"
    connection.execute(insert, ["d"])
    users.request = 2
    assert connection.execute("select count(*) from users").fetchone() == (3,)
    connection.commit()
    users.request = 1
    for use in (connection.commit, lambda: connection.execute(insert, ["e"])):
        with pytest.raises(dbapi.OperationalError, match="one request at a time"):
            use()
    connection.rollback()
    connection.execute(insert, ["f"])
    connection.commit()
    assert count() == 4


def test_a_long_result_is_read_before_the_next_statement(connection: dbapi.Connection) -> None:
    connection.execute("insert into users (name) values ('d'), ('e'), ('f'), ('g'), ('h')")
    text = "select id from users order by id"
    first, second = connection.execute(text), connection.execute(text)
    assert first.fetchone() == (1,) and second.fetchone() == (1,)
    assert len(first.fetchall()) == len(second.fetchall()) == 7
    third = connection.execute(text)
    assert third.fetchone() == (1,)
    connection.commit()
    assert len(third.fetchall()) == 7
    fourth = connection.execute(text)
    fourth.close()
    assert connection.execute("select 1").fetchone() == (1,)


def test_wrong_use(users: SqlHost) -> None:
    for wrong in ("", None):
        with pytest.raises(dbapi.InterfaceError, match="the name of a database"):
            dbapi.connect(wrong)  # type: ignore[arg-type]
    with pytest.raises(dbapi.InterfaceError, match="the isolation level is"):
        dbapi.connect("main", "NONE")  # type: ignore[arg-type]
    connection = dbapi.connect()
    cursor = connection.cursor()
    for fetch in (cursor.fetchone, cursor.fetchmany, cursor.fetchall):
        with pytest.raises(dbapi.InterfaceError, match="no result"):
            fetch()
    for parameters in ({"a": 1}, "x", b"x"):
        with pytest.raises(dbapi.ProgrammingError, match="a tuple or a list"):
            cursor.execute("select ?", parameters)
    cursor.execute("select 1")
    cursor.close()
    with pytest.raises(dbapi.InterfaceError, match="this cursor is closed"):
        cursor.fetchone()
    other = connection.cursor()
    connection.close()
    connection.close()
    for use in (connection.cursor, connection.commit, connection.rollback, other.fetchone):
        with pytest.raises(dbapi.InterfaceError, match="this connection is closed"):
            use()
    with pytest.raises(sql.NotGranted):
        dbapi.connect("other").execute("select 1")
    with pytest.raises(sql.NotGranted):
        dbapi.connect("other", None).execute("select 1")


def test_what_is_collected_is_given_back(users: SqlHost) -> None:
    connection = dbapi.connect()
    connection.execute("delete from users")
    del connection
    gc.collect()
    assert count() == 3 and not users.sessions


def test_foreign_keys_turned_off(users: SqlHost, connection: dbapi.Connection) -> None:
    for text in ("create table a (id references users)", "insert into a values (1)"):
        db.sync.execute(text)
    connection.isolation_level, connection.foreign_keys = None, False
    assert connection.execute("delete from users where id = 1").rowcount == 1
    found = connection.execute("select id from a union all select 2 order by 1")
    with pytest.raises(dbapi.ProgrammingError):
        connection.execute("delete from nothing")
    assert found.fetchall() == [(1,), (2,)] and not users.sessions
    connection.execute("begin")
    connection.execute("insert into a values (77)")
    with pytest.raises(dbapi.ProgrammingError, match="outside of transactions"):
        connection.foreign_keys = True
    connection.rollback()
    connection.foreign_keys = True
    with pytest.raises(sql.ForeignKeyViolation):
        connection.execute("insert into a values (77)")
    assert db.sync.fetchval("select count(*) from a") == 1 and count() == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", "select"),
        ("  -- a remark\n /* and; another */ ; INSERT into t values (1)", "insert"),
        ("with a as (select 'delete' as \"x)\" from t) select * from a", "select"),
        (
            "with recursive a(n) as (values (1) union all select 2), b as (select 1) DELETE from t",
            "delete",
        ),
        ("with a as (select ')' /* ( */), `insert` as (select 1) update t set x = 1", "update"),
        ("with [replace] as (select 1) -- insert\n select 1", "select"),
        ("with", "select"),
        ("", ""),
        ("/* without an end", ""),
        ("(select 1)", ""),
    ],
)
def test_verbs(text: str, expected: str) -> None:
    assert verb(text) == expected


def test_what_statements_do() -> None:
    assert is_read("pragma", "pragma table_info(x)") and not is_read("pragma", "pragma a = 1")
    assert is_read("select", "") and not is_read("insert", "") and not is_read("savepoint", "")
    assert is_rollback_to("ROLLBACK TO x") and is_rollback_to("rollback transaction to savepoint x")
    assert not is_rollback_to("rollback") and not is_rollback_to("rollback transaction")
    assert begins_at_once("BEGIN IMMEDIATE") and begins_at_once("begin exclusive transaction")
    assert not begins_at_once("begin") and not begins_at_once("begin deferred")
    # No text takes long.
    assert verb(" " * 100_000 + "-" * 100_000) == ""
    for begin in ("(", "[", "'", '"', "`", "/*", "--"):
        assert verb("with " + begin * 100_000) == "select"


def test_a_transaction_of_postgres_writes_from_the_beginning(users: SqlHost) -> None:
    users.dialects["main"] = "postgres"
    for level, begin in (
        ("DEFERRED", "begin immediate"),
        ("IMMEDIATE", "begin immediate"),
        ("SERIALIZABLE", "begin isolation level serializable"),
    ):
        users.log.clear()
        connection = dbapi.connect("main", level)  # type: ignore[arg-type]
        connection.execute("select 1").fetchall()
        cursor = connection.execute("insert into users (name) values ($1)", ["zoe"])
        assert (cursor.rowcount, cursor.lastrowid) == (1, None)
        connection.rollback()
        assert [text.partition(" (")[0] for _, text in users.log] == [
            *(begin, "select 1", "insert into users", "rollback")
        ]


def test_a_transaction_of_postgres_goes_on_from_a_savepoint(users: SqlHost) -> None:
    users.dialects["main"] = "postgres"
    connection = dbapi.connect()
    connection.execute("savepoint a")
    users.problems["select 2"] = ("busy", "others hold it up")
    with pytest.raises(dbapi.OperationalError):
        connection.execute("select 2")
    connection.execute("rollback to a")
    assert connection.execute("select 1").fetchall() == [(1,)]
    connection.commit()


def test_levels_of_postgres_are_not_those_of_sqlite(users: SqlHost) -> None:
    connection = dbapi.connect("main", "REPEATABLE READ")
    with pytest.raises(dbapi.InterfaceError, match="is a level of Postgres"):
        connection.execute("select 1")
    connection.isolation_level = "IMMEDIATE"
    assert connection.execute("select 1").fetchall() == [(1,)]
    connection.rollback()
