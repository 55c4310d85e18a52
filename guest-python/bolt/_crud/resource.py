"""`Resource`: what `crud` declares, and the decorator for a class with the author's methods."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .._errors import Unsupported
from .._struct.foreign import described
from .._struct.struct import Struct
from ..exceptions import BuildError
from .handlers import Handlers
from .hooks import HOOKS, Hooks, unknown_hooks
from .listing import Listing
from .operation import Operation
from .table import Table

__all__ = ["Endpoint", "Problem", "Resource"]

_Class = TypeVar("_Class", bound=type)

_METHODS = {"list": "GET", "create": "POST", "read": "GET", "update": "PATCH", "delete": "DELETE"}
_ON_ITEM = frozenset({"read", "update", "delete"})
_STATUS = {"create": 201, "delete": 204}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Problem(Struct):
    """Why a request was not served."""

    detail: str


_MISSING = {404: {"description": "There is no such item", "model": Problem}}
_CONFLICT = {409: {"description": "It conflicts with another item", "model": Problem}}
_RESPONSES: dict[str, dict[int, Any]] = {
    "read": _MISSING,
    "create": _CONFLICT,
    "update": {**_MISSING, **_CONFLICT},
    "delete": {**_MISSING, **_CONFLICT},
}


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """A route of a resource: its method, its path, its own options and its handler."""

    method: str
    path: str
    options: dict[str, Any]
    handler: Operation


class Resource:
    """The operations on a table, as `crud` has declared them.

    It decorates a class whose methods replace operations or run around them; see `Routes.crud`.

    failure: makes the exception for a class that cannot be used.

    Raises Unsupported for a table or a model that cannot be served.
    """

    def __init__(
        self,
        model: Any,
        table: str | None,
        path: str | None,
        database: str,
        key: str | None,
        only: Collection[str] | None,
        filters: Sequence[str] | None,
        pages: tuple[int, int],
        failure: Callable[[str], BuildError],
    ) -> None:
        cls, known, identity = described(model)
        name = table or known
        if name is None:
            raise Unsupported(f"crud({cls.__name__}) needs the name of its table: table=...")
        self._table = Table(cls, name, database, key or identity)
        self._handlers = Handlers(self._table, Listing(self._table, filters, *pages))
        self.path = f"/{name}" if path is None else path
        wanted = list(_METHODS) if only is None else list(only)
        strange = [one for one in wanted if one not in _METHODS]
        if strange:
            raise Unsupported(
                f"crud has no operation {strange[0]!r}: there are {', '.join(_METHODS)}"
            )
        self._operations = {
            what: self._handlers.operation(what, self._name(what))
            for what in _METHODS
            if what in wanted
        }
        self._failure = failure

    def _name(self, what: str) -> str:
        """The name of an operation: `list_users`, `read_user`."""
        cls = self._table.cls.__name__
        item = re.sub(r"\W", "_", _WORD.sub("_", cls)).lower()
        last = re.sub(r"\W", "_", self.path.rstrip("/").rpartition("/")[2])
        return f"list_{last or self._table.name}" if what == "list" else f"{what}_{item}"

    def endpoints(self) -> Iterator[Endpoint]:
        """The routes."""
        item = f"{self.path}/{{{self._table.key.name}}}"
        for what, operation in self._operations.items():
            options: dict[str, Any] = {
                "name": operation.name,
                "status_code": _STATUS.get(what, 200),
            }
            if what in _RESPONSES:
                options["responses"] = _RESPONSES[what]
            path = item if what in _ON_ITEM else self.path
            yield Endpoint(_METHODS[what], path, options, operation)

    def __call__(self, cls: _Class) -> _Class:
        """Use the methods of a class."""
        try:
            self._use(cls)
        except Unsupported as error:
            raise self._failure(f"{cls.__qualname__}: {error}") from None
        return cls

    def _use(self, cls: type) -> None:
        kept = []
        for what in _METHODS:
            method = getattr(cls, what, None)
            if method is None:
                kept.append(what)
            elif what not in self._operations:
                raise Unsupported(f"{what!r} is none of the operations of this resource")
            else:
                self._operations[what].replace(cls, method)
        for what in HOOKS:
            hooks = Hooks(cls, what)
            if hooks and what in kept and what in self._operations:
                self._handlers.generate(self._operations[what], what, hooks)
        # A hook that never runs is a mistake.
        used = [what for what in kept if what in self._operations]
        for name in unknown_hooks(cls, used):
            raise Unsupported(f"{name!r} belongs to no operation of this resource")
