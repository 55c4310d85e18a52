"""Finds out what an app takes from the outside while it is imported, which its build fixes.

An app is imported once, when it is built. Variables that it reads then are those of the build, and
the time and random numbers are the same in every interpreter. The host prints the sentences.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any

__all__ = ["Finding", "ImportWatch"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One value that the build fixes.

    kind: "variable", "clock" or "random".
    name: the variable, "" for all of them; or the function.
    file, line: the place in the app; the file is relative to the import root.
    """

    kind: str
    name: str
    file: str
    line: int

    @property
    def text(self) -> str:
        """A sentence for the developer."""
        place = f"{self.file}:{self.line}"
        if self.kind == "variable":
            what, flag = (f"the variable {self.name}", f"{self.name}=...")
            if not self.name:
                what, flag = "all variables", "NAME=..."
            return (
                f"{place} reads {what} while the app is imported, so the build fixes what it gets, "
                f"and `--env {flag}` does not change it: give it with `--build-env {flag}`, "
                "or read it in a handler or in the lifespan"
            )
        same = "the time of the build" if self.kind == "clock" else "the same value"
        return (
            f"{place} calls {self.name}() while the app is imported, so every interpreter of the "
            f"built app has {same}: call it in a handler or in the lifespan"
        )

    def as_json(self) -> dict[str, Any]:
        """Its form in the manifest."""
        return {
            "kind": self.kind,
            "name": self.name,
            "file": self.file,
            "line": self.line,
            "text": self.text,
        }


# Read for each model that an app defines, by pydantic and not by the app.
_OF_PACKAGES = frozenset({"PYDANTIC_DISABLE_PLUGINS"})


class ImportWatch:
    """A context around the import of an app, which notes the variables that it reads.

    folder: the app's folder.
    given: the variables of the build, which are meant to be read.
    """

    def __init__(self, folder: str, given: dict[str, str]) -> None:
        self._folder = folder.rstrip("/") + "/"
        self._given = given
        self._others = _installed(folder)
        self._reads: dict[tuple[str, str, int], None] = {}

    def __enter__(self) -> ImportWatch:
        os.environ.update(self._given)
        self._class = type(os.environ)
        # The object stays the same: the app may import it, and the runtime fills it later.
        os.environ.__class__ = _watched(self._class, self._read)
        return self

    def __exit__(self, *exc: object) -> None:
        os.environ.__class__ = self._class

    def findings(self) -> list[Finding]:
        """What was read, and what the modules call while they are imported."""
        everything = {read[1:] for read in self._reads if not read[0]}
        found = [
            Finding("variable", *read)
            for read in self._reads
            # Who reads all variables reads each of them.
            if not read[0] or read[1:] not in everything
        ]
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and self._is_own(file):
                found.extend(_calls(module, file, file.removeprefix(self._folder)))
        return found

    def _is_own(self, file: str) -> bool:
        """Whether a file is the developer's own, and not one of an installed package."""
        if not file.startswith(self._folder):
            return False
        return file.removeprefix(self._folder).partition("/")[0] not in self._others

    def _read(self, name: str) -> None:
        if name in self._given or name in _OF_PACKAGES:
            return
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            file = frame.f_code.co_filename
            if self._is_own(file):
                self._reads[name, file.removeprefix(self._folder), frame.f_lineno] = None
                return
            if file.startswith("<frozen importlib"):
                # A package reads it for itself, while it is imported.
                return
            frame = frame.f_back


def _watched(plain: Any, read: Any) -> Any:
    """The class of `os.environ` with a call of `read` for each variable that is asked for."""

    class Environ(plain):  # type: ignore[misc]
        def __getitem__(self, key: Any) -> Any:
            read(str(key))
            return super().__getitem__(key)

        def __iter__(self) -> Any:
            read("")
            return super().__iter__()

    Environ.__name__ = Environ.__qualname__ = plain.__name__
    return Environ


