"""`run_in_threadpool` and its like, under the path that FastAPI gives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import ParamSpec, TypeVar

from ._streams.chunks import Chunks

__all__ = ["iterate_in_threadpool", "run_in_threadpool"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


async def run_in_threadpool(
    function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs
) -> _R:
    """Call the function and return its result. The sandbox has no threads: the call blocks."""
    return await asyncio.to_thread(function, *args, **kwargs)


def iterate_in_threadpool(iterable: Iterable[_R]) -> AsyncIterator[_R]:
    """The items of an iterable as an async iterator. Each step blocks, as there are no threads."""
    return Chunks(iterable)
