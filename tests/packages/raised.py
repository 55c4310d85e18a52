"""What a call raises, in a line."""

from collections.abc import Callable
from typing import Any


def raised(function: Callable[[], Any]) -> str:
    try:
        return f"no error: {function()!r}"
    except BaseException as exc:
        return f"{type(exc).__name__}: {exc}"
