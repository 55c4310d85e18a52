"""What an application does before its first request and after its last, in each interpreter."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from .request import Request

__all__ = ["Lifespan"]


class Lifespan:
    """An application's lifespan. The first request enters it; those that come meanwhile wait."""

    def __init__(self, app: Any, factory: Callable[[Any], Any]) -> None:
        self.entered = False
        self._app = app
        if inspect.isasyncgenfunction(factory):
            factory = asynccontextmanager(factory)
        self._factory = factory
        self._context: AbstractAsyncContextManager[Any] | None = None
        self._entering: asyncio.Task[Any] | None = None
        self._state: dict[str, Any] = {}

    async def enter(self) -> None:
        """Return when it is entered. Raises what it raised; the next request then tries again."""
        if self._entering is None:
            # A task of its own: the request that begins it may be cancelled.
            self._entering = asyncio.get_running_loop().create_task(self._enter())
        await asyncio.shield(self._entering)

    async def _enter(self) -> None:
        try:
            self._context = self._factory(self._app)
            found = await self._context.__aenter__()
        except BaseException:
            self._entering = None
            raise
        self._state = dict(found) if found else {}
        self.entered = True

    async def leave(self) -> None:
        """Run what stands behind the `yield`."""
        if self.entered and self._context is not None:
            self.entered = False
            await self._context.__aexit__(None, None, None)

    def share(self, request: Request) -> None:
        """Give a request what the lifespan yielded."""
        vars(request.state).update(self._state)
