"""`crud` over models of SQLAlchemy and Django: the Structs of their columns."""

from datetime import date
from enum import Enum
from typing import Any

import pytest
from crudfake import send
from sqlfake import SqlHost, host

from bolt import BoltAPI, sql
from bolt._crud.foreign import described
from bolt._schema.models import model_of

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
