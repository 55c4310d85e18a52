"""Models whose fields are values of a query, of headers, of cookies or of a form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._errors import ValidatorError
from .._schema.models import Field, Model, add_model
from .._schema.param_functions import Marker
from .._schema.types import ANY, Type
from .adapter import Adapter, Refusal, marked

__all__ = ["spread_type"]


class _Spread:
    """The adapter of a model, for a tuple of the values of its fields.

    names: for each value, under which name the model takes it.
    shown: what the errors call a field, by the name that the model takes.
    """

    def __init__(self, base: Adapter, names: list[str], shown: dict[str, str]) -> None:
        self.described = base
        self.shape = base.shape
        self.names = names
        self.shown = shown

    def converter(self) -> Callable[[Any], Any]:
        """As that of an adapter."""
        base = self.described
        validate, refused, names = base.validator(), base.refused, self.names

        def convert(wire: tuple[Any, ...]) -> Any:
            try:
                return validate(_given(names, wire))
            except refused as exc:
                raise ValidatorError from exc

        return marked(convert)

    def errors(self, wire: tuple[Any, ...]) -> list[Refusal]:
        """As those of an adapter, with the names that the values have in the request."""
        return [self._named(one) for one in self.described.errors(_given(self.names, wire))]

    def _named(self, one: Refusal) -> Refusal:
        if not one.path:
            return one
        return replace(one, path=(self.shown.get(one.path[0], one.path[0]), *one.path[1:]))


def _given(names: list[str], wire: tuple[Any, ...]) -> dict[str, Any]:
    # The host sends Ellipsis for a value that the request does not have.
    return {name: value for name, value in zip(names, wire, strict=True) if value is not ...}


def spread_type(base: Adapter, name_of: Callable[[str], str]) -> Type:
    """The type of a parameter that is spread over several values.

    name_of: the name in the request of a field without an alias.
    """
    texts = base.of_texts()
    names: list[str] = []
    shown: dict[str, str] = {}
    fields = []
    for item in texts.fields():
        for index, name in enumerate(item.names):
            names.append(name)
            shown[name] = name if name != item.name else name_of(name)
            wire = Type("list", (ANY,)) if item.several else ANY
            # Only the preferred name is described.
            marker = Marker(
                "",
                description=item.description,
                deprecated=item.deprecated or None,
                include_in_schema=index == 0,
            )
            fields.append(
                Field(
                    name,
                    Type("adapted", (wire,), item.adapter),
                    item.required,
                    alias="" if name == item.name else name,
                    marker=marker,
                )
            )
    cls = getattr(base.annotation, "__origin__", base.annotation)
    # A class of its own: the model itself may be the body of another route.
    named = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    record = type(cls.__name__, (), named)
    add_model(
        Model(
            *("struct", record, cls.__name__, tuple(fields), tuple(fields)),
            forbid=base.forbids,
            lenient=True,
        )
    )
    return Type("adapted", (Type("ref", data=record),), _Spread(texts, names, shown))
