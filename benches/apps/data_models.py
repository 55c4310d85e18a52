"""The tables of data.py, for SQLAlchemy."""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

from datetime import datetime

from sqlalchemy import DateTime, Engine, FetchedValue, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Person:
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    age: Mapped[int]


class User(Person, Base):
    __tablename__ = "users"

    created: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Guest(Person, Base):
    __tablename__ = "guests"

    created: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=FetchedValue()
    )


def prepare(engine: Engine) -> None:
    """Give SQLite the settings that bolt-host gives it."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def configure(connection, record) -> None:
        cursor = connection.cursor()
        cursor.execute("pragma journal_mode = wal")
        cursor.execute("pragma synchronous = normal")
        cursor.execute("pragma busy_timeout = 30000")
        cursor.close()
