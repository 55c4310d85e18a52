"""The application object: the routes, and everything that holds for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, Unpack

from .errors import Unsupported
from .lifespan import Lifespan
from .models import walk_models
from .options import Isolation, wrong_rules
from .path import PathError, fill_path, parse_path
from .route import Route
from .router import Declaration, Routes, qualname
from .surroundings import Surroundings

__all__ = ["BoltAPI", "Description"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Description(TypedDict, total=False):
    """What the description of the API says of the application, as in OpenAPI.

    openapi_url, docs_url, redoc_url: where the description and its pages are; None for nowhere.
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

    title: shown to people who look at the application's description.
    isolation: what requests may find of each other in an interpreter. "fresh": a new interpreter
        for each request, so nothing. "serial": one request at a time, which finds what earlier ones
        left in globals; the default for `def`. "concurrent": requests interleave while they wait;
        the default for `async def`, and the same as "serial" for `def`, which never waits.
    max_concurrency: requests that one interpreter takes up before they end, in "concurrent".
    max_requests: requests after which an interpreter is replaced.
    dependencies: `Depends(...)` to be called for every route.
    responses: described for every route.
    exception_handlers: functions from request and exception to response, by status or class.
    lifespan: an async context manager that takes the application, entered by an interpreter before
        its first request. What it yields, a dict, is in `request.state`. Interpreters come and go
        with the load and end without notice: do not depend on what stands behind its `yield`.
    redirect_slashes: a path that is wrong by a final slash is redirected.
    description: see `Description`.

    A route that says otherwise goes by what it says. Limits of the host hold in any case.
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
        for problem in wrong_rules(isolation, max_concurrency, max_requests):
            raise ValueError(problem)
        unknown = description.keys() - Description.__annotations__.keys()
        if unknown:
            raise TypeError(f"a BoltAPI has no option {', '.join(sorted(unknown))}")
        self.title = title
        self.description = description
        self.isolation = isolation
        life = None if lifespan is None else Lifespan(self, lifespan)
        self.surroundings = Surroundings(self, life)
        self.redirect_slashes = redirect_slashes
        self.route_options = {
            name: value
            for name, value in (
                ("isolation", isolation),
                ("max_concurrency", max_concurrency),
                ("max_requests", max_requests),
                ("dependencies", list(dependencies)),
                ("responses", responses),
            )
            if value
        }
        for wanted, handler in (exception_handlers or {}).items():
            self.surroundings.failures.add(wanted, handler)
        self.state: Any = type("State", (), {})()
        self.routes: list[Route] = []
        self._taken: dict[tuple[str, str], Route] = {}
        self._mounted: tuple[BoltAPI, str] | None = None

    @property
    def dependency_overrides(self) -> dict[Any, Callable[..., Any]]:
        """What is called in place of dependencies: for tests."""
        return self.surroundings.overrides

    @dependency_overrides.setter
    def dependency_overrides(self, overrides: dict[Any, Callable[..., Any]]) -> None:
        self.surroundings.overrides = overrides

    def add_exception_handler(
        self, wanted: int | type[BaseException], handler: Callable[..., Any]
    ) -> None:
        """As `exception_handler`, without a decorator."""
        self.surroundings.failures.add(wanted, handler)

    def exception_handler(
        self, wanted: int | type[BaseException]
    ) -> Callable[[_Function], _Function]:
        """Registers a function that answers an exception, or a status that was raised.

        It takes the Request and the exception, and returns a response as a handler does.
        """

        def register(function: _Function) -> _Function:
            self.add_exception_handler(wanted, function)
            return function

        return register

    def middleware(self, kind: str = "http") -> Callable[[_Function], _Function]:
        """Registers `async def (request, call_next)` around every handler.

        `await call_next(request)` gives the Response. With any middleware every request takes the
        way of `async def` and its whole head is handed over: some 10 µs each.
        """
        if callable(kind):  # written without parentheses
            return self.middleware()(kind)
        if kind != "http":
            raise ValueError(f"middleware is for 'http', not {kind!r}")

        def register(function: _Function) -> _Function:
            self.surroundings.middleware.functions.append(function)
            return function

        return register

    def mount(self, path: str, api: BoltAPI) -> None:
        """Serve another application below a path. Its handlers, middleware and title stay its own.

        Routes that are added to it later are not seen.
        """
        api._mounted = (self, path)
        for route in api.routes:
            declared = route.declared.below(path, {"include_in_schema": False})
            self._register(declared, api.surroundings)

    @property
    def root_path(self) -> str:
        """The path below which it is mounted, "" where it is not."""
        if self._mounted is None:
            return ""
        outer, path = self._mounted
        return outer.root_path + path

    def url_path_for(self, name: str, /, **path_params: Any) -> str:
        """The path of the first route of that name that has just these parts.

        Raises LookupError where there is none, and ValueError for a part that cannot be.
        """
        for route in self.routes:
            if route.name == name and path_params.keys() == set(route.path_names):
                return fill_path(route.path, path_params)
        taken = ", ".join(path_params) or "nothing"
        raise LookupError(f"no route is called {name!r} and takes {taken} in its path")

    def declare(self, route: Declaration) -> None:
        """Take a route."""
        self._register(route.below("", self.route_options), self.surroundings)

    def _register(self, declared: Declaration, around: Surroundings) -> None:
        try:
            template = parse_path(declared.path)
            route = Route(len(self.routes), declared, around, template.names)
        except (PathError, Unsupported) as error:
            raise declared.failure(str(error)) from None
        for param in route.params:
            try:
                walk_models(param.type, {})
            except Unsupported as error:
                raise declared.failure(f"parameter {param.name!r}: {error}") from None
            except NameError:
                # A record may mention one that is defined further down. `finish` looks again.
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

    def finish(self) -> None:
        """Compiles every route, now that all classes, handlers and overrides are there.

        Raises BuildError for a record that cannot be resolved.
        """
        for route in self.routes:
            try:
                route.compile()
            except (Unsupported, NameError) as error:
                raise route.declared.failure(str(error)) from None
