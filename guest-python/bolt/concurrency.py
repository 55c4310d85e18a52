"""`run_in_threadpool`, under the path that FastAPI gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["run_in_threadpool"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


async def run_in_threadpool(
    function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs
) -> _R:
    """Call the function and return its result. The sandbox has no threads: the call blocks."""
    return await asyncio.to_thread(function, *args, **kwargs)
