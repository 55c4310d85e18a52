"""The SQL of `bolt.django` over a fake host: dates, time zones, functions, aggregates."""

import random
import statistics
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from djangofake import Author, Book, Event, Seat, host, models
from sqlfake import SqlHost

django_db = pytest.importorskip("django.db")

from django.db.models import (  # noqa: E402
    Avg,
    Case,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    FloatField,
    Max,
    Q,
    StdDev,
    Sum,
    Value,
    Variance,
    When,
    Window,
)
from django.db.models.functions import (  # noqa: E402
    MD5,
    Cast,
    Coalesce,
    Concat,
    Cot,
    Extract,
    Greatest,
    Lower,
    LPad,
    Now,
    Random,
    Rank,
    Repeat,
    Reverse,
    RPad,
    StrIndex,
    Substr,
    Trunc,
    TruncDate,
    TruncTime,
)
from django.utils import timezone  # noqa: E402

__all__ = ["host"]

# The ends of years, weeks and seconds; leap days; ISO weeks 1, 52 and 53.
MOMENTS = [
    *(datetime(year, 12, 31, 23, 59, 59, 999_999, UTC) for year in range(2015, 2028)),
    *(datetime(year, 1, 1, 0, 0, 0, 1, UTC) for year in range(2015, 2028)),
    *(datetime(2024, month, 28, 12, 30, 1, 500, UTC) for month in range(1, 13)),
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(1899, 3, 1, 5, 4, 3, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_500, UTC),
    datetime(1, 1, 1, tzinfo=UTC),
]
PARTS: dict[str, Any] = {
    "year": lambda at: at.year,
    "iso_year": lambda at: at.isocalendar().year,
    "quarter": lambda at: (at.month + 2) // 3,
    "month": lambda at: at.month,
    "week": lambda at: at.isocalendar().week,
    "day": lambda at: at.day,
    "week_day": lambda at: at.isoweekday() % 7 + 1,
    "iso_week_day": lambda at: at.isoweekday(),
    "hour": lambda at: at.hour,
    "minute": lambda at: at.minute,
    "second": lambda at: at.second,
}
BEGINNINGS: dict[str, Any] = {
    "year": lambda at: at.replace(month=1, day=1, hour=0, minute=0, second=0),
    "quarter": lambda at: at.replace(
        month=(at.month - 1) // 3 * 3 + 1, day=1, hour=0, minute=0, second=0
    ),
    "month": lambda at: at.replace(day=1, hour=0, minute=0, second=0),
    "week": lambda at: at.replace(hour=0, minute=0, second=0) - timedelta(days=at.weekday()),
    "day": lambda at: at.replace(hour=0, minute=0, second=0),
    "hour": lambda at: at.replace(minute=0, second=0),
    "minute": lambda at: at.replace(second=0),
    "second": lambda at: at,
}


@pytest.fixture
def events(host: SqlHost) -> Any:
    Event.objects.bulk_create([Event(at=at, day=at.date(), hour=at.time()) for at in MOMENTS])
    return Event.objects.order_by("id")


def of(events: Any, expression: Any) -> list[Any]:
    return list(events.annotate(found=expression).values_list("found", flat=True))


def test_parts_of_dates(events: Any) -> None:
    for name, part in PARTS.items():
        expected = [part(at) for at in MOMENTS]
        assert of(events, Extract("at", name)) == expected, name
        if name in ("hour", "minute", "second"):
            assert of(events, Extract("hour", name)) == expected, name
        else:
            assert of(events, Extract("day", name)) == expected, name
    with pytest.raises(ValueError, match="has no 'century'"):
        of(events, Extract("at", "century"))


def test_beginnings(events: Any) -> None:
    for name, begin in BEGINNINGS.items():
        expected = [begin(at.replace(microsecond=0)) for at in MOMENTS]
        assert of(events, Trunc("at", name)) == expected, name
        if name in ("hour", "minute", "second"):
            assert of(events, Trunc("hour", name)) == [at.time() for at in expected], name
        else:
            assert of(events, Trunc("day", name)) == [at.date() for at in expected], name
    assert of(events, TruncDate("at")) == [at.date() for at in MOMENTS]
    assert of(events, TruncTime("at")) == [at.time() for at in MOMENTS]
    assert events.filter(at__year=2024, at__date__lt=date(2024, 2, 1)).count() == 2
    assert list(events.dates("at", "year"))[:2] == [date(1, 1, 1), date(1899, 1, 1)]


