"""`BoltAPI`: the application object, with its routes and everything that applies to all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn, TypedDict, TypeVar, Unpack

from .._errors import Unsupported
from .._routing.location import qualname
from .._routing.options import Isolation, given_isolation
from .._routing.path_templates import PathError, fill_path, parse_path
from .._routing.route import Route
from .._routing.router import Declaration, Routes
from .._schema.models import walk_models
from .context import AppContext
from .lifespan import Lifespan
from .middleware import make_middleware

__all__ = ["BoltAPI", "Description"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Description(TypedDict, total=False):
    """What the OpenAPI description says about the application.

    openapi_url, docs_url, redoc_url: the paths of the description and its pages; None disables.
    """

    summary: str
    description: str
    version: str
    terms_of_service: str
    contact: Mapping[str, str]
    license_info: Mapping[str, str]
    openapi_tags: Sequence[Mapping[str, Any]]
    servers: Sequence[Mapping[str, Any]]
    openapi_url: str | None
    docs_url: str | None
    redoc_url: str | None


class BoltAPI(Routes):
    """An application: a title and the routes registered on it.

    title: the title of the OpenAPI description.
    isolation: what requests share in an interpreter. "fresh": a new interpreter for each request,
        so nothing. "serial": one request at a time, which sees the globals as earlier requests left
        them; the default for `def`. "concurrent": requests interleave while they wait; the default
        for `async def`, and the same as "serial" for `def`, which never waits.
    max_concurrency: the most unfinished requests of one interpreter, for "concurrent".
    max_requests: the number of requests after which the host replaces an interpreter.
    dependencies: `Depends(...)` to call for every route.
    responses: described for every route.
    exception_handlers: functions from request and exception to response, by status or class.
    lifespan: an async context manager that takes the application. An interpreter enters it before
        its first request. It yields a dict, whose items are attributes of `request.state`. The host
        starts and stops interpreters with the load, and may stop one without running the code after
        `yield`.
    redirect_slashes: redirect a path that differs from a route only by a final slash.
    description: see `Description`.

    The options of a route override those of the application. The limits of the host always apply.
    """

    def __init__(
        self,
        title: str = "BoltAPI",
        *,
        isolation: Isolation | None = None,
        max_concurrency: int | None = None,
        max_requests: int | None = None,
        dependencies: Sequence[Any] = (),
        responses: Mapping[int | str, Mapping[str, Any]] | None = None,
        exception_handlers: Mapping[int | type[BaseException], Callable[..., Any]] | None = None,
        lifespan: Callable[[Any], Any] | None = None,
        redirect_slashes: bool = True,
        **description: Unpack[Description],
    ) -> None:
        unknown = description.keys() - Description.__annotations__.keys()
        if unknown:
            raise TypeError(f"a BoltAPI has no option {', '.join(sorted(unknown))}")
        self.title = title
        self.description = description
        entered = None if lifespan is None else Lifespan(self, lifespan)
        self.context = AppContext(self, entered)
        self.redirect_slashes = redirect_slashes
        self.isolation_options = given_isolation(isolation, max_concurrency, max_requests)
        self.route_options = {
            **self.isolation_options,
            "dependencies": list(dependencies),
            "responses": responses,
        }
        for wanted, handler in (exception_handlers or {}).items():
            self.context.exception_handlers.add(wanted, handler)
        self.state: Any = type("State", (), {})()
        self.routes: list[Route] = []
        self.mounted: list[tuple[str, BoltAPI]] = []
        # The app of another framework to which it passes all requests.
        self.foreign: Any = None
        self._taken: dict[tuple[str, str], Route] = {}
        self._outer: list[tuple[BoltAPI, str]] = []

    @property
    def dependency_overrides(self) -> dict[Any, Callable[..., Any]]:
        """Replacements for dependencies, by dependency; for tests."""
        return self.context.dependency_overrides

    @dependency_overrides.setter
    def dependency_overrides(self, overrides: dict[Any, Callable[..., Any]]) -> None:
        self.context.dependency_overrides = overrides

    def add_exception_handler(
        self, wanted: int | type[BaseException], handler: Callable[..., Any]
    ) -> None:
        """Register an exception handler without a decorator; see `exception_handler`."""
        self.context.exception_handlers.add(wanted, handler)

    def exception_handler(
        self, wanted: int | type[BaseException]
    ) -> Callable[[_Function], _Function]:
        """Register a function that responds to an exception, or to an HTTPException of a status.

        It takes the Request and the exception, and returns a result as a handler does.
        """

        def register(function: _Function) -> _Function:
            self.add_exception_handler(wanted, function)
            return function

        return register

    def middleware(self, kind: str = "http") -> Callable[[_Function], _Function]:
        """Register `async def (request, call_next)` around every handler, also of mounted apps.

        `await call_next(request)` returns the Response. With any middleware, every handler runs as
        a coroutine and the host sends the whole request head, which costs about 10 µs a request.
        """
        if callable(kind):  # used as a decorator without parentheses
            return self.middleware()(kind)
        if kind != "http":
            raise ValueError(f"middleware is for 'http', not {kind!r}")

        def register(function: _Function) -> _Function:
            self.context.middleware.functions.append(function)
            return function

        return register

    def add_middleware(self, cls: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Register a middleware class of the SDK, such as `bolt.sessions.SessionMiddleware`.

        args, options: those of the class. It counts as a function of `middleware`. Raises TypeError
        for any other class, such as one of Starlette.
        """
        self.middleware()(make_middleware(cls, args, options))

    @classmethod
    def serving(cls, app: Any, interface: str | None = None) -> BoltAPI:
        """An application that passes all requests to an app of ASGI or WSGI.

        app: such an app, or an `ASGIApp` or a `WSGIApp`, which have options.
        interface: "asgi" or "wsgi", for an app that does not say which it is. Raises TypeError if
            there is no app, or if it does not say.
        """
        # Late: most apps are none of another framework.
        from .._doors.apps import foreign_app
        from .._doors.door import door_lifespan, door_routes

        foreign = foreign_app(app, interface)
        api = cls(
            foreign.title,
            **foreign.isolation_options,
            lifespan=door_lifespan(foreign),
            redirect_slashes=False,
            openapi_url=None,
        )
        api.foreign = foreign
        for route in door_routes(foreign):
            api.declare(route)
        return api

    def mount(self, path: str, api: Any, interface: str | None = None) -> None:
        """Serve another application below a path: a BoltAPI, or an app of ASGI or WSGI.

        interface: see `serving`.

        It has its own exception handlers, also for 404, 405 and 422 below the path, and its own
        description and pages of it. The middleware and the lifespan of this application are around
        its own ones. The isolation of this application holds for routes that ask for none.

        Raises ValueError for a path that does not begin with "/", and for an application inside of
        itself.
        """
        path = path.rstrip("/")
        if path and not path.startswith("/"):
            raise ValueError(f"an application is mounted on a path such as '/shop', not {path!r}")
        if not isinstance(api, BoltAPI):
            api = BoltAPI.serving(api, interface)
        if self is api or self._is_inside(api):
            raise ValueError(f"{self.title!r} cannot be mounted inside of itself, on {path!r}")
        self.mounted.append((path, api))
        api._outer.append((self, path))
        for route in api.routes:
            self._mount_route(path, route.declared, route.contexts)

    def _mount_route(
        self, path: str, declared: Declaration, contexts: tuple[AppContext, ...]
    ) -> None:
        hidden = declared.below(path, {**self.isolation_options, "include_in_schema": False})
        self.register(hidden, (self.context, *contexts))

    def _is_inside(self, api: BoltAPI) -> bool:
        return any(outer is api or outer._is_inside(api) for outer, _ in self._outer)

    @property
    def root_path(self) -> str:
        """The path below which it is mounted, or "". If it is mounted twice, the last one."""
        if not self._outer:
            return ""
        outer, path = self._outer[-1]
        return outer.root_path + path

    def url_path_for(self, name: str, /, **path_params: Any) -> str:
        """The path of the first route of that name that has exactly these path parameters.

        Raises LookupError when there is none, and ValueError for an invalid value.
        """
        return fill_path(self.find_route(name, path_params).path, path_params)

    def find_route(self, name: str, path_params: Collection[str]) -> Route:
        """The first route of that name that has exactly these path parameters.

        Raises LookupError when there is none.
        """
        for route in self.routes:
            if route.name == name and set(path_params) == set(route.path_names):
                return route
        taken = ", ".join(path_params) or "nothing"
        raise LookupError(f"no route is called {name!r} and takes {taken} in its path")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> NoReturn:
        """Refuse to be an ASGI application, which is how other servers call it."""
        raise TypeError(
            "a BoltAPI is no ASGI application, and bolt-host is its server: "
            "start it with `bolt-host dev app.py` or `bolt-host run app.py --port 8000`"
        )

    def declare(self, route: Declaration) -> None:
        """Add a route to the application."""
        self.register(route.below("", self.route_options), (self.context,))

    def serves(self, method: str, path: str) -> bool:
        """Whether a route has this method and a path template of this shape."""
        return (method, parse_path(path).shape) in self._taken

    def register(self, declared: Declaration, contexts: tuple[AppContext, ...]) -> None:
        """Add a route as it is declared; see `Route` for the contexts."""
        try:
            template = parse_path(declared.path)
            route = Route(len(self.routes), declared, contexts, template.names)
        except (PathError, Unsupported) as error:
            raise declared.failure(str(error)) from None
        for param in route.params:
            try:
                walk_models(param.type, {})
            except Unsupported as error:
                raise declared.failure(f"parameter {param.name!r}: {error}") from None
            except NameError:
                # A record may refer to one that is defined later. `finish` checks again.
                continue
        key = (declared.method, template.shape)
        other = self._taken.get(key)
        if other is not None:
            raise declared.failure(
                f"{declared.method} {declared.path} is already served by "
                f"{qualname(other.handler)}, {other.file}:{other.line}"
            )
        self._taken[key] = route
        self.routes.append(route)
        for outer, path in self._outer:
            outer._mount_route(path, declared, contexts)

    def finish(self) -> None:
        """Compile every route, once all classes, handlers and overrides are defined.

        Raises BuildError for a record that cannot be resolved.
        """
        for route in self.routes:
            try:
                route.compile()
            except (Unsupported, NameError) as error:
                raise route.declared.failure(str(error)) from None
