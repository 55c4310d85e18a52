"""The compilers of queries, which Django looks for here by their names."""

from __future__ import annotations

import importlib
from typing import Any

from ._dates import Expression
from ._functions import writer

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]

_base: Any = importlib.import_module("django.db.models.sql.compiler")


class _Writes:
    def compile(self, node: Any) -> Expression:
        kind: Any = type(node)
        write = writer(kind)
        if write is not None:
            return write(node, self, self.connection)  # type: ignore[attr-defined]
        found: Expression = super().compile(node)  # type: ignore[misc]
        return found


class SQLCompiler(_Writes, _base.SQLCompiler):  # type: ignore[misc]
    """A query."""


class SQLInsertCompiler(_Writes, _base.SQLInsertCompiler):  # type: ignore[misc]
    """An insert."""


class SQLDeleteCompiler(_Writes, _base.SQLDeleteCompiler):  # type: ignore[misc]
    """A delete."""


class SQLUpdateCompiler(_Writes, _base.SQLUpdateCompiler):  # type: ignore[misc]
    """An update."""


class SQLAggregateCompiler(_Writes, _base.SQLAggregateCompiler):  # type: ignore[misc]
    """An aggregate over a subquery."""
