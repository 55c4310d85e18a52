"""Keys and values that outlive interpreters: `from bolt import kv`.

    store = kv.Store("main")

    @api.post("/visits")
    async def visit(page: str) -> int:
        return await store.incr(f"visits:{page}")

    @api.get("/theme")
    def theme(user: str) -> str:
        return store.sync.get(f"theme:{user}", "light")

    @api.get("/report")
    @kv.cache(ttl=60)
    async def report() -> dict[str, int]:
        ...

The host has the stores, which the operator grants by name.
"""

from __future__ import annotations

from ._kv.cache import Cached, cache
from ._kv.errors import DataError, Error, LimitExceeded, NotGranted, Unavailable
from ._kv.host import install
from ._kv.store import Store, SyncStore

__all__ = [
    "Cached",
    "DataError",
    "Error",
    "LimitExceeded",
    "NotGranted",
    "Store",
    "SyncStore",
    "Unavailable",
    "cache",
    "install",
]
