"""`crud` over models of SQLAlchemy and Django: the Structs of their columns."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from crudfake import send
from sqlfake import SqlHost, host

from bolt import BoltAPI, sql
from bolt._errors import ResultError
from bolt._schema.models import model_of
from bolt._struct.foreign import described

__all__ = ["host"]

db = sql.Database("main")


class Level(Enum):
    LOW = 1


def fields(cls: type) -> dict[str, tuple[str, bool]]:
    """The kind of each field, "?" behind it if it may be null, and whether it is required."""
    found = {}
    for item in model_of(cls).fields:
        arms = [arm.kind for arm in item.type.args] or [item.type.kind]
        kind = arms[0] + ("?" if "none" in arms else "")
        found[item.name] = (kind, item.required)
    return found


def test_sqlalchemy(host: SqlHost) -> None:
    sa = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    base: Any = orm.declarative_base()

    class Post(base):
        __tablename__ = "posts"
        number = sa.Column(sa.Integer, primary_key=True)
        title = sa.Column(sa.String(5), nullable=False)
        body = sa.Column(sa.Text)
        day = sa.Column(sa.Date, nullable=False, default=lambda: date(2026, 1, 2))
        likes = sa.Column(sa.Integer, nullable=False, default=3)
        made = sa.Column(sa.DateTime, nullable=False, server_default=sa.func.now())
        more = sa.Column(sa.JSON)
        writer = sa.Column("writer_id", sa.Integer, sa.ForeignKey("posts.number"), nullable=False)

    cls, table, key = described(Post)
    assert (cls.__name__, table, key) == ("Post", "posts", "number")
    assert described(Post)[0] is cls
    assert fields(cls) == {
        "number": ("int?", False),
        "title": ("str", True),
        "body": ("str?", False),
        "day": ("date", False),
        "likes": ("int", False),
        "made": ("datetime?", False),
        "more": ("any?", False),
        "writer_id": ("int", True),
    }
    db.sync.execute(
        "create table posts (number integer primary key, title text, body text, day date, "
        "likes integer, made timestamp default '2026-05-06 07:08:09', more json, writer_id integer)"
    )
    api = BoltAPI()
    api.crud(Post)
    made = send(api, "POST", "/posts", {"title": "hello", "writer_id": 1})
    shown = {
        **{"number": 1, "title": "hello", "body": None, "day": "2026-01-02", "likes": 3},
        **{"made": "2026-05-06T07:08:09", "more": None, "writer_id": 1},
    }
    assert made == (201, shown)
    assert send(api, "GET", "/posts/1") == (200, shown)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (lambda sa: [sa.Column("a", sa.Time)], "'a' holds datetime.time"),
        (lambda sa: [sa.Column("a", sa.Enum(Level))], "'a' is an Enum"),
        (lambda sa: [sa.Column("a", sa.Integer, primary_key=True)], "has 2 columns as its key"),
        (lambda sa: [sa.Column("a b", sa.Integer)], "cannot be called 'a b'"),
    ],
)
def test_what_sqlalchemy_has_and_the_sdk_has_not(columns: Any, told: str) -> None:
    sa = pytest.importorskip("sqlalchemy")
    key = sa.Column("id", sa.Integer, primary_key=True)
    table = sa.Table("odd", sa.MetaData(), key, *columns(sa))
    with pytest.raises(TypeError, match=told):
        BoltAPI().crud(type("Odd", (), {"__table__": table}))


def test_django(host: SqlHost) -> None:
    pytest.importorskip("django")
    from django.conf import settings
    from django.db import models

    if not settings.configured:
        settings.configure()
        import django

        django.setup()

    class Writer(models.Model):
        code = models.SlugField(primary_key=True, max_length=9)

        class Meta:
            app_label = "shop"

    class Entry(models.Model):
        title = models.CharField(max_length=5)
        shown = models.BooleanField(default=True)
        at = models.DateTimeField(null=True)
        price = models.DecimalField(max_digits=5, decimal_places=2, default="1.50")
        writer = models.ForeignKey(Writer, on_delete=models.CASCADE)
        tags = models.JSONField(default=list)

        class Meta:
            app_label = "shop"

    cls, table, key = described(Entry)
    assert (cls.__name__, table, key) == ("Entry", "shop_entry", "id")
    assert fields(cls) == {
        "id": ("int?", False),
        "title": ("str", True),
        "shown": ("bool", False),
        "at": ("datetime?", False),
        "price": ("decimal", False),
        "writer_id": ("str", True),
        "tags": ("any", False),
    }
    assert described(Writer)[1:] == ("shop_writer", "code")
    db.sync.execute(
        "create table shop_entry (id integer primary key, title, shown bool, at datetime, "
        "price text, writer_id, tags json)"
    )
    api = BoltAPI()
    api.crud(Entry, path="/entries")
    status, made = send(api, "POST", "/entries", {"title": "hello", "writer_id": "ann"})
    assert (status, made["shown"], made["at"], made["price"]) == (201, True, None, "1.50")
    assert send(api, "GET", f"/entries/{made['id']}")[1] == made

    class Slow(models.Model):
        takes = models.DurationField()

        class Meta:
            app_label = "shop"

    with pytest.raises(TypeError, match="'takes' is a DurationField"):
        BoltAPI().crud(Slow)


def test_no_model() -> None:
    with pytest.raises(TypeError, match=r"not dict \(handler crud\(dict\)"):
        BoltAPI().crud(dict)


def test_models_of_sqlalchemy_as_results() -> None:
    sa = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    base: Any = orm.declarative_base()

    class Row(base):
        __tablename__ = "rows"
        first = sa.Column(sa.Integer, primary_key=True)
        second = sa.Column("number_two", sa.Integer, primary_key=True)
        level = sa.Column(sa.Enum(Level), nullable=False)
        at = sa.Column(sa.Time)
        more = sa.Column(sa.JSON)

    engine = sa.create_engine("sqlite://")
    base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(Row(first=1, second=2, level=Level.LOW, more={"a": [1]}))
        session.commit()
    api = BoltAPI()

    @api.get("/objects")
    def objects() -> list[Row]:
        with orm.Session(engine) as session:
            return list(session.scalars(sa.select(Row)))

    @api.get("/rows", response_model=list[Row])
    def rows() -> Any:
        with orm.Session(engine) as session:
            return session.execute(sa.select(Row.first, Row.second, Row.level, Row.at, Row.more))

    @api.get("/mappings", response_model=list[Row])
    def mappings() -> Any:
        with orm.Session(engine) as session:
            found = sa.select(Row.first, Row.second, Row.level, Row.at, Row.more)
            return session.execute(found).mappings().all()

    @api.get("/maybe")
    def maybe() -> Row | None:
        return None

    @api.get("/lines")
    def lines() -> Iterator[Row]:
        with orm.Session(engine) as session:
            yield from session.scalars(sa.select(Row))

    shown = {"first": 1, "second": 2, "level": 1, "at": None, "more": {"a": [1]}}
    assert send(api, "GET", "/objects") == (200, [shown])
    assert send(api, "GET", "/rows") == (200, [shown])
    assert send(api, "GET", "/mappings") == (200, [shown])
    assert send(api, "GET", "/maybe") == (200, None)
    result = api.routes[0].result
    assert result is not None
    assert fields(result.args[0].data) == {
        "first": ("int", True),
        "second": ("int", True),
        "level": ("enum", True),
        "at": ("any?", True),
        "more": ("any?", True),
    }
    # What lacks a column, or has it wrong, is the mistake of the handler.
    wrong = BoltAPI()

    @wrong.get("/few")
    def few() -> list[Row]:
        return [{"first": 1}]  # type: ignore[list-item]

    with pytest.raises(ResultError, match="what it returned has no 'second'"):
        send(wrong, "GET", "/few")


def test_models_of_django_as_results() -> None:
    pytest.importorskip("django")
    from django.conf import settings
    from django.db import models

    if not settings.configured:
        settings.configure()
        import django

        django.setup()

    class Owner(models.Model):
        name = models.CharField(max_length=5)

        class Meta:
            app_label = "results"

    class Pet(models.Model):
        owner = models.ForeignKey(Owner, on_delete=models.CASCADE)
        weight = models.DecimalField(max_digits=5, decimal_places=2, null=True)
        lasts = models.DurationField(null=True)

        class Meta:
            app_label = "results"

    api = BoltAPI()

    @api.get("/objects")
    def objects() -> list[Pet]:
        return [Pet(id=1, owner_id=2, weight=Decimal("1.50"))]

    @api.get("/values")
    def values() -> list[Pet]:
        # As `Pet.objects.values()`: no object a row.
        return [{"id": 1, "owner_id": 2, "weight": Decimal("1.50"), "lasts": None}]  # type: ignore[list-item]

    shown = {"id": 1, "owner_id": 2, "weight": "1.50", "lasts": None}
    assert send(api, "GET", "/objects") == (200, [shown])
    assert send(api, "GET", "/values") == (200, [shown])
