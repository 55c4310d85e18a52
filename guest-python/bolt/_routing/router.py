"""The decorators that declare routes, and `Router`, which collects declared routes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from .._dependencies.call_tree import Call, call_tree
from .._dependencies.injected import RouteKind
from .._errors import Unsupported
from .._websockets.sleepers import check_endpoint, connect_of, first_method
from ..exceptions import BuildError
from .location import caller, location, qualname
from .options import (
    WEBSOCKET,
    CrudOptions,
    RouteOptions,
    SocketOptions,
    combined,
    wrong_crud_options,
    wrong_options,
    wrong_socket_options,
)
from .path_templates import PathError, parse_path
from .views import view_methods

if TYPE_CHECKING:
    from .._crud.resource import Resource

__all__ = ["Declaration", "Router", "Routes"]

_Handler = TypeVar("_Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """A route as its author declared it.

    path: with the prefixes of the enclosing routers.
    options: combined with those of the enclosing routers.
    file, line: the location of the handler's `def`; the file is relative to the import root.
    view: the class whose method the handler is, or None.
    endpoint: the class whose methods the host calls for a WebSocket that sleeps, or None.
    """

    method: str
    path: str
    options: dict[str, Any]
    handler: Callable[..., Any]
    file: str
    line: int
    view: type | None = None
    endpoint: type | None = None

    @property
    def is_socket(self) -> bool:
        """Whether it is a websocket route."""
        return self.method == WEBSOCKET

    def below(self, prefix: str, options: dict[str, Any]) -> Declaration:
        """The same route inside a router with this prefix and these options."""
        path = prefix + self.path
        return replace(self, path=path, options=combined(options, self.options))

    def calls(
        self,
        path_names: tuple[str, ...],
        dependencies: Sequence[Any],
        overrides: Mapping[Any, Callable[..., Any]] | None = None,
    ) -> Call:
        """The calls of a request. Raises Unsupported as `call_tree` does."""
        kind: RouteKind = "socket" if self.is_socket else "http"
        if self.endpoint is not None:
            kind = "sleeper"
        return call_tree(self.handler, path_names, dependencies, overrides, self.view, kind)

    def failure(self, message: str) -> BuildError:
        """A BuildError that names the handler, its file and its line."""
        return BuildError(message, handler=qualname(self.handler), file=self.file, line=self.line)


class Routes:
    """The decorators. They pass each declared route to `declare`."""

    def declare(self, route: Declaration) -> None:
        """Add a route."""
        raise NotImplementedError

    def get(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Register the handler for GET requests.

        path: starts with "/"; `{name}` matches one segment, a final `{name:path}` the rest. Each
            name is a parameter of the handler.
        options: see `RouteOptions`.

        The decorator returns the function unchanged. It raises BuildError, which names the handler,
        file and line, for a handler or a path that cannot be served.
        """
        return self._route(("GET",), path, options)

    def post(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Register the handler for POST requests; see `get`."""
        return self._route(("POST",), path, options)

    def put(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Register the handler for PUT requests; see `get`."""
        return self._route(("PUT",), path, options)

    def patch(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Register the handler for PATCH requests; see `get`."""
        return self._route(("PATCH",), path, options)

    def delete(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Register the handler for DELETE requests; see `get`."""
        return self._route(("DELETE",), path, options)

    def head(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Register the handler for HEAD requests; see `get`."""
        return self._route(("HEAD",), path, options)

    def options(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[_Handler], _Handler]:
        """Register the handler for OPTIONS requests; see `get`."""
        return self._route(("OPTIONS",), path, options)

    def api_route(
        self, path: str, *, methods: Collection[str] | None = None, **options: Unpack[RouteOptions]
    ) -> Callable[[_Handler], _Handler]:
        """Register the handler for several methods, by default GET; see `get`."""
        return self._route(_methods(methods), path, options)

    def add_api_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: Collection[str] | None = None,
        **options: Unpack[RouteOptions],
    ) -> None:
        """As `api_route`, without a decorator."""
        self._route(_methods(methods), path, options)(endpoint)

    def websocket(
        self, path: str, name: str | None = None, **options: Unpack[SocketOptions]
    ) -> Callable[[_Handler], _Handler]:
        """Register an `async def` handler for WebSockets; see `get` and `WebSocket`.

        Or a class, whose WebSockets sleep between messages; see `WebSocketEndpoint`.

        name: for `url_path_for`; by default that of the function or class.
        options: see `SocketOptions`.

        A page of another site cannot connect, unless `origins` allows it.
        """

        def register(handler: _Handler) -> _Handler:
            given = {**options, "name": name}
            if isinstance(handler, type):
                self._declare_endpoint(path, given, handler)
            else:
                self._declare(WEBSOCKET, path, given, handler)
            return handler

        return register

    websocket_route = websocket

    def add_api_websocket_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        name: str | None = None,
        **options: Unpack[SocketOptions],
    ) -> None:
        """As `websocket`, without a decorator."""
        self.websocket(path, name, **options)(endpoint)

    add_websocket_route = add_api_websocket_route

    def view(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[type], type]:
        """Register a class whose methods `get`, `post`, ... are handlers; see `APIView`."""
        return self._view(path, options)

    def viewset(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[type], type]:
        """Register a class with `list`, `create`, `retrieve`, `update`, ...; see `ViewSet`."""
        return self._view(path, options)

    def crud(
        self,
        model: Any,
        *,
        table: str | None = None,
        path: str | None = None,
        database: str = "main",
        key: str | None = None,
        only: Collection[str] | None = None,
        filters: Sequence[str] | None = None,
        page: int = 20,
        most: int = 100,
        **options: Unpack[CrudOptions],
    ) -> Resource:
        """Serve a table: `list`, `create`, `read`, `update` and `delete` its rows.

        model: a Struct or a dataclass with a field for each column; or a model of SQLAlchemy or
            Django, which also names the table and the key.
        path: by default the name of the table. An item is one segment below.
        key: the field that identifies an item, an int, str or UUID; by default `id`.
        only: the operations to serve.
        filters: query parameters that rows have to match: names of columns, with `__ne`, `__gt`,
            `__gte`, `__lt` or `__lte` behind them if they are not to be equal. By default, all
            columns.
        page, most: the default and the largest `limit` of a list.
        options: see `CrudOptions`.

        Where no code of the app has to run, the host answers without an interpreter.

        The result decorates a class. A method `list`, `create`, `read`, `update` or `delete` is a
        handler in place of that operation. `before_create`, `before_update`, `before_delete` and
        `after_...` run around it, in one transaction with it: they take `item`, `before_update`
        and `after_update` also `changes`, and whatever handlers take. What they return, if it is
        not None, replaces the item; for `before_update`, the changes.

        Raises BuildError, which names the line, for a table that cannot be served.
        """
        # Late, because most apps have no tables and need none of the modules.
        from .._crud.resource import Resource

        file, line = caller(1)

        name = getattr(model, "__name__", repr(model))

        def failure(message: str) -> BuildError:
            return BuildError(message, handler=f"crud({name})", file=file, line=line)

        for problem in wrong_crud_options(options):
            raise failure(problem)
        try:
            made = Resource(model, table, path, database, key, only, filters, (page, most), failure)
        except (Unsupported, NameError, ValueError) as error:
            raise failure(str(error)) from None
        for one in made.endpoints():
            own = combined(dict(options), one.options)
            self.declare(Declaration(one.method, one.path, own, one.handler, file, line))
        return made

    def _route(
        self, methods: tuple[str, ...], path: str, options: RouteOptions
    ) -> Callable[[_Handler], _Handler]:
        def register(handler: _Handler) -> _Handler:
            for method in methods:
                self._declare(method, path, options, handler)
            return handler

        return register

    def _view(self, path: str, options: RouteOptions) -> Callable[[type], type]:
        def register(cls: type) -> type:
            for method, extra, own, handler in view_methods(cls):
                self._declare(method, path + extra, combined(options, own), handler, cls)
            return cls

        return register

    def _declare(
        self, method: str, path: str, options: Any, handler: Any, view: type | None = None
    ) -> None:
        file, line = location(handler)
        route = Declaration(method, path, dict(options), handler, file, line, view)
        wrong = wrong_socket_options if route.is_socket and view is None else wrong_options
        self._check(route, wrong)

    def _declare_endpoint(self, path: str, options: dict[str, Any], cls: type) -> None:
        handler, view = connect_of(cls)
        file, line = location(first_method(cls) or handler)
        route = Declaration(WEBSOCKET, path, options, handler, file, line, view, cls)
        try:
            check_endpoint(cls)
        except Unsupported as error:
            raise route.failure(str(error)) from None
        self._check(route, wrong_socket_options)

    def _check(
        self, route: Declaration, wrong: Callable[[Mapping[str, Any]], Iterator[str]]
    ) -> None:
        for problem in wrong(route.options):
            raise route.failure(problem)
        self.declare(route)

    def include_router(
        self, router: Router, prefix: str = "", **options: Unpack[RouteOptions]
    ) -> None:
        """Add the routes of a router, below `prefix` and with these additional options."""
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ValueError(f"a prefix starts with '/' and does not end with one: {prefix!r}")
        for route in router.declared:
            self.declare(route.below(prefix, dict(options)))


class Router(Routes):
    """Routes to include in an application or in another router.

    prefix: prepended to every path.
    options: defaults for every route; tags and dependencies are added to those of the route.
    """

    def __init__(self, prefix: str = "", **options: Unpack[RouteOptions]) -> None:
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ValueError(f"a prefix starts with '/' and does not end with one: {prefix!r}")
        for problem in wrong_options(options):
            raise ValueError(problem)
        self.prefix = prefix
        self.route_options = dict(options)
        self.declared: list[Declaration] = []

    def declare(self, route: Declaration) -> None:
        """Add a route to the router."""
        inside = route.below(self.prefix, self.route_options)
        # Errors that are visible without the application are raised at the declaration.
        try:
            names = parse_path(inside.path or "/").names
            dependencies = inside.options.get("dependencies") or ()
            route.calls(names, dependencies)
        except (PathError, Unsupported) as error:
            raise route.failure(str(error)) from None
        self.declared.append(inside)


def _methods(methods: Collection[str] | None) -> tuple[str, ...]:
    # A set has no defined order, and the order determines the numbers of the routes.
    given = sorted(methods) if isinstance(methods, (set, frozenset)) else methods or ("GET",)
    upper = tuple(dict.fromkeys(method.upper() for method in given))
    if WEBSOCKET in upper:
        raise ValueError("a websocket route is declared with `websocket(path)`")
    return upper
