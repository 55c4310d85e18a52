"""Checks JSON against a type, and makes the wire value that the host makes of a request's body.

The rules are those of the host, which are pydantic's lax mode. A message that an interpreter gets
has not been checked by the host, because it may be of any kind.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from .._errors import ResultMismatch, Unsupported
from .._schema.models import Model, model_of
from .._schema.types import MISSING, Type
from .._serialization.places import Place, show_place
from .._serialization.result_checks import check_of
from .._serialization.result_compiler import best
from .._serialization.result_leaves import LEAVES, Convert, enum_of, literal_of
from .._serialization.result_match import MATCH, lax, strict

__all__ = ["WireCompiler"]

_Finish = Callable[[Any], Any]


def _datetime(made: datetime) -> tuple[Any, ...]:
    offset = made.utcoffset()
    seconds = None if offset is None else int(offset.total_seconds())
    return (*made.timetuple()[:6], made.microsecond, seconds)


# From the Python object to the wire value, for the kinds where they differ.
_TO_WIRE: dict[str, _Finish] = {
    "datetime": _datetime,
    "date": lambda made: (made.year, made.month, made.day),
    "uuid": lambda made: made.int,
    "decimal": str,
}
_NAMES = {
    **{"str": "a text", "int": "an integer", "float": "a number", "bool": "true or false"},
    **{"none": "null", "bytes": "a text", "datetime": "a date with a time", "date": "a date"},
    **{"uuid": "a UUID", "decimal": "a decimal number", "list": "a list", "vartuple": "a list"},
    **{"set": "a list", "frozenset": "a list", "tuple": "a list", "dict": "an object"},
}


class WireCompiler:
    """Builds the function for a type from the functions for its parts.

    They raise ResultMismatch with a sentence for the client.
    """

    def __init__(self) -> None:
        self._records: dict[type, Convert] = {}

    def of(self, kind: Type) -> Convert:
        """The function from the parsed JSON and its place to the wire value.

        Raises Unsupported for a type that JSON cannot hold.
        """
        match kind.kind:
            case "any" | "adapted":
                # What another package checks, it checks when the object is made.
                return _any
            case "list" | "set" | "frozenset" | "vartuple":
                return _items(kind, self.of(kind.args[0]))
            case "tuple":
                return _tuple([self.of(arg) for arg in kind.args])
            case "dict":
                return _dict(kind, self.of(kind.args[0]), self.of(kind.args[1]))
            case "union":
                return self._union(kind)
            case "ref":
                return self._record(kind.data)
            case "literal":
                return _leaf(kind, literal_of(kind.data), None, f"one of {list(kind.data)}")
            case "enum":
                values = [member.value for member in kind.data]
                return _leaf(kind, enum_of(kind.data), values.index, f"one of {values}")
        leaf = LEAVES.get(kind.kind)
        if leaf is None:
            raise Unsupported(f"a message has no {kind.kind}")
        return _leaf(kind, leaf, _TO_WIRE.get(kind.kind), _NAMES[kind.kind])

    def _union(self, kind: Type) -> Convert:
        arms = [_of_arm(arm, self.of(arm)) for arm in kind.args]
        if not kind.plain:
            arms = [_numbered(number, arm) for number, arm in enumerate(arms)]

        def convert(value: Any, place: Place) -> Any:
            made = best(arms, value, place)
            if made is MISSING:
                raise _unfit(place, "is none of the types that it may have")
            return made

        return convert

    def _record(self, cls: type) -> Convert:
        known = self._records.get(cls)
        if known is not None:
            return known
        model = model_of(cls)
        parts: list[Convert] = []
        names = [item.alias or item.name for item in model.fields]
        allowed = frozenset([*names, *([] if model.tag is None else [model.tag[0]])])

        def convert(value: Any, place: Place) -> Any:
            if model.kind == "namedtuple" and isinstance(value, list):
                if len(value) > len(names):
                    raise _unfit(place, f"has more than {len(names)} items")
                value = dict(zip(names, value, strict=False))
            if not isinstance(value, dict):
                raise _unfit(place, "is not an object")
            if model.forbid:
                for name in value:
                    if name not in allowed:
                        raise _unfit((place, f".{name}"), "is not expected")
            return _fields(model, names, parts, value, place)

        # Registered before its fields, because the record may be recursive.
        self._records[cls] = convert
        parts += [self.of(item.type) for item in model.fields]
        return convert


def _fields(
    model: Model, names: list[str], parts: list[Convert], value: dict[str, Any], place: Place
) -> tuple[Any, ...]:
    strict()
    given, out = 0, []
    for item, name, part in zip(model.fields, names, parts, strict=True):
        found = value.get(name, MISSING)
        if found is not MISSING:
            given += 1
            out.append(part(found, (place, f".{name}")))
        elif item.required:
            raise _unfit((place, f".{name}"), "is missing")
        else:
            out.append(item.default if item.host_fills else ...)
    MATCH.fields = given + (MATCH.fields or 0)
    return tuple(out)


def _any(value: Any, place: Place) -> Any:
    strict()
    return value


def _unfit(place: Place, words: str) -> ResultMismatch:
    return ResultMismatch(f"{show_place(place)} {words}")


def _leaf(kind: Type, parse: Convert, finish: _Finish | None, wanted: str) -> Convert:
    check = check_of(kind)

    def convert(value: Any, place: Place) -> Any:
        try:
            made = parse(value, place)
        except ResultMismatch:
            # Its text is for the author of a handler.
            raise _unfit(place, f"is not {wanted}") from None
        _checked(check, made, place)
        return made if finish is None else finish(made)

    return convert


def _checked(check: Callable[[Any], str | None] | None, made: Any, place: Place) -> None:
    failed = None if check is None else check(made)
    if failed is not None:
        raise _unfit(place, f"is not {failed}")


def _items(kind: Type, item: Convert) -> Convert:
    check, unique = check_of(kind), kind.kind in ("set", "frozenset")
    build = tuple if kind.kind == "vartuple" else list

    def convert(value: Any, place: Place) -> Any:
        if not isinstance(value, list):
            raise _unfit(place, f"is not {_NAMES[kind.kind]}")
        if unique or build is tuple:
            lax()
        made = [item(one, (place, (index,))) for index, one in enumerate(value)]
        if unique:
            made = _distinct(made)
        _checked(check, made, place)
        return build(made)

    return convert


def _distinct(items: list[Any]) -> list[Any]:
    try:
        return list(dict.fromkeys(items))
    except TypeError:
        # The wire value of a record may hold lists.
        return [one for index, one in enumerate(items) if one not in items[:index]]


def _tuple(items: list[Convert]) -> Convert:
    def convert(value: Any, place: Place) -> Any:
        if not isinstance(value, list) or len(value) != len(items):
            raise _unfit(place, f"is not a list of {len(items)}")
        pairs = enumerate(zip(items, value, strict=True))
        return tuple([item(one, (place, (index,))) for index, (item, one) in pairs])

    return convert


def _dict(kind: Type, key: Convert, item: Convert) -> Convert:
    check = check_of(kind)

    def convert(value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            raise _unfit(place, "is not an object")
        made = {
            key(name, (place, (name,))): item(one, (place, (name,))) for name, one in value.items()
        }
        _checked(check, made, place)
        return made

    return convert


def _of_arm(kind: Type, convert: Convert) -> Convert:
    """An arm of a union: a record with a tag takes only what has this tag."""
    tag = model_of(kind.data).tag if kind.kind == "ref" else None
    if tag is None:
        return convert
    name, wanted = tag

    def tagged(value: Any, place: Place) -> Any:
        if not isinstance(value, dict) or value.get(name) != wanted:
            raise _unfit((place, f".{name}"), f"is not {wanted!r}")
        return convert(value, place)

    return tagged


def _numbered(number: int, convert: Convert) -> Convert:
    return lambda value, place: (number, convert(value, place))
