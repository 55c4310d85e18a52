"""The application object: decorators that register handlers as routes."""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from .errors import BuildError, Unsupported
from .models import walk_models
from .params import read_params
from .path import PathError, parse_path
from .route import Route

__all__ = ["BoltAPI"]

_Handler = TypeVar("_Handler", bound=Callable[..., Any])


class BoltAPI:
    """An application: a title and the routes registered on it.

    title: shown to people who look at the application's description.
    """

    def __init__(self, title: str = "BoltAPI") -> None:
        self.title = title
        self.routes: list[Route] = []
        self._taken: dict[tuple[str, str], Route] = {}

    def get(self, path: str, *, status_code: int = 200) -> Callable[[_Handler], _Handler]:
        """Registers the handler for GET requests.

        path: starts with "/"; `{name}` takes one segment, a final `{name:path}` the rest. Each
            name is a parameter of the handler.
        status_code: the status of replies that do not choose their own, 100 to 599.

        The decorator gives back the function it was given. It raises BuildError, which names the
        handler, file and line, for a handler or a path that cannot be served.
        """
        return self._route("GET", path, status_code)

    def post(self, path: str, *, status_code: int = 200) -> Callable[[_Handler], _Handler]:
        """Registers the handler for POST requests; see `get`."""
        return self._route("POST", path, status_code)

    def put(self, path: str, *, status_code: int = 200) -> Callable[[_Handler], _Handler]:
        """Registers the handler for PUT requests; see `get`."""
        return self._route("PUT", path, status_code)

    def patch(self, path: str, *, status_code: int = 200) -> Callable[[_Handler], _Handler]:
        """Registers the handler for PATCH requests; see `get`."""
        return self._route("PATCH", path, status_code)

    def delete(self, path: str, *, status_code: int = 200) -> Callable[[_Handler], _Handler]:
        """Registers the handler for DELETE requests; see `get`."""
        return self._route("DELETE", path, status_code)

    def head(self, path: str, *, status_code: int = 200) -> Callable[[_Handler], _Handler]:
        """Registers the handler for HEAD requests; see `get`."""
        return self._route("HEAD", path, status_code)

    def options(self, path: str, *, status_code: int = 200) -> Callable[[_Handler], _Handler]:
        """Registers the handler for OPTIONS requests; see `get`."""
        return self._route("OPTIONS", path, status_code)

    def _route(self, method: str, path: str, status_code: int) -> Callable[[_Handler], _Handler]:
        def register(handler: _Handler) -> _Handler:
            self._register(method, path, int(status_code), handler)
            return handler

        return register

    def _register(
        self, method: str, path: str, status_code: int, handler: Callable[..., Any]
    ) -> None:
        file, line = _location(handler)

        def fail(message: str) -> BuildError:
            return BuildError(message, handler=_qualname(handler), file=file, line=line)

        if not 100 <= status_code <= 599:
            raise fail(f"an HTTP status lies between 100 and 599, not {status_code}")
        try:
            template = parse_path(path)
            params = read_params(handler, template.names)
        except (PathError, Unsupported) as error:
            raise fail(str(error)) from None
        for param in params:
            try:
                walk_models(param.type, {})
            except Unsupported as error:
                raise fail(f"parameter {param.name!r}: {error}") from None
            except NameError:
                # A record may mention one that is defined further down. `finish` looks again.
                continue

        key = (method, template.shape)
        other = self._taken.get(key)
        if other is not None:
            raise fail(
                f"{method} {path} is already served by {_qualname(other.handler)}, "
                f"{other.file}:{other.line}"
            )
        route = Route(
            id=len(self.routes),
            method=method,
            path=path,
            handler=handler,
            name=getattr(handler, "__name__", type(handler).__name__),
            status_code=status_code,
            is_async=inspect.iscoroutinefunction(handler),
            file=file,
            line=line,
            doc=_first_paragraph(handler),
            params=params,
        )
        self._taken[key] = route
        self.routes.append(route)

    def finish(self) -> None:
        """Compiles every route, now that all classes are defined.

        Raises BuildError for a record that cannot be resolved.
        """
        for route in self.routes:
            try:
                route.compile()
            except (Unsupported, NameError) as error:
                raise BuildError(
                    str(error), handler=_qualname(route.handler), file=route.file, line=route.line
                ) from None


def _qualname(handler: Any) -> str:
    return str(getattr(handler, "__qualname__", type(handler).__qualname__))


def _first_paragraph(handler: Any) -> str:
    lines: list[str] = []
    for line in (inspect.getdoc(handler) or "").splitlines():
        if not line.strip():
            break
        lines.append(line.strip())
    return " ".join(lines)


def _location(handler: Any) -> tuple[str, int]:
    """The file of a handler relative to the import root, and the line of its `def`."""
    function: Any = inspect.unwrap(handler)
    function = getattr(function, "func", function)  # functools.partial
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if code is None:
        return "<unknown>", 0
    # A function's first line is that of its first decorator, which is not what one looks for.
    line: int = code.co_firstlineno
    for number in range(line, line + 50):
        text = linecache.getline(code.co_filename, number).lstrip()
        if text.startswith(("def ", "async def ")):
            line = number
            break
    return _relative(code.co_filename, str(getattr(function, "__module__", ""))), line


def _relative(filename: str, module: str) -> str:
    """The file as the application's author names it, wherever the application was built."""
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