def test_what_is_missing_stays_missing(host: SqlHost) -> None:
    Event.objects.create()
    for expression in (
        Extract("at", "week"),
        Trunc("at", "quarter"),
        Trunc("hour", "hour"),
        TruncTime("at"),
        ExpressionWrapper(F("at") + timedelta(1), models.DateTimeField()),
        ExpressionWrapper(F("at") - F("at"), DurationField()),
    ):
        assert of(Event.objects, expression) == [None]


ZONES = [
    *("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo"),
    *("Africa/Casablanca", "America/Sao_Paulo", "Pacific/Apia", "Etc/GMT-10", "UTC"),
]


@pytest.mark.parametrize("name", ZONES)
def test_time_zones(host: SqlHost, name: str) -> None:
    try:
        zone = ZoneInfo(name)
    except ZoneInfoNotFoundError:
        pytest.skip("there are no time zones")
    chance = random.Random(name)
    first = datetime(1901, 1, 1, tzinfo=UTC)
    span = datetime(2099, 1, 1, tzinfo=UTC) - first
    moments = [first + span * chance.random() for _ in range(150)]
    # Each hour around the changes of some years.
    for at in [datetime(2024, month, 25, tzinfo=UTC) for month in (3, 10)]:
        moments += [at + timedelta(minutes=30 * n) for n in range(400)]
    Event.objects.bulk_create([Event(at=at) for at in moments])
    found = of(Event.objects, TruncTime("at", tzinfo=zone))
    assert found == [at.astimezone(zone).time() for at in moments]
    found = of(Event.objects, TruncDate("at", tzinfo=zone))
    assert found == [at.astimezone(zone).date() for at in moments]


def test_the_current_time_zone(host: SqlHost) -> None:
    Event.objects.create(at=datetime(2024, 5, 12, 22, 30, tzinfo=UTC))
    with timezone.override(timezone.get_fixed_timezone(timedelta(hours=5, minutes=30))):
        assert Event.objects.filter(at__day=13, at__hour=4, at__date=date(2024, 5, 13)).exists()
        # An aggregate has it as well.
        found = Event.objects.values("id").annotate(hour=Extract(Max("at"), "hour"))
        assert [one["hour"] for one in found] == [4]
    with timezone.override(timezone.get_fixed_timezone(timedelta(hours=-3))):
        assert Event.objects.filter(at__hour=19, at__minute=30).exists()


def test_durations(host: SqlHost) -> None:
    at = datetime(2024, 2, 28, 23, 59, 59, 999_999, UTC)
    for took in (timedelta(microseconds=1), timedelta(days=-900, seconds=5), timedelta(hours=36)):
        Event.objects.all().delete()
        Event.objects.create(at=at, day=at.date(), hour=at.time(), took=took)
        found = Event.objects.annotate(
            later=F("at") + F("took"),
            earlier=F("at") - took,
            other=ExpressionWrapper(took + F("at"), models.DateTimeField()),
            day_later=F("day") + F("took"),
            hour_later=F("hour") + F("took"),
            since=F("at") - Value(at - took, models.DateTimeField()),
            twice=ExpressionWrapper(F("took") * 2, DurationField()),
            half=ExpressionWrapper(F("took") / 2.0, DurationField()),
            both=F("took") + F("took"),
        ).get()
        assert (found.later, found.earlier, found.other) == (at + took, at - took, at + took)
        midnight = datetime(2024, 2, 28)
        assert found.day_later.replace(tzinfo=None) == midnight + took
        assert found.hour_later == (datetime.combine(at.date(), at.time()) + took).time()
        assert (found.since, found.twice, found.both) == (took, took * 2, took * 2)
        assert abs(found.half - took / 2) <= timedelta(microseconds=1)
        assert Event.objects.filter(at__lt=F("at") + F("took")).exists() == (took > timedelta())
    found = Event.objects.annotate(found=F("at"))
    for _ in range(20):
        found = found.annotate(found=timedelta(hours=-1) + F("found") - timedelta(microseconds=1))
    assert found.get().found == at - 20 * timedelta(hours=1, microseconds=1)
    # Days are compared with days.
    Event.objects.update(day=date(2024, 2, 28), took=timedelta(days=1))
    assert not Event.objects.filter(day__gt=F("day") + timedelta(days=-1) + F("took")).exists()
    assert not Event.objects.filter(day__lt=F("day") + timedelta()).exists()
    difference = Event.objects.annotate(found=F("hour") - Value(time(1), models.TimeField())).get()
    assert difference.found == timedelta(hours=22, minutes=59, seconds=59, microseconds=999_999)


