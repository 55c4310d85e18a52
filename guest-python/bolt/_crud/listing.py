"""What `GET` of a collection takes: filters, an order, a limit and an offset."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from .._errors import Unsupported
from .._schema.param_functions import Query
from .bodies import ABSENT
from .operation import parameter
from .table import Table

__all__ = ["Listing"]

_OPERATORS = {"ne": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_OWN = ("order", "limit", "offset")
# What a signed number of 64 bits holds.
_MOST = 2**63 - 1


class Listing:
    """The parameters of a list.

    filters: by parameter, the column and the operator.
    orders: the values of `order`; the first is the default.
    """

    def __init__(self, table: Table, filters: Iterable[str] | None, page: int, most: int) -> None:
        for name, number in (("page", page), ("most", most)):
            if type(number) is not int or not 1 <= number <= _MOST:
                raise Unsupported(f"{name} is a number from 1 on, not {number!r}")
        if page > most:
            raise Unsupported(f"a page of {page} is more than the most, {most}")
        self._table = table
        self._page, self._most = page, most
        compared = [one.name for one in table.columns.values() if one.is_compared]
        if filters is None:
            filters = [name for name in compared if name not in _OWN]
        self.filters = {name: self._filter(name) for name in filters}
        key = table.key.name
        names = [key, *(name for name in compared if name != key)]
        self.orders = [order for name in names for order in (name, f"-{name}")]

    def _filter(self, name: str) -> tuple[str, str]:
        column, operator = name, "="
        if name not in self._table.columns:
            column, _, suffix = name.rpartition("__")
            operator = _OPERATORS.get(suffix, "")
        found = self._table.columns.get(column)
        if found is None or not operator or name in _OWN:
            raise Unsupported(
                f"the filter {name!r} is no column of {self._table.name!r}, "
                f"and none with {', '.join('__' + one for one in _OPERATORS)} behind it"
            )
        if not found.is_compared:
            raise Unsupported(f"the column {column!r} holds nothing that a filter compares")
        return column, operator

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """Those of the handler."""
        columns = self._table.columns
        return [
            *(
                parameter(name, columns[column].annotation, Query(ABSENT))
                for name, (column, _) in self.filters.items()
            ),
            parameter("order", Literal[tuple(self.orders)], Query(self.orders[0])),
            parameter("limit", int, Query(self._page, ge=1, le=self._most)),
            parameter("offset", int, Query(0, ge=0, le=_MOST)),
        ]

    @property
    def query(self) -> Mapping[str, Any]:
        """What the host needs."""
        return {
            "arguments": {name: name for name in _OWN},
            "filters": [[name, *what] for name, what in self.filters.items()],
            "orders": self.orders,
        }

    def statement(self, given: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
        """The statement for a request, and its arguments."""
        asked = [name for name in self.filters if given[name] is not ABSENT]
        text = self._table.statements.list([self.filters[name] for name in asked], given["order"])
        return text, [*(given[name] for name in asked), given["limit"], given["offset"]]
