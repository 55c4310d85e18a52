"""SQLAlchemy 2 over the databases of the host, in `def` handlers.

    from bolt.sqlalchemy import create_engine

    engine = create_engine("main")

    @api.get("/users")
    def users() -> list[str]:
        with Session(engine) as session:
            return list(session.scalars(select(User.name)))

To import it also registers the dialect, for `sqlalchemy.create_engine("sqlite+bolt:///main")`.
A transaction that reads before it writes raises OperationalError if another one has written in
between. With `isolation_level="IMMEDIATE"`, for the engine or for a connection, it waits instead
and never raises that; such transactions are one after another.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["create_engine"]

try:
    # Not an import statement: mypy must not depend on whether SQLAlchemy is installed.
    _sqlalchemy: Any = importlib.import_module("sqlalchemy")
    from ._sql.dialect import BoltDialect
except ImportError as missing:
    raise ImportError(
        f"bolt.sqlalchemy needs SQLAlchemy 2, and it cannot be imported ({missing}): "
        "install it into the folder of the app, or use bolt.sql"
    ) from missing

_registry: Any = importlib.import_module("sqlalchemy.dialects").registry
for _name in ("bolt", "sqlite.bolt"):
    _registry.register(_name, BoltDialect.__module__, BoltDialect.__name__)


def create_engine(database: str = "main", **options: Any) -> Any:
    """An engine for a database that the operator grants. It asks the host for nothing.

    options: those of `sqlalchemy.create_engine`.
    """
    return _sqlalchemy.create_engine(
        _sqlalchemy.URL.create("sqlite+bolt", database=database), **options
    )
