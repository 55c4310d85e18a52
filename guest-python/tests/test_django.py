"""`bolt.django` over a fake host: models, transactions, migrations. SQL is in test_django_sql.py.

Django's own tests are in `django_suite`.
"""

import asyncio
import subprocess
import sys
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from djangofake import Author, Book, Event, connection, host, models
from loop_host import Host
from loop_host import loop_host as loop_host_body
from sqlfake import SqlHost

from bolt import sql
from bolt.django import migrate

django_db = pytest.importorskip("django.db")

from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, transaction  # noqa: E402
from django.db.models import Count, F, Q, Sum  # noqa: E402
from django.test.utils import CaptureQueriesContext, override_settings  # noqa: E402

__all__ = ["host"]


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Any:
    yield from loop_host_body(monkeypatch)


def test_queries(host: SqlHost) -> None:
    ann, bob = Author.objects.bulk_create([Author(name="ann", age=30), Author(name="bob")])
    Book.objects.bulk_create([Book(title=f"b{n}", author=ann, pages=n) for n in range(1, 700)])
    assert Book.objects.filter(Q(pages__lt=3) | Q(title__endswith="99"), author=ann).count() == 9
    assert Book.objects.filter(title="b7").update(pages=F("pages") + 10) == 1
    assert Book.objects.select_related("author").get(pages=17, title="b7").author.name == "ann"
    found = Author.objects.annotate(n=Count("books"), pages=Sum("books__pages")).order_by("name")
    assert list(found.values_list("name", "n", "pages")) == [("ann", 699, 244660), ("bob", 0, None)]
    assert [one.pk for one in Author.objects.prefetch_related("books")] == [ann.pk, bob.pk]
    assert Author.objects.get_or_create(name="ann")[1] is False
    assert len(list(Book.objects.iterator(chunk_size=50))) == 699
    assert Book.objects.filter(pk__in=range(1000)).delete()[0] == 699
    assert not Book.objects.exists() and Author.objects.filter(age__isnull=True).first() == bob
    assert not host.sessions


def test_values(host: SqlHost) -> None:
    given = {
        "at": datetime(2024, 5, 12, 10, 30, 0, 250, UTC),
        "day": date(2024, 5, 12),
        "hour": time(10, 30, 59, 5),
        "took": timedelta(days=-2, microseconds=7),
        "key": uuid.UUID(int=2**127),
        "data": {"a": [1, None, "ü"], "b": {"c": True}},
        "raw": b"\0\xff",
        "done": True,
        "size": 1.5,
        "amount": Decimal("12345678.1234"),
    }
    made = Event.objects.create(**given)
    found = Event.objects.get(pk=made.pk)
    assert {name: getattr(found, name) for name in given} == given
    for name, value in given.items():
        if name != "raw":
            assert Event.objects.filter(**{name: value}).count() == 1, name
    assert Event.objects.filter(data__b__c=True, data__a__0=1, data__has_key="b").exists()
    empty = Event.objects.create()
    found = Event.objects.get(pk=empty.pk)
    assert all(getattr(found, name) is None for name in given)
    with pytest.raises(django_db.DataError):
        Author.objects.create(name="x", age=2**64)


def test_atomic(host: SqlHost) -> None:
    done: list[str] = []
    with transaction.atomic():
        Author.objects.create(name="ann")
        with pytest.raises(IntegrityError), transaction.atomic():
            Author.objects.create(name="bob")
            Author.objects.create(name="ann")
        transaction.on_commit(lambda: done.append("committed"))
        assert not done
    assert done == ["committed"]
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Author.objects.create(name="bob")
        assert Author.objects.count() == 2
        raise ZeroDivisionError
    assert list(Author.objects.values_list("name", flat=True)) == ["ann"]
    assert not host.sessions and [text for _, text in host.log].count("begin immediate") == 2


