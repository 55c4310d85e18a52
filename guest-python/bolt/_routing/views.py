"""Class-based views: classes whose methods are handlers, with an instance for each request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, Unpack

from .options import RouteOptions

__all__ = ["APIView", "ViewSet", "action", "view_methods"]

_Handler = TypeVar("_Handler", bound=Callable[..., Any])

_METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "websocket")


class APIView:
    """A view: its methods `get`, `post`, `put`, `patch`, `delete`, `head`, `options`, `websocket`
    are handlers.

    Each takes `self` and the parameters of a handler. Register it with `@api.view("/path")`.
    """


class ViewSet:
    """A view of a collection and its items. Register it with `@api.viewset("/items")`.

    `list` and `create` serve GET and POST of the path; `retrieve`, `update`, `partial_update` and
    `destroy` serve GET, PUT, PATCH and DELETE of an item, a path segment whose parameter is named
    by `lookup_field`. Methods with `@action` have paths of their own.
    """

    lookup_field = "pk"


_COLLECTION = {"list": "GET", "create": "POST"}
_ITEM = {"retrieve": "GET", "update": "PUT", "partial_update": "PATCH", "destroy": "DELETE"}


def action(
    methods: Sequence[str] = ("GET",),
    *,
    detail: bool,
    path: str | None = None,
    **options: Unpack[RouteOptions],
) -> Callable[[_Handler], _Handler]:
    """An additional handler of a ViewSet: below an item with `detail`, else below the collection.

    path: its last segment; the name of the method by default.
    """

    def mark(handler: _Handler) -> _Handler:
        marked: Any = handler
        marked.__bolt_action__ = (tuple(methods), detail, path or handler.__name__, dict(options))
        return handler

    return mark


def view_methods(cls: type) -> Iterator[tuple[str, str, dict[str, Any], Callable[..., Any]]]:
    """The handlers of a view: HTTP method, path suffix, own options, function.

    Raises TypeError for a class without handlers.
    """
    found = list(_viewset(cls) if issubclass(cls, ViewSet) else _view(cls))
    if not found:
        raise TypeError(f"{cls.__qualname__} has no method that could serve requests")
    yield from found


def _view(cls: type) -> Iterator[tuple[str, str, dict[str, Any], Callable[..., Any]]]:
    for name in _METHODS:
        function = getattr(cls, name, None)
        if function is not None:
            yield name.upper(), "", {}, function


def _viewset(cls: type[ViewSet]) -> Iterator[tuple[str, str, dict[str, Any], Callable[..., Any]]]:
    item = f"/{{{cls.lookup_field}}}"
    for name, method in _COLLECTION.items():
        if hasattr(cls, name):
            yield method, "", {}, getattr(cls, name)
    for name in dir(cls):
        marked = getattr(getattr(cls, name), "__bolt_action__", None)
        if marked is not None:
            methods, detail, path, options = marked
            for method in methods:
                extra = f"{item if detail else ''}/{path}"
                yield method.upper(), extra, options, getattr(cls, name)
    for name, method in _ITEM.items():
        if hasattr(cls, name):
            yield method, item, {}, getattr(cls, name)
