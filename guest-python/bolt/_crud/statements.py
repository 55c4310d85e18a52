"""The texts of the statements. The host makes the same ones, so they are part of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["Statements", "quoted"]


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


class Statements:
    """The statements of a table.

    key: the column that identifies a row.
    columns: those of a row, in order.
    """

    def __init__(self, table: str, key: str, columns: Iterable[str]) -> None:
        self._table = quoted(table)
        self._key = key
        self._columns = ", ".join(quoted(name) for name in columns)
        self.read = f"select {self._columns} from {self._table} where {quoted(key)} = $1"
        self.delete = f"delete from {self._table} where {quoted(key)} = $1 returning 1"

    def list(self, filters: Sequence[tuple[str, str]], order: str) -> str:
        """Rows in an order. The limit and the offset follow the values of the filters.

        filters: columns and operators.
        order: a column, after "-" if it descends.
        """
        text = f"select {self._columns} from {self._table}"
        if filters:
            terms = (
                f"{quoted(name)} {operator} ${place}"
                for place, (name, operator) in enumerate(filters, 1)
            )
            text += f" where {' and '.join(terms)}"
        column = order.removeprefix("-")
        text += f" order by {quoted(column)}{' desc' if order != column else ''}"
        if column != self._key:
            # Rows that are equal in the order would move between pages.
            text += f", {quoted(self._key)}"
        return f"{text} limit ${len(filters) + 1} offset ${len(filters) + 2}"

    def create(self, names: Sequence[str]) -> str:
        """A new row with values for these columns."""
        text = f"insert into {self._table}"
        if not names:
            return f"{text} default values returning {self._columns}"
        into = ", ".join(quoted(name) for name in names)
        marks = ", ".join(f"${place}" for place in range(1, len(names) + 1))
        return f"{text} ({into}) values ({marks}) returning {self._columns}"

    def update(self, names: Sequence[str]) -> str:
        """Other values for these columns of a row. Its key is the last argument."""
        changes = ", ".join(f"{quoted(name)} = ${place}" for place, name in enumerate(names, 1))
        where = f"{quoted(self._key)} = ${len(names) + 1}"
        return f"update {self._table} set {changes} where {where} returning {self._columns}"
