"""The servers of data.py: how to start each one over a database."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from databases import CONNECTIONS, Postgres
from servers import APPS, Server, bolt_command
from stream_servers import QUIET, UVICORN

FAST = ("--workers", "2", "--loop", "uvloop", "--http", "httptools", *QUIET)


@dataclass(frozen=True)
class Place:
    """What the servers of a round have: a Postgres server, or a file of SQLite."""

    binary: Path
    folder: Path
    postgres: Postgres | None

    @property
    def file(self) -> Path:
        return self.folder / "sql" / "bench.db"

    @property
    def alchemy(self) -> str:
        """The URL for SQLAlchemy."""
        if self.postgres is None:
            return f"sqlite+aiosqlite:///{self.file}"
        return f"postgresql+asyncpg://postgres@/bench?host={self.postgres.folder}"


def bolt_host(place: Place) -> Server:
    url = place.postgres.url if place.postgres else f"sqlite:{place.file}"
    flags = ("--sql", f"main={url}", "--sql-connections", str(CONNECTIONS))
    keys = ("--kv", f"main={place.folder / 'kv' / 'bench.kv'}")
    command = bolt_command(2, *flags, *keys, app="data_bolt.py")
    return Server(
        name="bolt-host",
        command=(str(place.binary), *command[1:]),
        note="this project: 1 process, 2 workers, "
        f"{CONNECTIONS} connections to Postgres, otherwise defaults",
        processes=1,
        needs=str(place.binary),
        advice="cargo build --release",
    )


def bolt_host_80(place: Place) -> Server:
    """An interpreter has at most 100 statements open, and all requests of a worker are in one."""
    server = bolt_host(place)
    return dataclasses.replace(
        server,
        name="bolt-host-80",
        command=(*server.command, "--concurrency", "80"),
        note="the same with `--concurrency 80`: of a worker's requests, more wait",
    )


def fastapi(place: Place) -> Server:
    return Server(
        name="fastapi",
        command=(*UVICORN, *FAST, "data_fastapi:app"),
        env={"DATABASE": place.alchemy},
        note="FastAPI on uvicorn with uvloop and httptools, 2 processes; SQLAlchemy's async ORM, "
        "asyncpg or aiosqlite, a session for each request, 10 connections a process",
        needs_venv=True,
    )


def fastapi_autocommit(place: Place) -> Server:
    return Server(
        name="fastapi-autocommit",
        command=(*UVICORN, *FAST, "data_fastapi:app"),
        env={"DATABASE": place.alchemy, "AUTOCOMMIT": "1"},
        note="the same with `AUTOCOMMIT`: no begin and rollback around a query",
        needs_venv=True,
    )


def fastapi_def(place: Place) -> Server:
    return Server(
        name="fastapi-def",
        command=(*UVICORN, *FAST, "data_fastapi_sync:app"),
        env={"DATABASE": place.alchemy},
        note="the same in `def` handlers with SQLAlchemy's ORM and sqlite3, 10 threads and "
        "as many connections as there are requests",
        needs_venv=True,
    )


def django_bolt(place: Place) -> Server:
    return Server(
        name="django-bolt",
        command=(
            *("{venv}/bin/python", "manage.py", "runbolt", "--host", "127.0.0.1"),
            *("--port", "{port}", "--processes", "2", "--no-admin"),
        ),
        cwd=APPS / "django_bolt",
        env={
            "DJANGO_SETTINGS_MODULE": "data_settings",
            "DATABASE_FOLDER": str(place.postgres.folder) if place.postgres else "",
        },
        note="Django-Bolt, 2 processes, Django's ORM over psycopg 3, "
        "4 threads with a connection each in a process (its default)",
        needs_venv=True,
        ends=False,
    )


SERVERS: dict[str, Callable[[Place], Server]] = {
    "bolt-host": bolt_host,
    "bolt-host-80": bolt_host_80,
    "fastapi": fastapi,
    "fastapi-autocommit": fastapi_autocommit,
    "fastapi-def": fastapi_def,
    "django-bolt": django_bolt,
}
