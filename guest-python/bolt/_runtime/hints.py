"""`hint`: what to write instead, for a mistake of somebody who knows FastAPI or plain Python.

A hint is a sentence below the traceback of an exception that nobody caught. It changes no exception
and replaces no function, so an app that brings its own `requests` works as before.
"""

from __future__ import annotations

import errno
import linecache
import os
import re
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple

from .._app.application import BoltAPI
from .._routing.router import Router
from .._struct.struct import Struct
from .._websockets.endpoint import WebSocketEndpoint
from ..requests import Request
from . import hint_texts as texts
from .hints_of_data import of_data

__all__ = ["APP_FOLDER", "hint", "with_hint"]

# The preopened folder of the app, during the build or the load.
APP_FOLDER = "/0"
# Most exceptions of a chain that are looked at.
_LONGEST = 50
_IMPORTED = re.compile(r"\s*(?:from|import)\s+([\w.]+)")
_UNNAMED = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
_UNKNOWN_OPTION = re.compile(r"a BoltAPI has no option (\w+)")
_FRAMEWORKS = ("fastapi", "starlette")
# These are looked up in the classes of their values, and in the classes themselves.
_OWNERS: tuple[tuple[type, dict[str, str]], ...] = (
    (BoltAPI, texts.OF_APP),
    (Router, texts.OF_ROUTER),
    (Struct, texts.OF_STRUCT),
    (Request, texts.OF_REQUEST),
)


class _Raised(NamedTuple):
    """An exception, its text, and the modules of the frames that it passed."""

    exc: BaseException
    text: str
    modules: list[str]


def with_hint(traceback: str, exc: BaseException) -> str:
    """A formatted traceback, and below it the hint for its exception, if there is one."""
    found = hint(exc)
    return traceback if found is None else f"{traceback.rstrip()}\nhint: {found}\n"


def hint(exc: BaseException) -> str | None:
    """A sentence that says what to write instead, or None."""
    if isinstance(exc, (MemoryError, RecursionError)):
        return None
    for one in _chain(exc):
        try:
            raised = _Raised(one, str(one), _modules(one.__traceback__))
            found = _of(raised)
        except Exception:
            # An exception of the app may fail to describe itself.
            continue
        if found is not None:
            return found
    return None


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """An exception, those that it was raised from, and those of a group."""
    todo, seen = [exc], set[int]()
    while todo and len(seen) < _LONGEST:
        one = todo.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        above = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        if above is not None:
            todo.append(above)
        if isinstance(one, BaseExceptionGroup):
            todo.extend(one.exceptions)


def _modules(traceback: TracebackType | None) -> list[str]:
    found = []
    while traceback is not None:
        found.append(str(traceback.tb_frame.f_globals.get("__name__", "")))
        traceback = traceback.tb_next
    return found


def _of(raised: _Raised) -> str | None:
    exc, text, modules = raised
    # Whatever goes wrong inside of them: they look for parts of the system that are not there.
    for module, sentence in texts.INSIDE.items():
        if any(name == module or name.startswith(module + ".") for name in modules):
            return sentence
    of_call = of_data(exc, text, modules)
    if of_call is not None:
        return of_call
    if isinstance(exc, ModuleNotFoundError) and exc.name:
        return _of_module(exc)
    name = _UNNAMED.search(text)
    if isinstance(exc, ImportError) and name is not None and name[2].split(".")[0] == "bolt":
        return texts.NAMES.get(name[1])
    if isinstance(exc, AttributeError):
        return _of_attribute(exc)
    if isinstance(exc, OSError) and exc.errno in (errno.ENOENT, errno.EBADF, errno.EPERM):
        missing = _of_file(exc)
        if missing is not None:
            return missing
    if isinstance(exc, TypeError):
        option = _UNKNOWN_OPTION.search(text)
        if option is not None:
            return texts.OPTIONS.get(option[1])
    if type(exc).__name__ == "gaierror":
        return texts.SOCKETS
    for part, sentence in texts.SAYING.items():
        if part in text:
            return sentence
    return None


def _of_module(exc: ModuleNotFoundError) -> str | None:
    """For a module that does not exist."""
    name = str(exc.name)
    top = name.partition(".")[0]
    if top in _FRAMEWORKS:
        said = _of_framework(_imported(exc.__traceback__) or name)
        return said + texts.STARLETTE if top == "starlette" else said
    for known in (name, top):
        if known in texts.MODULES:
            return texts.MODULES[known]
    if top == "bolt":
        return texts.FRAMEWORK_PARTS.get(name.split(".")[1] if "." in name else "")
    if top in sys.stdlib_module_names:
        return texts.NO_SYSTEM.format(name=top)
    if "." in name:
        # A part of a package that is there: in a package of compiled code, the compiled part.
        return texts.COMPILED if name.rpartition(".")[2].startswith("_") else None
    return texts.NOT_INSTALLED.format(name=top)


def _imported(traceback: TracebackType | None) -> str | None:
    """The module in the import statement that failed."""
    found = None
    while traceback is not None:
        line = linecache.getline(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
        match = _IMPORTED.match(line)
        if match is not None:
            found = match[1]
        traceback = traceback.tb_next
    return found


def _of_framework(module: str) -> str:
    """For an import of FastAPI or Starlette."""
    _, _, inner = module.partition(".")
    part = inner.partition(".")[0]
    for known in (inner, part):
        if known in texts.FRAMEWORK_PARTS:
            return texts.FRAMEWORK_PARTS[known]
    place = f"bolt.{part}" if part in texts.SAME_PARTS else "bolt"
    return texts.FRAMEWORK.format(place=place)


def _of_attribute(exc: AttributeError) -> str | None:
    owner: Any = exc.obj
    name = exc.name or ""
    if owner is os and name in texts.OF_OS:
        return texts.PROCESSES
    if getattr(owner, "__name__", "") == "signal" and name in texts.OF_SIGNAL:
        return texts.SIGNALS
    kind = owner if isinstance(owner, type) else type(owner)
    for known, hints in _OWNERS:
        if issubclass(kind, known):
            return hints.get(name)
    if isinstance(owner, WebSocketEndpoint):
        return texts.NOTHING_ON_SELF
    if getattr(owner, "__name__", "") == "bolt":
        return texts.NAMES.get(name)
    return None


def _of_file(exc: OSError) -> str | None:
    """For a file that lies in no granted folder."""
    path = exc.filename
    if not isinstance(path, str) or path.startswith("/python/"):
        return None
    if exc.errno == errno.EPERM:
        return texts.READ_ONLY
    first, slash, _ = path.lstrip("/").partition("/")
    # Below a folder that is there, only this file is missing.
    is_below = slash and (f"/{first}" == APP_FOLDER or os.path.isdir(f"/{first}"))
    return None if is_below else texts.NO_FOLDER
