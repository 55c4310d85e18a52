"""Work of a request that runs after its response: generator dependencies and background tasks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from ..background import BackgroundTask, BackgroundTasks
from ..responses import JSON, Response, StreamingResponse

__all__ = ["Exits", "note_rest", "note_stream", "pending"]

pending: list[Exits] = []
"""The remaining work of replies that were just encoded, until the entry schedules it."""


class Exits:
    """The generator dependencies of a request, and its background tasks.

    Each generator runs to its `yield` before the handler. If the handler raises, the exception is
    thrown into the generators in reverse order; otherwise they are resumed after the response.

    stream: the StreamingResponse that is sent before, or None.
    """

    stream: Any = None

    def __init__(self) -> None:
        self._open: list[Generator[Any] | AsyncGenerator[Any]] = []
        self.background = BackgroundTasks()

    def enter(self, generator: Generator[Any]) -> Any:
        """Run a dependency up to its `yield`, and return what it yields."""
        value = next(generator)
        self._open.append(generator)
        return value

    async def aenter(self, generator: AsyncGenerator[Any]) -> Any:
        """As `enter`, for `async def`."""
        value = await anext(generator)
        self._open.append(generator)
        return value

    def fail(self, exc: BaseException) -> BaseException:
        """Throw `exc` into the generators; none is async. Returns the exception to raise."""
        while self._open:
            generator: Any = self._open.pop()
            try:
                generator.throw(exc)
            except StopIteration:
                exc = _swallowed(exc)
            except BaseException as other:
                exc = other
            else:
                exc = _yielded_twice()
        return exc

    async def afail(self, exc: BaseException) -> BaseException:
        """As `fail`, for generators of which some are async."""
        while self._open:
            generator: Any = self._open.pop()
            try:
                if hasattr(generator, "athrow"):
                    await generator.athrow(exc)
                else:
                    generator.throw(exc)
            except (StopIteration, StopAsyncIteration):
                exc = _swallowed(exc)
            except BaseException as other:
                exc = other
            else:
                exc = _yielded_twice()
        return exc

    async def aleave(self) -> None:
        """Resume the generators while the connection of the handler is still open.

        Raises what one of them raises, after the others have seen it.
        """
        while self._open:
            generator: Any = self._open.pop()
            try:
                if hasattr(generator, "__anext__"):
                    await anext(generator)
                else:
                    next(generator)
            except (StopIteration, StopAsyncIteration):
                continue
            except GeneratorExit:
                raise
            except BaseException as exc:
                raised = exc
            else:
                raised = _yielded_twice()
            raise await self.afail(raised)

    @property
    def is_needed(self) -> bool:
        """Whether there is any work."""
        return bool(self._open or self.background.tasks)

    def hold(self, result: Any) -> Any:
        """The result; as a Response that refers to the remaining work when there is any."""
        # A stream adds background tasks while it is sent, unless the host sends it.
        streams = isinstance(result, StreamingResponse) and not (result.topic or result.proxied)
        if not self.is_needed and not streams:
            return result
        response = result if isinstance(result, Response) else JSON(result)
        response.after = self
        return response

    async def run(self, complain: Callable[[BaseException], None]) -> None:
        """Run the tasks and resume the generators. It reports an exception and continues."""
        for task in self.background.tasks:
            try:
                await task()
            except GeneratorExit:
                raise
            except BaseException as exc:
                # A task may also raise the CancelledError of another task that it awaits.
                complain(exc)
        while self._open:
            generator: Any = self._open.pop()
            try:
                if hasattr(generator, "__anext__"):
                    await anext(generator)
                else:
                    next(generator)
            except (StopIteration, StopAsyncIteration):
                continue
            except GeneratorExit:
                raise
            except BaseException as exc:
                complain(exc)
            else:
                complain(_yielded_twice())


def note_rest(response: Response) -> None:
    """Append the remaining work of a response that is about to be sent to `pending`."""
    exits, background = response.after, response.background
    response.after = response.background = None
    if background is not None:
        exits = exits or Exits()
        # As in FastAPI, the response's own tasks replace those of a BackgroundTasks parameter.
        exits.background = BackgroundTasks([BackgroundTask(background)])
    if exits is not None:
        pending.append(exits)


def note_stream(response: Response) -> None:
    """Put a stream before the work that was noted for its response, in `pending`."""
    if not pending:
        pending.append(Exits())
    pending[-1].stream = response


def _swallowed(exc: BaseException) -> BaseException:
    error = RuntimeError("a dependency caught an exception and raised none: raise it again")
    error.__cause__ = exc
    return error


def _yielded_twice() -> RuntimeError:
    return RuntimeError("a dependency yields once, and this one did twice")