def test_texts(host: SqlHost) -> None:
    Author.objects.create(name="Ämil", age=3)

    def value(expression: Any) -> Any:
        return Author.objects.annotate(found=expression).get().found

    assert value(LPad("name", 7, Value("xy"))) == "xyxÄmil"
    assert value(LPad("name", 2)) == "Äm"
    assert value(RPad("name", 7, Value("00"))) == "Ämil000"
    assert value(Repeat("name", F("age"))) == "Ämil" * 3
    assert value(Repeat("name", 0)) == "" and value(Repeat("name", Value(None))) is None
    assert value(Reverse("name")) == "limÄ" and value(Reverse(Value(""))) == ""
    assert value(Concat(Lower("name"), Value("%"), Substr("name", 2, 1))).endswith("il%m")
    assert value(StrIndex("name", Value("i"))) == 3
    assert value(Cast("age", models.CharField(max_length=9))) == "3"
    assert value(Greatest("age", 7)) == 7 and value(Coalesce(Value(None), "age")) == 3
    assert abs(value(Now()) - datetime.now(UTC)) < timedelta(minutes=1)


def test_numbers(host: SqlHost) -> None:
    Author.objects.bulk_create([Author(name=str(n), age=n) for n in range(6)])
    assert of(Author.objects, F("age").bitxor(5)) == [n ^ 5 for n in range(6)]
    assert of(Author.objects, F("age") % 4) == [n % 4 for n in range(6)]
    assert of(Author.objects, F("age") ** 2) == [n**2 for n in range(6)]
    rolled = of(Author.objects, Random())
    assert len(set(rolled)) == 6 and all(0 <= one < 1 for one in rolled)
    assert len(Author.objects.order_by("?")) == 6
    assert of(Author.objects.filter(age=1), Cot("age")) == [pytest.approx(0.642092616)]
    made = Case(When(Q(age__gt=3), then=Value("many")), default=Value("few"))
    assert of(Author.objects, made) == ["few"] * 4 + ["many"] * 2


def test_keys_of_several_columns(host: SqlHost) -> None:
    keys = [("A", n) for n in range(600)]
    Seat.objects.bulk_create([Seat(row=row, number=number) for row, number in keys])
    found = Seat.objects.filter(pk__in=[*keys[:550], ("B", 1), ("A", None)])
    assert found.count() == 550
    assert Seat.objects.get(pk=("A", 7)).number == 7
    assert found.delete()[0] == 550 and not Seat.objects.filter(pk__in=[]).exists()
    assert (
        Seat.objects.filter(pk__in=Seat.objects.filter(number__lt=560).values("pk")).count() == 10
    )


def test_aggregates(host: SqlHost) -> None:
    ages = [3, 5, 5, 8, 13]
    authors = [Author(name=str(n), age=age) for n, age in enumerate(ages)]
    Author.objects.bulk_create([*authors, Author(name="none")])
    assert Author.objects.aggregate(
        pop=StdDev("age"),
        samp=StdDev("age", sample=True),
        var=Variance("age"),
        var_samp=Variance("age", sample=True, filter=Q(age__lt=10)),
        mean=Avg("age"),
        n=Count("age", distinct=True),
    ) == pytest.approx(
        {
            "pop": statistics.pstdev(ages),
            "samp": statistics.stdev(ages),
            "var": statistics.pvariance(ages),
            "var_samp": statistics.variance(ages[:4]),
            "mean": 6.8,
            "n": 4,
        }
    )
    one = Author.objects.filter(age=8)
    assert one.aggregate(a=StdDev("age"), b=Variance("age", sample=True)) == {"a": 0, "b": None}
    book = Book.objects.create(title="a", author=one.get(), price=Decimal("9.99"))
    found = Book.objects.aggregate(total=Sum("price"), spread=Variance("price"))
    assert found["total"] == book.price and found["spread"] == 0
    ranked = Author.objects.annotate(rank=Window(Rank(), order_by=F("age").desc()))
    assert ranked.filter(age=13).get().rank == 1


def test_what_has_no_plain_sql(host: SqlHost) -> None:
    Author.objects.create(name="ann", age=3)
    for make in (
        lambda: Author.objects.filter(name__regex="a").exists(),
        lambda: Author.objects.filter(name__iregex="a").exists(),
        lambda: of(Author.objects, MD5("name")),
        lambda: of(Author.objects, Window(StdDev("age"))),
        lambda: Event.objects.aggregate(Sum("at")),
    ):
        with pytest.raises(django_db.NotSupportedError):
            make()


def test_functions_of_an_app_keep_their_sql(host: SqlHost) -> None:
    Author.objects.create(name="ann")

    class Twice(Repeat):
        def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
            return "'own'", []

    class Same(Reverse):
        pass

    assert of(Author.objects, Twice("name", 2)) == ["own"]
    assert of(Author.objects, Same("name")) == ["nna"]
    assert of(Author.objects, Cast(Value("2.5"), FloatField())) == [2.5]
