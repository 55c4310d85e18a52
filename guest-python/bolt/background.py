"""What happens after the response: background tasks, and the second half of dependencies."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from .responses import JSON, Response

__all__ = ["BackgroundTask", "BackgroundTasks", "Exits", "note_rest", "pending"]

pending: list[Exits] = []
"""What replies that were just encoded leave to be done. The entry empties it."""


class BackgroundTask:
    """A call for after the response, `async` or not."""

    def __init__(self, function: Callable[..., Any], *args: Any, **keywords: Any) -> None:
        self.function = function
        self.args = args
        self.keywords = keywords

    async def __call__(self) -> None:
        result = self.function(*self.args, **self.keywords)
        if inspect.isawaitable(result):
            await result


class BackgroundTasks:
    """Ask for it as a parameter; what is added runs after the response, in order."""

    def __init__(self, tasks: list[BackgroundTask] | None = None) -> None:
        self.tasks = list(tasks or [])

    def add_task(self, function: Callable[..., Any], *args: Any, **keywords: Any) -> None:
        """Call `function` with these arguments after the response."""
        self.tasks.append(BackgroundTask(function, *args, **keywords))

    async def __call__(self) -> None:
        for task in self.tasks:
            await task()


class Exits:
    """The generators that a request's dependencies are, and its background tasks.

    A generator is entered before the handler. When the handler fails, it is thrown what was raised,
    the last one entered first; otherwise it goes on after the response.
    """

    def __init__(self) -> None:
        self._open: list[Generator[Any] | AsyncGenerator[Any]] = []
        self.background = BackgroundTasks()

    def enter(self, generator: Generator[Any]) -> Any:
        """Run a dependency up to its `yield`."""
        value = next(generator)
        self._open.append(generator)
        return value

    async def aenter(self, generator: AsyncGenerator[Any]) -> Any:
        """As `enter`, for `async def`."""
        value = await anext(generator)
        self._open.append(generator)
        return value

    def fail(self, exc: BaseException) -> BaseException:
        """Throw `exc` into the generators; what has to be raised in the end. None is async."""
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
        """As `fail`, where some are async."""
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

    def hold(self, result: Any) -> Any:
        """The result, with a note of what is left to be done where something is."""
        if not self._open and not self.background.tasks:
            return result
        response = result if isinstance(result, Response) else JSON(result)
        response.after = self
        return response

    async def run(self, complain: Callable[[BaseException], None]) -> None:
        """Do what was left for after the response. A failure is reported, and the rest is done."""
        for task in self.background.tasks:
            try:
                await task()
            except Exception as exc:
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
            except Exception as exc:
                complain(exc)
            else:
                complain(_yielded_twice())


def note_rest(response: Response) -> None:
    """Note what is left to be done after a response that is about to be sent."""
    exits, background = response.after, response.background
    response.after = response.background = None
    if background is not None:
        exits = exits or Exits()
        # As in FastAPI, the response's own tasks take the place of those asked for as a parameter.
        exits.background = BackgroundTasks([BackgroundTask(background)])
    if exits is not None:
        pending.append(exits)


def _swallowed(exc: BaseException) -> BaseException:
    error = RuntimeError("a dependency caught an exception and raised none: raise it again")
    error.__cause__ = exc
    return error


def _yielded_twice() -> RuntimeError:
    return RuntimeError("a dependency yields once, and this one did twice")