def _installed(folder: str) -> frozenset[str]:
    """The files and folders directly below that installed packages brought with them."""
    found: set[str] = set()
    try:
        names = os.listdir(folder)
    except OSError:
        return frozenset()
    for name in names:
        if not name.endswith(".dist-info"):
            continue
        try:
            with open(f"{folder}/{name}/RECORD", encoding="utf-8") as record:
                found.update(line.split(",")[0].partition("/")[0] for line in record)
        except (OSError, ValueError):
            continue
    return frozenset(found)


# Calls.

_CLOCK = {
    "time": frozenset(
        {
            *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
            *("localtime", "gmtime", "ctime", "asctime"),
        }
    ),
    "datetime.datetime": frozenset({"now", "utcnow", "today"}),
    "datetime.date": frozenset({"today"}),
}
_RANDOM = {
    "random": frozenset(
        {
            *("betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate"),
            *("gauss", "getrandbits", "lognormvariate", "normalvariate", "paretovariate"),
            *("randbytes", "randint", "random", "randrange", "sample", "shuffle", "triangular"),
            *("uniform", "vonmisesvariate", "weibullvariate"),
        }
    ),
    "secrets": frozenset(
        {"choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe"}
    ),
    "uuid": frozenset({"getnode", "uuid1", "uuid4", "uuid6", "uuid7", "uuid8"}),
    "os": frozenset({"urandom", "getrandom"}),
}


def _calls(module: ModuleType, file: str, shown: str) -> Iterator[Finding]:
    """The calls in a module that take the time or a random number while it is imported."""
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, ValueError, SyntaxError, RecursionError):
        return
    for call in _executed(tree):
        owner, name = _function(call.func, vars(module))
        for kind, known in (("clock", _CLOCK), ("random", _RANDOM)):
            if name in known.get(owner, ()) and not _is_fixed(name, call):
                yield Finding(kind, ast.unparse(call.func), shown, call.lineno)


def _is_fixed(name: str, call: ast.Call) -> bool:
    """Whether the function converts its argument, and asks no clock."""
    return name in ("localtime", "gmtime", "ctime", "asctime", "uuid8") and bool(call.args)


def _executed(node: ast.AST) -> Iterator[ast.Call]:
    """The calls that run when a module is imported: not those inside of functions."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            inside: list[Any] = [
                *node.decorator_list,
                *node.args.defaults,
                *(default for default in node.args.kw_defaults if default is not None),
            ]
        case ast.Lambda():
            inside = [
                *node.args.defaults,
                *(one for one in node.args.kw_defaults if one is not None),
            ]
        case ast.If() if _is_never(node.test):
            inside = node.orelse
        case _:
            inside = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Call):
        yield node
    for child in inside:
        yield from _executed(child)


def _is_never(test: ast.expr) -> bool:
    """Whether a condition is that of a script, or of a type checker."""
    return ast.unparse(test) in (
        *("__name__ == '__main__'", "'__main__' == __name__"),
        *("TYPE_CHECKING", "typing.TYPE_CHECKING"),
    )


def _function(func: ast.expr, names: dict[str, Any]) -> tuple[str, str]:
    """The module or class of a function of the standard library that is called, and its name."""
    if isinstance(func, ast.Name):
        # `from time import time`: a function that knows its module and its name.
        found: Any = names.get(func.id)
        owner = getattr(found, "__self__", None) if callable(found) else None
        if isinstance(owner, ModuleType):
            return owner.__name__, str(getattr(found, "__name__", ""))
        if type(owner).__module__ == "random":
            return "random", str(getattr(found, "__name__", ""))
        if type(found).__name__ in ("function", "builtin_function_or_method", "method"):
            return str(found.__module__), str(found.__name__)
        return "", ""
    if not isinstance(func, ast.Attribute):
        return "", ""
    return _owner(func.value, names), func.attr


def _owner(value: ast.expr, names: dict[str, Any]) -> str:
    """The name of a module, or of `datetime` or `date`, that an expression names."""
    if isinstance(value, ast.Name):
        found = names.get(value.id)
    elif isinstance(value, ast.Attribute) and _owner(value.value, names) == "datetime":
        return f"datetime.{value.attr}"
    else:
        return ""
    if isinstance(found, ModuleType):
        return found.__name__
    if isinstance(found, type) and found.__module__ == "datetime":
        return f"datetime.{found.__name__}"
    return ""
