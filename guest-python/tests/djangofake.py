"""Settings, models and a database of Django over a fake host, for the tests of `bolt.django`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlfake import SqlHost, sql_host

django = pytest.importorskip("django")

from django.conf import settings  # noqa: E402

settings.configure(
    DATABASES={"default": {"ENGINE": "bolt.django", "NAME": "main"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "djangofake"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    TIME_ZONE="UTC",
    USE_TZ=True,
)
django.setup()

from django.db import connection, models  # noqa: E402


class Author(models.Model):
    name = models.CharField(max_length=50, unique=True)
    age = models.IntegerField(null=True)

    class Meta:
        ordering = ["id"]


class Book(models.Model):
    title = models.CharField(max_length=100)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    pages = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["id"]


class Event(models.Model):
    at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    hour = models.TimeField(null=True)
    took = models.DurationField(null=True)
    key = models.UUIDField(null=True)
    data = models.JSONField(null=True)
    raw = models.BinaryField(null=True)
    done = models.BooleanField(null=True)
    size = models.FloatField(null=True)
    amount = models.DecimalField(max_digits=12, decimal_places=4, null=True)

    class Meta:
        ordering = ["id"]


class Seat(models.Model):
    pk = models.CompositePrimaryKey("row", "number")
    row = models.CharField(max_length=2)
    number = models.IntegerField()


MODELS: list[Any] = [Author, Book, Event, Seat]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SqlHost]:
    """A host whose database has the tables of the models."""
    for made in sql_host(tmp_path):
        with connection.schema_editor() as editor:
            for model in MODELS:
                editor.create_model(model)
        made.log.clear()
        yield made
        connection.close()
