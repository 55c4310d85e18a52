"""Which module has an application, and which modules the sandbox can import."""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from .._app.application import BoltAPI
from .errors import ServerError

__all__ = [
    "bound_names",
    "file_of",
    "find_app",
    "holders",
    "imported_modules",
    "is_for_tests",
    "is_installed",
    "root_of",
    "source_of",
]

# A module that imports one of these is a test, or helps tests.
_FOR_TESTS = frozenset({"pytest", "_pytest", "hypothesis", "bolt.testing", "bolt.testclient"})


def find_app(app: BoltAPI) -> tuple[ModuleType, str]:
    """The module that has an application as a global name, and the name. Raises ServerError."""
    found = list(holders(app))
    if not found:
        raise ServerError(
            "no imported module has the application as a global name: give TestClient the path of "
            "its file, or assign the application at the top level of a module"
        )
    return min(found, key=lambda place: _likelihood(app, *place))


def _likelihood(app: BoltAPI, module: ModuleType, name: str) -> tuple[bool, bool, bool]:
    """Smaller for the module that makes the application than for those that import it."""
    makes = name in bound_names(source_of(module).body, imports=False)
    handlers = [route.handler for route in app.routes]
    defines = any(
        vars(module).get(getattr(handler, "__name__", "")) is handler for handler in handlers
    )
    return not makes, is_for_tests(module), not defines


def holders(thing: object) -> Iterator[tuple[ModuleType, str]]:
    """The modules with this object as a global name, and the names."""
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType) or getattr(module, "__file__", None) is None:
            continue
        for name, value in list(vars(module).items()):
            if value is thing and name.isidentifier():
                yield module, name


def file_of(module: ModuleType) -> Path:
    """The source file of a module. Raises ServerError."""
    path = getattr(module, "__file__", None)
    if path is None or not path.endswith(".py"):
        raise ServerError(f"the module {module.__name__} has no source file")
    return Path(path).resolve()


def source_of(module: ModuleType) -> ast.Module:
    """The syntax tree of a module; an empty one if its source cannot be read."""
    try:
        return ast.parse(file_of(module).read_text(encoding="utf-8"))
    except (ServerError, OSError, SyntaxError, ValueError):
        return ast.Module([], [])


def root_of(module: ModuleType) -> Path:
    """The folder that the import of a module began in."""
    file = file_of(module)
    inside = module.__name__.count(".") + (file.name == "__init__.py")
    return file.parents[inside]


def is_for_tests(module: ModuleType) -> bool:
    """Whether a module needs what tests have and the sandbox does not."""
    stem = Path(getattr(module, "__file__", None) or "").stem
    if module.__name__ == "__main__" or stem == "conftest" or stem.startswith("test_"):
        return True
    return any(
        wanted == name or name.startswith(wanted + ".")
        for name in imported_modules(source_of(module).body, module.__package__)
        for wanted in _FOR_TESTS
    )


def is_installed(name: str) -> bool:
    """Whether a module belongs to Python or to its site-packages, and not to the project."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(top), "__file__", None)
    places = [sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib")]
    return file is not None and any(Path(file).is_relative_to(place) for place in places)


def imported_modules(body: list[ast.stmt], package: str | None) -> Iterator[str]:
    """The modules that statements import outside of functions, by absolute name."""
    for node in _outside_functions(body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, package)
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def absolute(node: ast.ImportFrom, package: str | None) -> str:
    """The module that a `from` import names."""
    if not node.level:
        return node.module or ""
    parts = (package or "").split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def bound_names(body: list[ast.stmt], *, imports: bool = True) -> set[str]:
    """The global names that statements bind."""
    found: set[str] = set()
    for node in _outside_functions(body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and imports:
            found.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    return found


def _outside_functions(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes of statements, without those inside of functions and classes."""
    todo: list[Any] = list(body)
    while todo:
        node = todo.pop(0)
        yield node
        if not isinstance(
            node,
            (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.expr_context),
        ):
            todo.extend(ast.iter_child_nodes(node))
