"""SQLAlchemy 2 over the databases of the host, in `def` handlers.

    from bolt.sqlalchemy import create_engine

    engine = create_engine("main")

    @api.get("/users")
    def users() -> list[str]:
        with Session(engine) as session:
            return list(session.scalars(select(User.name)))

To import it also registers the dialects, for `sqlalchemy.create_engine("sqlite+bolt:///main")`
and "postgresql+bolt:///main". In SQLite, a transaction that reads before it writes raises
OperationalError if another one has written in between. With `isolation_level="IMMEDIATE"`, for the
engine or for a connection, it waits instead and never raises that; such transactions are one after
another.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal

__all__ = ["create_engine"]

try:
    # Not an import statement: mypy must not depend on whether SQLAlchemy is installed.
    _sqlalchemy: Any = importlib.import_module("sqlalchemy")
    from ._sql.dialect import BoltDialect
    from ._sql.postgres_dialect import BoltPostgresDialect
except ImportError as missing:
    raise ImportError(
        f"bolt.sqlalchemy needs SQLAlchemy 2, and it cannot be imported ({missing}): "
        "install it into the folder of the app, or use bolt.sql"
    ) from missing

_DRIVERS = {"sqlite": "sqlite+bolt", "postgres": "postgresql+bolt"}

_registry: Any = importlib.import_module("sqlalchemy.dialects").registry
for _name, _dialect in (
    ("bolt", BoltDialect),
    ("sqlite.bolt", BoltDialect),
    ("postgresql.bolt", BoltPostgresDialect),
):
    _registry.register(_name, _dialect.__module__, _dialect.__name__)


def create_engine(
    database: str = "main", *, dialect: Literal["sqlite", "postgres"] = "sqlite", **options: Any
) -> Any:
    """An engine for a database that the operator grants. It asks the host for nothing.

    dialect: what kind of database that is. A connection to one of another kind raises
        ArgumentError.
    options: those of `sqlalchemy.create_engine`.

    Raises ValueError for another dialect.
    """
    if dialect not in _DRIVERS:
        raise ValueError(f"the dialect is one of {', '.join(_DRIVERS)}, not {dialect!r}")
    url = _sqlalchemy.URL.create(_DRIVERS[dialect], database=database)
    return _sqlalchemy.create_engine(url, **options)