@pytest.mark.parametrize(
    ("mode", "begins"), [(None, "begin"), ("deferred", "begin"), ("immediate", "begin immediate")]
)
def test_how_transactions_begin(host: SqlHost, mode: str | None, begins: str) -> None:
    connection.close()
    connection.settings_dict["OPTIONS"] = {"transaction_mode": mode}
    try:
        with transaction.atomic():
            Author.objects.count()
        assert [text for _, text in host.log if text.startswith("begin")] == [begins]
        host.log.clear()
        transaction.set_autocommit(False)
        Author.objects.count()
        assert host.log[0][1] == begins
        Author.objects.create(name="ann")
        transaction.rollback()
        Author.objects.create(name="bob")
        transaction.commit()
        transaction.set_autocommit(True)
    finally:
        connection.settings_dict["OPTIONS"] = {}
        connection.close()
    assert [author.name for author in Author.objects.all()] == ["bob"]


def test_options() -> None:
    for name, options in (("main", {"timeout": 5}), ("main", {"transaction_mode": "X"}), ("", {})):
        wrapper = type(connection._connections["default"])(
            {**connection.settings_dict, "NAME": name, "OPTIONS": options}, "default"
        )
        with pytest.raises(ImproperlyConfigured, match=r"NAME is the name|of OPTIONS"):
            wrapper.get_connection_params()


def test_integrity_errors(host: SqlHost) -> None:
    author = Author.objects.create(name="ann")
    for make, kind in (
        (lambda: Author.objects.create(name="ann"), sql.UniqueViolation),
        (lambda: Author.objects.create(name=None), sql.NotNullViolation),
        (lambda: Book.objects.create(author=author, pages=-1), sql.CheckViolation),
        (lambda: Book.objects.create(author_id=77), sql.ForeignKeyViolation),
    ):
        with pytest.raises(IntegrityError) as caught:
            make()
        assert type(caught.value.__cause__) is kind
    # Foreign keys are checked at the end of a transaction.
    with pytest.raises(IntegrityError), transaction.atomic():
        Book.objects.create(author_id=77)
        assert Book.objects.count() == 1
    assert not Book.objects.exists() and not host.sessions
    with pytest.raises(django_db.ProgrammingError, match="no such table"):
        connection.cursor().execute("select * from missing")


def test_cursors(host: SqlHost) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select %s || '%%s', %s", ["a", 2])
        assert cursor.fetchall() == [("a%s", 2)]
        cursor.execute("select %(b)s, %(a)s, %(b)s", {"a": 1, "b": "x", "unused": None})
        assert cursor.fetchone() == ("x", 1, "x")
        cursor.execute("select '%s'")
        assert cursor.fetchone() == ("%s",)
        cursor.executemany("insert into djangofake_author (name) values (%s)", [["a"], ["b"]])
        assert cursor.rowcount == 2
        with pytest.raises(django_db.ProgrammingError, match="no parameter 'c'"):
            cursor.execute("select %(c)s", {"a": 1})
    at = datetime(2024, 5, 12, 10, 30, 0, 250)
    Event.objects.create(at=at.replace(tzinfo=UTC), day=at.date(), done=True, amount=1)
    with connection.cursor() as cursor:
        cursor.execute("select id, at, day, done, amount, hour from djangofake_event")
        assert cursor.fetchall() == [(1, at, at.date(), True, 1, None)]
        cursor.execute("update djangofake_event set at = 'soon'")
        cursor.execute("select at from djangofake_event")
        assert cursor.fetchone() == ("soon",)
    with CaptureQueriesContext(connection) as captured:
        Author.objects.filter(name="a'", age=3).count()
    assert """"name" = 'a''')""" in captured[0]["sql"] and '"age" = 3' in captured[0]["sql"]


def _column(name: str, field: Any) -> Any:
    field.set_attributes_from_name(name)
    field.model = Author
    return field


def _types() -> dict[str, str]:
    with connection.cursor() as cursor:
        told = connection.introspection.get_table_description(cursor, "djangofake_author")
    return {one.name: one.type_code for one in told}


def test_changes_of_tables(host: SqlHost) -> None:
    author = Author.objects.create(name="ann")
    Book.objects.create(title="a", author=author)
    city = _column("city", models.CharField(max_length=9, default="Ulm"))
    name = _column("name", models.CharField(max_length=90, unique=True, db_index=True))
    # Both make the table anew, while a row of another one refers to it.
    with connection.schema_editor() as editor:
        editor.alter_field(Author, Author._meta.get_field("name"), name)
    assert _types()["name"] == "varchar(90)"
    with connection.schema_editor() as editor:
        editor.add_field(Author, city)
    assert _types()["city"] == "varchar(9)"
    with connection.cursor() as cursor:
        cursor.execute("select name, city from djangofake_author")
        assert cursor.fetchall() == [("ann", "Ulm")]
        cursor.execute("pragma foreign_keys")
        assert cursor.fetchone() == (1,)
    with pytest.raises(IntegrityError):
        author.delete()
        with connection.cursor() as cursor:
            cursor.execute("insert into djangofake_book values (9, 'x', 1, 1, 77)")
    with connection.schema_editor() as editor:
        editor.remove_field(Author, city)
    assert not host.sessions


