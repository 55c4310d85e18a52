"""Importing an application, and saying in its developer's terms why that failed."""

from __future__ import annotations

import importlib
import linecache
import sys
import traceback
from typing import Any

from .app import BoltAPI
from .errors import BuildError

__all__ = ["LoadError", "import_app", "is_ours", "keep_sources", "without_our_frames"]

# What the host asks for where it was told nothing.
_USUAL = "api"
_HERE = __file__.rpartition("/")[0] + "/"


class LoadError(Exception):
    """An application that cannot be served: a traceback or a sentence for its developer."""


def import_app(module: str, attribute: str) -> BoltAPI:
    """The application. Raises LoadError."""
    try:
        api: Any = importlib.import_module(module)
        if attribute == _USUAL and not hasattr(api, _USUAL):
            # As apps of FastAPI call it.
            attribute = "app" if isinstance(getattr(api, "app", None), BoltAPI) else attribute
        for part in attribute.split("."):
            api = getattr(api, part)
    except BaseException as exc:
        raise LoadError(_failure(exc, module, attribute)) from None
    if not isinstance(api, BoltAPI):
        raise LoadError(
            f"{module}:{attribute} is a {type(api).__name__}, not a BoltAPI: give --app module:attr"
        )
    return api


def _failure(exc: BaseException, module: str, attribute: str) -> str:
    if isinstance(exc, BuildError):
        return str(exc)
    if (
        isinstance(exc, AttributeError)
        and exc.__traceback__ is not None
        and exc.__traceback__.tb_next is None
    ):
        return (
            f"{module} has no attribute {attribute}: name the BoltAPI so, "
            f"or give --app {module}:attr"
        )
    frames = traceback.TracebackException.from_exception(exc)
    # Not those of the import machinery, nor the two that called it.
    inside = [f for f in frames.stack[2:] if not f.filename.startswith(("<frozen", _HERE))]
    frames.stack = traceback.StackSummary.from_list(inside)
    return "".join(frames.format()).rstrip()


def is_ours(filename: str) -> bool:
    """Whether code is the SDK's own, or was made by it."""
    return filename.startswith(("<bolt", _HERE))


def without_our_frames(exc: BaseException) -> str:
    """The traceback as Python prints it, from the handler on: the SDK's own frames say nothing."""
    frame = exc.__traceback__
    while (
        frame is not None
        and is_ours(frame.tb_frame.f_code.co_filename)
        and frame.tb_next is not None
    ):
        frame = frame.tb_next
    told = traceback.TracebackException(type(exc), exc, frame)
    if isinstance(exc, (MemoryError, RecursionError)):
        # To point at a part of a line, the line is parsed, with what there is too little of. In an
        # instance that is about to end it would also be the first time: 5 ms.
        for summary in told.stack:
            summary.colno = summary.end_colno = None
    return "".join(told.format())


def keep_sources() -> None:
    """Keep the app's source lines: no files are there later, and a traceback shows lines."""
    for module in list(sys.modules.values()):
        filename = getattr(module, "__file__", None)
        if filename and not filename.startswith("/python") and not is_ours(filename):
            linecache.getlines(filename)
    linecache.checkcache = _keep


def _keep(filename: str | None = None) -> None:
    """In place of `linecache.checkcache`, which would drop every file that it cannot find."""
