"""Where the data of a session is: in its cookie, or in a store, under the id in the cookie."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from .._kv.errors import DataError
from .._kv.store import Store
from .session import Session

__all__ = ["InCookie", "InStore"]

_PREFIX = "session:"
_ID_BYTES = 32


class InCookie:
    """The text of a cookie is the data. The client can read it, and keep an old one."""

    async def load(self, text: str) -> Any:
        """The data of a text that was signed; None without any."""
        try:
            return json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, RecursionError):
            return None

    async def save(self, session: Session, data: str, before: str | None) -> str:
        """Keep the data, and return the text of the cookie. before: that of the client's cookie."""
        return urlsafe_b64encode(data.encode()).decode().rstrip("=")

    async def end(self, text: str) -> None:
        """Forget the session of a cookie."""


class InStore:
    """The text of a cookie is an id. The key in the store is its hash: whoever reads the store
    cannot make a cookie of it."""

    def __init__(self, store: Store, seconds: int) -> None:
        self._store = store
        self._seconds = seconds

    async def load(self, text: str) -> Any:
        """The data of a text that was signed; None without any."""
        try:
            return await self._store.get(_key(text))
        except DataError:
            return None

    async def save(self, session: Session, data: str, before: str | None) -> str | None:
        """Keep the data, and return the text of the cookie; None if the session was ended by
        another request, which would be undone. before: that of the client's cookie."""
        if before is not None and not session.rotates:
            sent = dict(session)
            is_there = await self._store.set(_key(before), sent, ttl=self._seconds, if_present=True)
            return before if is_there else None
        # An id that a client brings along is never used for a new session.
        text = secrets.token_urlsafe(_ID_BYTES)
        await self._store.set(_key(text), dict(session), ttl=self._seconds)
        if before is not None:
            await self.end(before)
        return text

    async def end(self, text: str) -> None:
        """Forget the session of a cookie."""
        await self._store.delete(_key(text))


def _key(text: str) -> str:
    return _PREFIX + hashlib.sha256(text.encode()).hexdigest()
