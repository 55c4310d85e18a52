"""The cases of data.py: what each asks for, whom, and what is wanted of bolt-host."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from data_load import Found, Request
from databases import USERS, user
from report import OURS

GUEST = json.dumps({"name": "a guest", "email": "guest@example.org", "age": 42}).encode()
BAD_GUEST = json.dumps({"name": "a guest", "email": "guest@example.org", "age": "old"}).encode()
HELLO = {"message": "hello", "n": 1}
OFTEN = (1, 16, 64, 256)
FASTAPIS = ("fastapi", "fastapi-autocommit")
PEERS = ("fastapi", "django-bolt")
LIMITED = "bolt-host-80"


def one_user(value: Any, number: int) -> bool:
    return bool(value == user(number))


def users_after(count: int) -> Callable[[Any, int], bool]:
    """Whether the answer to a number is that many users after it."""

    def right(value: Any, number: int) -> bool:
        return bool(value == [user(number + 1 + index) for index in range(count)])

    return right


def page(path: str, count: int = 20) -> Request:
    # Every page is a full one.
    numbers = USERS - count
    return Request(
        f"{path}?after={{n}}", users_after(count), numbers=numbers, bad_path=f"{path}?after=x"
    )


def first_users(value: Any, _: int) -> bool:
    return users_after(20)(value, 0)


def new_guest(value: Any, _: int) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), int)


def hello(value: Any, _: int) -> bool:
    return bool(value == HELLO)


def was_set(value: Any, _: int) -> bool:
    return value is True


@dataclass(frozen=True)
class Entry:
    """A row of a table: what is asked of which server."""

    server: str
    request: Request
    # If one server has several.
    name: str = ""
    # If not with all that the case has.
    connections: tuple[int, ...] | None = None

    @property
    def label(self) -> str:
        return self.name or self.server

    def of(self, case: DataCase) -> tuple[int, ...]:
        return self.connections or case.connections


def all_of(request: Request, *servers: str) -> tuple[Entry, ...]:
    return tuple(Entry(server, request) for server in servers)


def often(request: Request) -> tuple[Entry, ...]:
    """Entries of all servers with Postgres."""
    return (
        *all_of(request, OURS, *PEERS),
        Entry("fastapi-autocommit", request, connections=(64,)),
        Entry(LIMITED, request, connections=(256,)),
    )


@dataclass(frozen=True)
class Goal:
    """What is wanted of an entry: of a figure, or of its ratio to that of another one."""

    says: str
    key: str
    of: str = OURS
    than: str | None = None
    least: float | None = None
    most: float | None = None

    def value(self, found: dict[tuple[str, int], list[Found]]) -> float | None:
        """The median of the rounds, of ratios within each; above 1 is always better."""
        ours = [one[self.key] for one in found.get((self.of, 64), [])]
        if self.than is not None:
            theirs = [one[self.key] for one in found.get((self.than, 64), [])]
            pairs = list(zip(ours, theirs, strict=False))
            ours = [b / a if self.key == "us" else a / b for a, b in pairs]
        return median(ours) if ours else None

    @property
    def wanted(self) -> str:
        if self.least is not None:
            return f">= {self.least:,g}"
        return f"<= {self.most:,g}"

    def met(self, value: float) -> bool:
        if self.least is not None:
            return value >= self.least
        return self.most is not None and value <= self.most


@dataclass(frozen=True)
class DataCase:
    """One case: its database, its servers, and what is wanted."""

    name: str
    says: str
    entries: tuple[Entry, ...]
    goals: tuple[Goal, ...]
    postgres: bool = True
    connections: tuple[int, ...] = (64,)
    # Whether each answered request has to be a row of the table of guests.
    inserts: bool = False
    # Whether connections that are made while it is measured are counted.
    sessions: bool = False
    columns: dict[str, str] = field(
        default_factory=lambda: {
            "rate": "requests/s",
            "p50": "p50 ms",
            "p95": "p95 ms",
            "p99": "p99 ms",
            "us": "processor time of the server, us",
        }
    )

    def heads(self) -> dict[str, str]:
        heads = dict(self.columns)
        if self.postgres:
            heads["database"] = "of Postgres, us"
        if self.sessions:
            heads["sessions"] = "connections made"
        return heads


RATE, P95, P99 = "requests/s", "p95, ms", "p99, ms"
TIME = "processor time of {0} / ours"
TIMES = "requests/s of ours / {0}"


def time_goals(least: dict[str, float]) -> tuple[Goal, ...]:
    return tuple(
        Goal(TIME.format(peer), "us", than=peer, least=ratio) for peer, ratio in least.items()
    )


ROWS = (
    Entry(OURS, page("/hundred-rows", 100), "db.rows"),
    Entry(OURS, page("/hundred-dicts", 100), "fetch, dicts"),
    Entry(OURS, page("/hundred", 100), "fetch, Struct"),
)
ROWS_GOALS = tuple(
    Goal(f"requests/s of db.rows / {other}", "rate", of="db.rows", than=other, least=2)
    for other in ("fetch, dicts", "fetch, Struct")
)
CASES = {
    case.name: case
    for case in (
        DataCase(
            "crud-list",
            "`GET /crud?limit=20`, SQLite: `api.crud`, which the host answers without Python.",
            all_of(
                Request("/crud?limit=20", first_users, numbers=1, bad_path="/crud?limit=x"),
                *(OURS, "fastapi", "fastapi-def"),
            ),
            (
                *(
                    Goal(TIMES.format(peer), "rate", than=peer, least=30)
                    for peer in ("fastapi", "fastapi-def")
                ),
                Goal(P99, "p99", most=5),
            ),
            postgres=False,
        ),
        DataCase(
            "read",
            "`GET /users/{n}`, Postgres: a user by its key, through Python.",
            often(Request("/users/{n}", one_user, bad_path="/users/x")),
            time_goals({"fastapi": 3, "fastapi-autocommit": 3, "django-bolt": 2}),
            connections=OFTEN,
        ),
        DataCase(
            "page",
            "`GET /users?after={n}`, Postgres: 20 users after a key, through Python.",
            often(page("/users")),
            (
                Goal(f"{RATE} (or 3 times those of fastapi)", "rate", least=10_000),
                *(Goal(TIMES.format(peer), "rate", than=peer, least=3) for peer in FASTAPIS),
                Goal(P95, "p95", most=15),
            ),
            connections=OFTEN,
        ),
        DataCase(
            "page-fresh",
            'The same in `isolation="fresh"`: a new interpreter for each request.',
            all_of(page("/fresh"), OURS),
            (
                Goal(RATE, "rate", least=5000),
                Goal("connections made while it was measured", "sessions", most=0),
            ),
            sessions=True,
        ),
        DataCase(
            "rows-postgres",
            "100 users, Postgres: `db.rows`, and the same query through Python.",
            ROWS,
            ROWS_GOALS,
        ),
        DataCase(
            "rows-sqlite",
            "100 users, SQLite: `db.rows`, and the same query through Python.",
            ROWS,
            ROWS_GOALS,
            postgres=False,
        ),
        DataCase(
            "insert",
            "`POST /guests`, SQLite with WAL and `synchronous=NORMAL`: a row, and its key back.",
            all_of(
                Request(
                    *("/guests", new_guest, 1, GUEST, "POST"),
                    bad_body=BAD_GUEST,
                ),
                *(OURS, "fastapi", "fastapi-def"),
            ),
            (Goal(RATE, "rate", least=5000), Goal(P99, "p99", most=20)),
            postgres=False,
            inserts=True,
        ),
        DataCase(
            "keys",
            "A store of keys and values beside hello, all `async def`; 1,000 keys, and values "
            "that are as hello's answer.",
            (
                Entry(OURS, Request("/", hello, numbers=1), "hello"),
                Entry(OURS, Request("/keys/{n}", hello, numbers=1000), "get"),
                Entry(OURS, Request("/keys/{n}", was_set, numbers=1000, method="POST"), "set"),
            ),
            (
                Goal("requests/s of get / hello", "rate", of="get", than="hello", least=0.8),
                Goal("requests/s of set", "rate", of="set", least=20_000),
            ),
            postgres=False,
        ),
    )
}
