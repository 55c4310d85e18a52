"""The handlers of the five operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import GenericAlias
from typing import Any

from .._schema.models import model_of
from .._schema.param_functions import Body
from ..responses import JSON, Response
from .answers import OUTCOMES, answering, missing, refused
from .bodies import ABSENT, given_in
from .hooks import Hooks
from .listing import Listing
from .operation import Operation, parameter
from .table import Table

__all__ = ["Handlers"]

_DOCS = {
    "list": "The items of a page.",
    "read": "One item.",
    "create": "Make an item.",
    "update": "Change the fields of an item that are sent.",
    "delete": "Delete an item.",
}


class Handlers:
    """Generates the handlers of a table.

    body: the name of the parameter that has the body of a request.
    """

    def __init__(self, table: Table, listing: Listing) -> None:
        self._table = table
        self._listing = listing
        key = table.key
        self._key = parameter(key.name, key.annotation)
        self.body = "item" if key.name != "item" else "item_"

    def operation(self, what: str, name: str) -> Operation:
        """An operation, without hooks."""
        made = Operation(name, OUTCOMES)
        self.generate(made, what, None)
        made.query = self._query(what)
        return made

    def generate(self, operation: Operation, what: str, hooks: Hooks | None) -> None:
        """Make the handler of an operation, with its hooks."""
        parameters = self._parameters(what)
        names = {item.name for item in parameters}
        more = () if hooks is None else hooks.parameters.values()
        cls = self._table.cls
        results: dict[str, Any] = {"list": GenericAlias(list, cls), "delete": None}
        operation.generate(
            getattr(self, f"_{what}")(hooks or None),
            [*parameters, *(item for item in more if item.name not in names)],
            results.get(what, cls),
            (f"crud({cls.__name__}).{what}", _DOCS[what]),
        )
        operation.query = None

    def _parameters(self, what: str) -> list[Any]:
        table = self._table
        if what == "list":
            return self._listing.parameters
        if what == "create":
            return [parameter(self.body, table.create_body, Body())]
        if what == "update":
            return [self._key, parameter(self.body, table.update_body, Body())]
        return [self._key]

    def _query(self, what: str) -> dict[str, Any] | None:
        """What the host needs to do the same; None if it cannot."""
        table, takes_body = self._table, what in ("create", "update")
        if not table.is_plain and what != "delete":
            return None
        if takes_body and (table.model.refuses or not self._is_sent(what)):
            return None
        key = table.key.name
        more: Mapping[str, Any] = {"arguments": {"key": key}}
        if what == "list":
            more = self._listing.query
        elif takes_body:
            arguments = {"body": self.body} if what == "create" else {"key": key, "body": self.body}
            more = {"arguments": arguments, "fields": self._fields(what)}
        return {
            "database": table.db.name,
            "table": table.name,
            "key": key,
            "operation": what,
            # What is deleted may have others, and is not shown.
            "columns": [
                [one.name, one.key, one.kind] for one in table.columns.values() if one.kind
            ],
            **more,
        }

    def _body(self, what: str) -> Any:
        cls = self._table.create_body if what == "create" else self._table.update_body
        return model_of(cls)

    def _fields(self, what: str) -> list[str]:
        return [item.name for item in self._body(what).fields]

    def _is_sent(self, what: str) -> bool:
        """Whether the host knows the default of each field, or leaves it to the database."""
        if what == "create" and self._table.makes_key is not None:
            return False
        fields = self._body(what).fields
        return all(item.required or item.host_fills or item.default is ABSENT for item in fields)

    # The handlers.

    def _list(self, hooks: Hooks | None) -> Callable[..., Any]:
        table, listing = self._table, self._listing

        async def list_items(**given: Any) -> Any:
            text, arguments = listing.statement(given)
            with answering():
                rows = await table.db.fetch(text, *arguments)
            return JSON([table.shown(row) for row in rows])

        return list_items

    def _read(self, hooks: Hooks | None) -> Callable[..., Any]:
        table = self._table

        async def read(**given: Any) -> Any:
            with answering():
                row = await self._row(given)
            return JSON(table.shown(row))

        return read

    def _create(self, hooks: Hooks | None) -> Callable[..., Any]:
        table = self._table

        async def create(**given: Any) -> Any:
            with answering():
                values = self._made(given_in(given[self.body]))
                return JSON(table.shown(await self._insert(values)))

        async def create_with_hooks(**given: Any) -> Any:
            assert hooks is not None
            view = hooks.begin()
            with answering():
                values = given_in(given[self.body])
                async with table.db.transaction():
                    item = table.cls(**self._made(values))
                    other = await hooks.run(view, "before_create", given, item=item)
                    row = await self._insert(self._values(item if other is None else other, values))
                    item = table.item(row)
                    other = await hooks.run(view, "after_create", given, item=item)
            return JSON(table.shown_item(item if other is None else other))

        return create if hooks is None else create_with_hooks

    def _update(self, hooks: Hooks | None) -> Callable[..., Any]:
        table = self._table

        async def update(**given: Any) -> Any:
            with answering():
                row = await self._change(given, given_in(given[self.body]))
            return JSON(table.shown(row))

        async def update_in_steps(**given: Any) -> Any:
            view = hooks.begin() if hooks else None
            with answering():
                changes = given_in(given[self.body])
                async with table.db.transaction():
                    item = table.item(await self._row(given))
                    if table.is_checked:
                        changes = self._checked(item, changes)
                    if hooks is None:
                        row = await self._change(given, changes)
                        return JSON(table.shown(row))
                    other = await hooks.run(
                        view, "before_update", given, item=item, changes=changes
                    )
                    row = await self._change(given, changes if other is None else other)
                    item = table.item(row)
                    other = await hooks.run(view, "after_update", given, item=item, changes=changes)
            return JSON(table.shown_item(item if other is None else other))

        return update if hooks is None and not table.is_checked else update_in_steps

    def _delete(self, hooks: Hooks | None) -> Callable[..., Any]:
        table = self._table

        async def delete(**given: Any) -> Any:
            with answering():
                await self._remove(given)
            return Response(status_code=204)

        async def delete_with_hooks(**given: Any) -> Any:
            assert hooks is not None
            view = hooks.begin()
            with answering():
                async with table.db.transaction():
                    item = table.item(await self._row(given))
                    await hooks.run(view, "before_delete", given, item=item)
                    await self._remove(given)
                    await hooks.run(view, "after_delete", given, item=item)
            return Response(status_code=204)

        return delete if hooks is None else delete_with_hooks

    # Their parts.

    async def _row(self, given: Mapping[str, Any]) -> dict[str, Any]:
        table = self._table
        row = await table.db.fetchrow(table.statements.read, given[table.key.name])
        if row is None:
            raise missing()
        return row

    async def _insert(self, values: Mapping[str, Any]) -> dict[str, Any]:
        table = self._table
        text = table.statements.create(list(values))
        row = await table.db.fetchrow(text, *table.bound(values))
        if row is None:
            # A trigger has dropped it.
            raise refused()
        return row

    async def _change(self, given: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        if not changes:
            return await self._row(given)
        table = self._table
        text = table.statements.update(list(changes))
        key = given[table.key.name]
        row = await table.db.fetchrow(text, *table.bound(changes), key)
        if row is None:
            raise missing()
        return row

    async def _remove(self, given: Mapping[str, Any]) -> None:
        table = self._table
        found = await table.db.fetchval(table.statements.delete, given[table.key.name])
        if found is None:
            raise missing()

    def _made(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values of a new item, with the key that the model makes, and checked by the model."""
        table = self._table
        if table.makes_key is not None and table.key.name not in values:
            values = {table.key.name: table.makes_key(), **values}
        return self._values(table.checked(values), values) if table.is_checked else values

    def _checked(self, item: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The changes, after the model has checked the item that they lead to."""
        table = self._table
        values = {name: getattr(item, name) for name in table.columns}
        made = table.checked({**values, **changes})
        return {name: getattr(made, name) for name in changes}

    def _values(self, item: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a new item, without those that are left to the database."""
        out = {}
        for field in self._table.model.fields:
            value = getattr(item, field.name)
            is_left = value is None or (
                field.name == self._table.key.name and value == field.default
            )
            if field.name in given or not is_left:
                out[field.name] = value
        return out
