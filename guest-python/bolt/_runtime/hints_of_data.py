"""Hints for mistakes with databases, stores, and what is awaited: a table of patterns."""

from __future__ import annotations

import re

__all__ = ["NO_ASYNC_ENGINE", "SENTENCES", "of_data"]

_NOT_AWAITED = (
    "without `await` a call gives a coroutine: write `await db.fetch(...)` in an `async def` "
    "handler; in a `def` handler `db.sync.fetch(...)`, `store.sync.get(...)`, "
    "`http.sync.get(...)`."
)
_ASYNC_ITERATION = (
    "write `async for row in db.iterate(...)` in an `async def` handler, "
    "and `for row in db.sync.iterate(...)` in a `def` handler."
)
_ROWS = (
    "`db.rows(...)` is a response, which the handler returns without `await`; "
    "`await db.fetch(...)` gives rows to work with."
)
_AT_ONCE = (
    "what stands after `await` gives its result at once: leave the `await` out, or the `.sync` "
    "before the method: `await db.fetch(...)`, `await store.get(...)`."
)
_SYNC_TRANSACTION = (
    "write `with db.sync.transaction():` in a `def` handler, "
    "and `async with db.transaction():` in an `async def` handler."
)
_NO_TABLE = (
    "make the table: with `bolt-host migrate FOLDER --sql NAME=...`, or by a statement "
    "`create table if not exists`; check also that `--sql` names the database that has it."
)
_NO_DJANGO_TABLE = (
    "apply the migrations: call `migrate()` of `bolt.django` in the lifespan of the app."
)
_ARGUMENTS = (
    "arguments follow the text one by one, and not in a tuple or list: "
    '`db.fetch("... where id = $1 and name = $2", 1, "ann")`.'
)
_PLACEHOLDERS = "write `$1`, `$2`, ... where an argument belongs (for SQLite also `?`), not `%s`."
_ONE_STATEMENT = (
    "each call takes one statement: make several calls, in one transaction if they belong "
    "together; files of `bolt-host migrate` may have many statements."
)
_NOT_AUTHORIZED = (
    "the host refuses this statement: `attach` and `detach`, extensions, temporary tables and most "
    "pragmas are nothing that an app may use."
)
_DETACHED = (
    "the session that has loaded the object has ended: make it with "
    "`Session(engine, expire_on_commit=False)`, so that objects keep their columns after a commit; "
    "load relationships before the session ends."
)
NO_ASYNC_ENGINE = (
    "there is no async engine, which needs greenlets: "
    "use `create_engine` of `bolt.sqlalchemy` and `Session`, in a `def` handler."
)

# What an exception says, whatever its class. In later Pythons, a class has its module before it.
_OF_CALLS = (
    (r"'coroutine'|type coroutine\b|\bcoroutine object\b", _NOT_AWAITED),
    (r"'async_generator' object", _ASYNC_ITERATION),
    (r"'(?:[\w.]+\.)?Rows' object|\bobject (?:[\w.]+\.)?Rows can't", _ROWS),
    (
        r"'(?:list|dict|tuple|int|float|str|bytes|bool|NoneType)' object can't be awaited|"
        r"object (?:list|dict|tuple|int|float|str|bytes|bool|NoneType) can't be used in 'await'",
        _AT_ONCE,
    ),
    (
        r"'(?:[\w.]+\.)?(?:Sync)?Transaction' object does not support the \w*\s?context manager",
        _SYNC_TRANSACTION,
    ),
)
# What a database says, by way of `bolt.sql`, SQLAlchemy or Django.
_OF_DATABASES = (
    (r"no such table: |relation \"[^\"]*\" does not exist", _NO_TABLE),
    (r"near \"%\"", _PLACEHOLDERS),
    (
        r"Multiple statements provided|"
        r"cannot insert multiple commands into a prepared statement",
        _ONE_STATEMENT,
    ),
    (r"not authorized", _NOT_AUTHORIZED),
    (r"[Gg]reenlet|requires an async driver", NO_ASYNC_ENGINE),
)
_COUNT = re.compile(r"the statement has \d+ parameters, and \d+ arguments were given")
# The call site of PEP 249 does take its arguments in a tuple.
_PEP_249 = "bolt._sql.dbapi"

SENTENCES = (
    *(sentence for _, sentence in (*_OF_CALLS, *_OF_DATABASES)),
    *(_NO_DJANGO_TABLE, _ARGUMENTS, _DETACHED),
)


def of_data(exc: BaseException, text: str, modules: list[str]) -> str | None:
    """The hint for an exception, which has this text and has passed frames of these modules."""
    if isinstance(exc, (TypeError, AttributeError)):
        return _first(_OF_CALLS, text)
    if type(exc).__name__ == "DetachedInstanceError":
        return _DETACHED
    if type(exc).__name__ == "ValueError" and "the greenlet library is required" in text:
        return NO_ASYNC_ENGINE
    packages = {kind.__module__.partition(".")[0] for kind in type(exc).__mro__}
    if not packages & {"bolt", "sqlalchemy", "django"}:
        return None
    if _COUNT.search(text):
        return None if _PEP_249 in modules else _ARGUMENTS
    found = _first(_OF_DATABASES, text)
    return _NO_DJANGO_TABLE if found is _NO_TABLE and "django" in packages else found


def _first(table: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((sentence for pattern, sentence in table if re.search(pattern, text)), None)