def test_changes_that_break_a_foreign_key(host: SqlHost) -> None:
    with (
        pytest.raises(IntegrityError, match="invalid foreign key"),
        connection.schema_editor() as editor,
    ):
        editor.execute("insert into djangofake_book values (1, 'x', 1, 1, 77)")
    with pytest.raises(ZeroDivisionError), connection.schema_editor(atomic=False) as editor:
        editor.execute("insert into djangofake_author (name) values ('kept')")
        raise ZeroDivisionError
    assert not host.sessions and not connection.in_atomic_block
    assert connection.connection.foreign_keys
    assert not Book.objects.exists() and Author.objects.get().name == "kept"
    with (
        pytest.raises(django_db.NotSupportedError),
        transaction.atomic(),
        connection.schema_editor(),
    ):
        pass


def test_migrations(host: SqlHost) -> None:
    for _ in range(2):
        migrate()
    names = connection.introspection.table_names()
    assert {"django_content_type", "django_migrations"} <= set(names)
    assert [text for _, text in host.log].count("begin immediate") == 2
    call_command("migrate", "contenttypes", "zero", verbosity=0)
    assert "django_content_type" not in connection.introspection.table_names()
    assert not host.sessions and connection.connection.foreign_keys
    assert connection.transaction_mode is None


def test_introspection(host: SqlHost) -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "djangofake_book")
        assert {"columns": ["pages"], "check": True}.items() <= {
            **next(one for one in found.values() if one["check"])
        }.items()
        assert ("djangofake_author", "id") in [one["foreign_key"] for one in found.values()]
    told = StringIO()
    call_command("inspectdb", "djangofake_event", "djangofake_book", stdout=told)
    for line in (
        "at = models.DateTimeField",
        "data = models.JSONField",
        "ForeignKey('DjangofakeAuthor'",
    ):
        assert line in told.getvalue()
    migrate()
    call_command("flush", interactive=False, verbosity=0)
    graph = connection.ops._references_graph
    assert set(graph("djangofake_author")) == {"djangofake_author", "djangofake_book"}


async def _reads() -> int:
    return Author.objects.count()


def test_async_methods_block(host: SqlHost, loop: Host) -> None:
    async def handler() -> list[str]:
        await Author.objects.acreate(name="ann")
        with pytest.raises(SynchronousOnlyOperation, match="`def` handler"):
            Author.objects.count()
        with pytest.raises(SynchronousOnlyOperation), transaction.atomic():
            pass
        assert await asyncio.to_thread(Author.objects.count) == 1
        return [author.name async for author in Author.objects.all()]

    assert loop.run(handler()) == ["ann"]
    # As in a `def` handler: the loop runs, but no coroutine has called.
    assert Author.objects.count() == 1
    # The SDK calls such handlers from coroutines of its own.
    inner = {"count": Author.objects.count}
    exec(compile("async def endpoint():\n    return count()", "<bolt handler>", "exec"), inner)
    assert loop.run(inner["endpoint"]()) == 1
    with pytest.raises(SynchronousOnlyOperation):
        loop.run(_reads())


@override_settings(DEBUG=True)
def test_system_checks(host: SqlHost) -> None:
    call_command("check", databases=["default"], stderr=StringIO(), stdout=StringIO())


def test_what_only_the_host_can() -> None:
    with pytest.raises(django_db.NotSupportedError, match="the host has the file"):
        connection.client.runshell([])
    with pytest.raises(django_db.NotSupportedError, match="without parallel"):
        connection.creation.clone_test_db("2", autoclobber=True, verbosity=0)
    assert connection.creation._get_test_db_name() == "test_main"


def test_the_sdk_does_not_import_it() -> None:
    code = "import sys, bolt, bolt.sql, bolt.django; assert 'django' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
