"""`Lifespan`: code that an application runs before the first request of each interpreter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

from ..requests import HTTPConnection

__all__ = ["Lifespan"]


class Lifespan:
    """An application's lifespan. The first request enters it; concurrent requests wait for it."""

    def __init__(self, app: Any, factory: Callable[[Any], Any]) -> None:
        self.entered = False
        self._app = app
        self._factory = factory
        self._context: AbstractAsyncContextManager[Any] | None = None
        self._entering: asyncio.Task[Any] | None = None
        self._state: dict[str, Any] = {}

    async def enter(self) -> None:
        """Wait until it is entered. Raises what it raises; the next request then tries again."""
        if self._entering is None:
            # A separate task, because the request that starts it may be cancelled.
            self._entering = asyncio.get_running_loop().create_task(self._enter())
        await asyncio.shield(self._entering)

    async def _enter(self) -> None:
        try:
            self._context = _context(self._factory(self._app))
            found = await self._context.__aenter__()
        except BaseException:
            self._entering = None
            raise
        self._state = dict(found) if found else {}
        self.entered = True

    async def leave(self) -> None:
        """Run the code after `yield`."""
        if self.entered and self._context is not None:
            self.entered = False
            await self._context.__aexit__(None, None, None)

    def share(self, request: HTTPConnection) -> None:
        """Set the items that the lifespan yielded as attributes of `request.state`."""
        vars(request.state).update(self._state)


def _context(made: Any) -> AbstractAsyncContextManager[Any]:
    """What a lifespan returned, as a context manager: it may be a generator, `async` or not."""
    if hasattr(made, "__anext__"):
        return asynccontextmanager(lambda: made)()
    return _waitless(made) if hasattr(made, "__next__") else made


@asynccontextmanager
async def _waitless(made: Iterator[Any]) -> AsyncIterator[Any]:
    with contextmanager(lambda: made)() as found:
        yield found
