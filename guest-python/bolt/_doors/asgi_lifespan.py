"""The lifespan of an ASGI app: `lifespan.startup` before its first request, and `shutdown`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from .._websockets.line import service
from .tasks import running

__all__ = ["asgi_lifespan"]


def asgi_lifespan(app: Callable[..., Any]) -> Callable[[Any], Any]:
    """A lifespan as `BoltAPI` takes it, which yields the state of the app."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
        phases = _Phases(app)
        await phases.start()
        yield phases.state
        await phases.stop()

    return lifespan


class _Phases:
    """A task that has the app for the whole life of an interpreter, and how far it is."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._answer: asyncio.Future[Mapping[str, Any]] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._is_asked = False

    async def start(self) -> None:
        """Run the app until it has started. Raises RuntimeError if it says that it cannot.

        An app that ends or raises instead knows no lifespan, and goes without.
        """
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        self._task = asyncio.get_running_loop().create_task(
            self._app(scope, self._receive, self._send)
        )
        running.add(self._task)
        self._task.add_done_callback(running.discard)
        answer = await self._ask("lifespan.startup")
        if answer is None:
            raised = None if self._task.cancelled() else self._task.exception()
            self._task = None
            if raised is not None and self._is_asked:
                # It may be a mistake in its start, or an app that has not looked at the scope.
                service().complain(raised, "the lifespan of the ASGI app")
        elif answer["type"] == "lifespan.startup.failed":
            raise RuntimeError(_told("could not start", answer))

    async def stop(self) -> None:
        """Let the app stop. Raises RuntimeError if it says that it cannot."""
        if self._task is None or self._task.done():
            return
        answer = await self._ask("lifespan.shutdown")
        if answer is None:
            # Raises what it has raised.
            self._task.result()
        elif answer["type"] == "lifespan.shutdown.failed":
            raise RuntimeError(_told("could not stop", answer))

    async def _ask(self, kind: str) -> Mapping[str, Any] | None:
        """Send a message. Returns the answer, or None if the app ends without one."""
        self._answer = asyncio.get_running_loop().create_future()
        self._messages.put_nowait({"type": kind})
        waited: list[asyncio.Future[Any]] = [self._answer]
        if self._task is not None:
            waited.append(self._task)
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        return self._answer.result() if self._answer.done() else None

    async def _receive(self) -> dict[str, str]:
        self._is_asked = True
        return await self._messages.get()

    async def _send(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        if kind.rpartition(".")[0] not in ("lifespan.startup", "lifespan.shutdown"):
            raise RuntimeError(f"{kind!r} is no message of the lifespan")
        if self._answer is None or self._answer.done():
            raise RuntimeError(f"{kind!r} was sent out of turn")
        self._answer.set_result(message)


def _told(what: str, answer: Mapping[str, Any]) -> str:
    said = str(answer.get("message") or "").strip()
    return f"the ASGI app {what}" + (f": {said}" if said else "")
