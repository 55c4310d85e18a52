"""The application object: decorators that register handlers as routes."""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypedDict, TypeVar, Unpack, get_args

from .errors import BuildError, Unsupported
from .models import walk_models
from .params import read_params
from .path import PathError, parse_path
from .route import Route

__all__ = ["BoltAPI", "Isolation", "RouteOptions"]

_Handler = TypeVar("_Handler", bound=Callable[..., Any])


Isolation = Literal["fresh", "serial", "concurrent"]


class RouteOptions(TypedDict, total=False):
    """What every route decorator takes besides the path.

    status_code: the status of replies that do not choose their own, 100 to 599; 200 by default.
    isolation, max_concurrency, max_requests: as in `BoltAPI`, for this route.
    """

    status_code: int
    isolation: Isolation
    max_concurrency: int
    max_requests: int


class BoltAPI:
    """An application: a title and the routes registered on it.

    title: shown to people who look at the application's description.
    isolation: what requests may find of each other in an interpreter. "fresh": a new interpreter
        for each request, so nothing. "serial": one request at a time, which finds what earlier ones
        left in globals; the default for `def`. "concurrent": requests interleave while they wait;
        the default for `async def`, and the same as "serial" for `def`, which never waits.
    max_concurrency: requests that one interpreter takes up before they end, in "concurrent".
    max_requests: requests after which an interpreter is replaced.

    A route that says otherwise goes by what it says. Limits of the host hold in any case.
    """

    def __init__(
        self,
        title: str = "BoltAPI",
        *,
        isolation: Isolation | None = None,
        max_concurrency: int | None = None,
        max_requests: int | None = None,
    ) -> None:
        self.title = title
        self.isolation = isolation
        self.max_concurrency = max_concurrency
        self.max_requests = max_requests
        for problem in _wrong_rules(isolation, max_concurrency, max_requests):
            raise ValueError(problem)
        self.routes: list[Route] = []
        self._taken: dict[tuple[str, str], Route] = {}

    def get(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Registers the handler for GET requests.

        path: starts with "/"; `{name}` takes one segment, a final `{name:path}` the rest. Each
            name is a parameter of the handler.
        options: see `RouteOptions`.

        The decorator gives back the function it was given. It raises BuildError, which names the
        handler, file and line, for a handler or a path that cannot be served.
        """
        return self._route("GET", path, options)

    def post(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Registers the handler for POST requests; see `get`."""
        return self._route("POST", path, options)

    def put(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Registers the handler for PUT requests; see `get`."""
        return self._route("PUT", path, options)

    def patch(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Registers the handler for PATCH requests; see `get`."""
        return self._route("PATCH", path, options)

    def delete(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Registers the handler for DELETE requests; see `get`."""
        return self._route("DELETE", path, options)

    def head(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Registers the handler for HEAD requests; see `get`."""
        return self._route("HEAD", path, options)

    def options(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Registers the handler for OPTIONS requests; see `get`."""
        return self._route("OPTIONS", path, options)

    def _route(
        self, method: str, path: str, options: RouteOptions
    ) -> Callable[[_Handler], _Handler]:
        def register(handler: _Handler) -> _Handler:
            self._register(method, path, options, handler)
            return handler

        return register

    def _register(
        self, method: str, path: str, options: RouteOptions, handler: Callable[..., Any]
    ) -> None:
        file, line = _location(handler)

        def fail(message: str) -> BuildError:
            return BuildError(message, handler=_qualname(handler), file=file, line=line)

        unknown = options.keys() - RouteOptions.__annotations__.keys()
        if unknown:
            raise fail(f"a route has no option {', '.join(sorted(unknown))}")
        status_code = int(options.get("status_code", 200))
        isolation = options.get("isolation", self.isolation)
        max_concurrency = options.get("max_concurrency", self.max_concurrency)
        max_requests = options.get("max_requests", self.max_requests)
        for problem in _wrong_rules(isolation, max_concurrency, max_requests):
            raise fail(problem)
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
            isolation=isolation,
            max_concurrency=max_concurrency,
            max_requests=max_requests,
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


def _wrong_rules(
    isolation: str | None, max_concurrency: int | None, max_requests: int | None
) -> Iterator[str]:
    known = get_args(Isolation)
    if isolation is not None and isolation not in known:
        yield f"isolation is one of {', '.join(known)}, not {isolation!r}"
    for name, most in (("max_concurrency", max_concurrency), ("max_requests", max_requests)):
        if most is not None and (type(most) is not int or not 1 <= most < 2**31):
            yield f"{name} is a number from 1 on, not {most!r}"


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
