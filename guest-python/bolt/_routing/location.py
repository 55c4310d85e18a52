"""Where a handler is, and what it is called, for errors and for the manifest."""

from __future__ import annotations

import linecache
import sys
from typing import Any

from .._callables import function_in

__all__ = ["caller", "location", "qualname"]


def qualname(handler: Any) -> str:
    """The name of a handler for messages."""
    return str(getattr(handler, "__qualname__", type(handler).__qualname__))


def location(handler: Any) -> tuple[str, int]:
    """The file of a handler relative to the import root, and the line of its `def`."""
    function = function_in(handler)
    code = getattr(function, "__code__", None)
    if code is None:
        return "<unknown>", 0
    # `co_firstlineno` is the line of the first decorator.
    line: int = code.co_firstlineno
    for number in range(line, line + 50):
        text = linecache.getline(code.co_filename, number).lstrip()
        if text.startswith(("def ", "async def ")):
            line = number
            break
    return _relative(code.co_filename, str(getattr(function, "__module__", ""))), line


def caller(depth: int) -> tuple[str, int]:
    """The file and the line of a call, so many calls above the function that asks."""
    frame = sys._getframe(depth + 1)
    return _relative(frame.f_code.co_filename, frame.f_globals.get("__name__", "")), frame.f_lineno


def _relative(filename: str, module: str) -> str:
    """The file relative to the import root, independent of where the application is built."""
    path = filename.replace("\\", "/")
    loaded = getattr(sys.modules.get(module), "__file__", None)
    if loaded is not None and loaded.replace("\\", "/") == path:
        parts = module.split(".")
        if path.endswith("/__init__.py"):
            parts.append("__init__")
        wanted = "/".join(parts) + ".py"
        if path.endswith(wanted):
            return wanted
    return path.rsplit("/", 1)[-1]
