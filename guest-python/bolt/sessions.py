"""Sessions: what an app remembers of a client from one request to the next.

from bolt import kv
from bolt.sessions import SessionMiddleware

api.add_middleware(SessionMiddleware, secret_key=secret, store=kv.Store("main"))

@api.post("/login")
async def login(request: Request, name: str) -> None:
    request.session["user"] = name
    request.session.rotate()
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Literal

from ._datastructures.cookies import cookie_header
from ._kv.store import Store
from ._kv.values import json_of
from ._sessions.kept import InCookie, InStore
from ._sessions.session import Session
from ._sessions.signing import Secret, Signed, Signer
from .requests import HTTPConnection, Request
from .responses import Response

__all__ = ["Session", "SessionMiddleware"]

Session.__module__ = __name__

_TWO_WEEKS = 14 * 24 * 3600
# Browsers refuse a cookie whose name and value are larger.
_LARGEST = 4096
# A session that is used is renewed once so much of its time is over.
_RENEWED_AFTER = 0.1


class SessionMiddleware:
    """Gives each request a `session`, which is a dict, and keeps it for the client's next request.

    secret_key: signs the cookie. Of several ones, the first signs, and all are accepted, so that a
        key can be replaced. A function that returns it is called at run time, when the variables of
        the operator are there.
    store: where the data is. Without one it is in the cookie, where the client can read it.
    session_cookie: the name of the cookie.
    max_age: how long a session lasts after it was used, in seconds or as a timedelta. None: until
        the browser is closed, and in a store for two weeks.
    same_site, https_only, domain, path: attributes of the cookie.

    Raises ValueError for an empty key, and for what cannot be in a cookie.
    """

    def __init__(
        self,
        secret_key: Secret,
        *,
        store: Store | None = None,
        session_cookie: str = "session",
        max_age: int | timedelta | None = _TWO_WEEKS,
        same_site: Literal["lax", "strict", "none"] = "lax",
        https_only: bool = False,
        domain: str | None = None,
        path: str = "/",
    ) -> None:
        seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
        self._max_age = None if seconds is None else int(seconds)
        if self._max_age is not None and self._max_age < 1:
            raise ValueError(f"a session lasts at least a second, or None, not {max_age!r}")
        self._name = session_cookie
        self._attributes: dict[str, Any] = {
            "path": path,
            "domain": domain,
            "secure": https_only,
            "httponly": True,
            "samesite": same_site,
        }
        # What cannot be sent is refused here, and not at the first login.
        cookie_header(
            self._name, "", max_age=None, expires=None, partitioned=False, **self._attributes
        )
        kind = "cookie" if store is None else "store"
        self._signer = Signer(secret_key, f"session in {kind} {session_cookie}")
        self._lasts = self._max_age
        self._kept: InCookie | InStore = InCookie()
        if store is not None:
            self._lasts = self._max_age or _TWO_WEEKS
            self._kept = InStore(store, self._lasts)

    async def __call__(
        self, request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Call the handler with a session, and keep what it has changed."""
        around = request._session
        session, cookie = await self._load(request)
        request._session = session
        try:
            response = await call_next(request)
        finally:
            # A stream and background tasks may still read it.
            if around is not None:
                request._session = around
        if session.before is not None:
            await self._finish(session, cookie, response)
        return response

    async def load(self, connection: HTTPConnection) -> Session:
        """The session of a request or a WebSocket that has no such middleware around it.

        Changes of it are not kept.
        """
        session, _ = await self._load(connection)
        return session

    async def _load(self, connection: HTTPConnection) -> tuple[Session, Signed | None]:
        """The session of a client, and its cookie; an empty one without a valid cookie."""
        sent = connection.cookies.get(self._name)
        cookie = self._signer.read(sent) if sent else None
        if cookie is None or (self._lasts is not None and self._age(cookie) > self._lasts):
            return Session(), None
        data = await self._kept.load(cookie.text)
        if not isinstance(data, dict) or not data:
            return Session(), None
        return Session(data), cookie

    def _age(self, cookie: Signed) -> float:
        return time.time() - cookie.at

    def _is_old(self, cookie: Signed) -> bool:
        """Whether a cookie should be replaced also if nothing has changed."""
        if not cookie.is_current:
            return True
        return self._lasts is not None and self._age(cookie) > self._lasts * _RENEWED_AFTER

    async def _finish(self, session: Session, cookie: Signed | None, response: Response) -> None:
        """Keep a session that was used."""
        _vary(response)
        if not session:
            if cookie is not None:
                await self._kept.end(cookie.text)
                response.delete_cookie(self._name, **self._attributes)
            return
        before = None if cookie is None else cookie.text
        is_old = cookie is None or self._is_old(cookie)
        data = json_of(session)
        if data == session.before and not session.rotates and not is_old:
            return
        text = await self._kept.save(session, data, before)
        if text is None or (text == before and not is_old):
            return
        value = self._signer.sign(text, int(time.time()))
        if len(self._name) + len(value) > _LARGEST:
            raise ValueError(
                f"the session has {len(data.encode())} bytes of JSON, more than fit into a cookie: "
                "keep it in a store with `SessionMiddleware(..., store=kv.Store())`"
            )
        response.set_cookie(self._name, value, max_age=self._max_age, **self._attributes)


def _vary(response: Response) -> None:
    """Tell caches that the response depends on the cookie."""
    named = ",".join(response.headers.getlist("vary")).lower().split(",")
    if not {"cookie", "*"} & {name.strip() for name in named}:
        response.headers.append("vary", "Cookie")
