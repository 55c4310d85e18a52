"""Compiles, for each declared type of results, the function that checks and converts a result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .._errors import ResultMismatch
from .._schema.models import Field, Model, model_of
from .._schema.types import MISSING, Type
from .adapted_results import adapted_part
from .database_values import instead_of_row
from .places import Place, show_place
from .result_checks import check_of
from .result_leaves import CLASSES, FINISH, LEAVES, Convert, enum_of, literal_of
from .result_match import EXACT, MATCH, lax, strict, wrong
from .result_shape import Shape, below, leaves_out, picks
from .serialize_checked import to_plain
from .unsendable import is_mistake

__all__ = ["ResultCompiler", "best"]

_SEQUENCES: dict[str, type] = {
    "list": list,
    "set": set,
    "frozenset": frozenset,
    "vartuple": tuple,
    "tuple": tuple,
}
_UNIQUE = frozenset({"set", "frozenset"})
# They can be iterated over, but are no lists of anything.
_NO_ITEMS = (str, bytes, bytearray, Mapping)
# No attributes of these are the fields of a record.
_NO_RECORD = (str, bytes, int, float, list, tuple, set, frozenset, type(None))


class ResultCompiler:
    """Builds the function for a type from the functions for its parts.

    checks: the values must satisfy the constraints.
    """

    def __init__(self, shape: Shape, checks: bool = True) -> None:
        self.shape = shape
        self.checks = checks
        self.records: dict[type, Convert] = {}

    def of(self, kind: Type, picked: Any = None, left_out: Any = None) -> Convert:
        """The function for a type. `picked` and `left_out` are nested `include` and `exclude`."""
        if picked is None and left_out is None and not self.records:
            picked, left_out = self.shape.include, self.shape.exclude
        if not self.checks and kind.checks:
            kind = Type(kind.kind, kind.args, kind.data)
        leaf = LEAVES.get(kind.kind)
        if leaf is not None:
            return _leaf(kind, leaf)
        match kind.kind:
            case "list" | "set" | "frozenset" | "vartuple":
                return _items(kind, self.of(kind.args[0], picked, left_out))
            case "tuple":
                return _tuple([self.of(arg, picked, left_out) for arg in kind.args])
            case "dict":
                key, item = self.of(kind.args[0]), self.of(kind.args[1], picked, left_out)
                return _dict(kind, key, item)
            case "union":
                return _union(kind, [self.of(arg, picked, left_out) for arg in kind.args])
            case "ref":
                return self._ref(kind.data, picked, left_out)
            case "adapted":
                return adapted_part(kind.data, self.shape, picked, left_out)
            case "literal":
                return literal_of(kind.data)
            case "enum":
                return enum_of(kind.data)
        return LEAVES["any"]

    def _ref(self, cls: type, picked: Any, left_out: Any) -> Convert:
        known = self.records.get(cls)
        if known is not None and picked is None and left_out is None:
            return known
        model = model_of(cls)
        fields: list[tuple[Field, str, str, Convert]] = []
        # A TypedDict is a plain dict at run time.
        has_instances = model.kind != "typeddict"

        def convert(value: Any, place: Place) -> Any:
            if not has_instances or not isinstance(value, cls):
                return self._record(model, fields, value, place)
            # The fields of an instance do not decide which arm of a union it belongs to.
            level, given = MATCH.level, MATCH.fields
            made = self._record(model, fields, value, place)
            MATCH.level, MATCH.fields = level, given
            if type(value) is not cls:
                strict()
            return made

        # Registered before its fields, because the record may be recursive.
        self.records[cls] = convert
        for item in model.sent:
            if picks(picked, item.name) and not leaves_out(left_out, item.name):
                inner = self.of(item.type, below(picked, item.name), below(left_out, item.name))
                key = item.out or item.name if self.shape.by_alias else item.name
                fields.append((item, key, f".{item.name}", inner))
        return convert

    def _record(
        self, model: Model, fields: list[tuple[Field, str, str, Convert]], value: Any, place: Place
    ) -> Any:
        shape = self.shape
        mapping = isinstance(value, Mapping)
        if model.kind == "namedtuple" and isinstance(value, (list, tuple)):
            names = [item.name for item in model.fields]
            if len(value) > len(names):
                raise wrong(value, place, model.name)
            value, mapping = dict(zip(names, value, strict=False)), True
        if not mapping and isinstance(value, _NO_RECORD):
            raise wrong(value, place, model.name)
        if mapping:
            strict()
        else:
            lax()
        given = 0
        out = {} if model.tag is None else {model.tag[0]: model.tag[1]}
        for item, key, step, convert in fields:
            if not mapping:
                found = getattr(value, item.name, MISSING)
            elif item in model.fields:
                found = value.get(item.name, MISSING)
                if found is MISSING and item.alias:
                    found = value.get(item.alias, MISSING)
            else:
                found = _computed(model, item, value)
            if found is MISSING:
                if item.required:
                    if is_mistake(value):
                        raise wrong(value, place, model.name)
                    raise ResultMismatch(
                        f"the handler declares {model.name} at {show_place(place)}, "
                        f"and what it returned has no {item.name!r}{instead_of_row(value)}"
                    )
                if shape.exclude_unset or model.kind == "typeddict":
                    continue
                found = item.default if item.factory is None else item.factory()
            else:
                given += 1
                if shape.exclude_unset and not mapping and _is_default(item, found):
                    continue
            if shape.exclude_none and found is None:
                continue
            if shape.exclude_defaults and _is_default(item, found):
                continue
            out[key] = convert(found, (place, step))
        MATCH.fields = given + (MATCH.fields or 0)
        return list(out.values()) if model.kind == "namedtuple" else out


def _computed(model: Model, item: Field, given: Mapping[Any, Any]) -> Any:
    """A field that the constructor does not take, of a record that was returned as a dict."""
    if not item.required:
        return MISSING
    values = {one.name: given[one.name] for one in model.fields if one.name in given}
    try:
        return getattr(model.cls(**values), item.name, MISSING)
    except (TypeError, ValueError, AssertionError):
        return MISSING


def _leaf(kind: Type, parse: Convert) -> Convert:
    finish, check = FINISH.get(kind.kind), check_of(kind)
    if check is not None:
        parse = _checked(parse, check, kind)
    if finish is None:
        return parse

    def convert(value: Any, place: Place) -> Any:
        made = parse(value, place)
        try:
            return finish(made)
        except Exception:
            return to_plain(made, show_place(place))

    return convert


def _checked(parse: Convert, check: Callable[[Any], str | None], kind: Type) -> Convert:
    def convert(value: Any, place: Place) -> Any:
        made = parse(value, place)
        failed = check(made)
        if failed is not None:
            raise wrong(value, place, f"{kind.kind} {failed}")
        return made

    return convert


def _items_in(value: Any, place: Place, kind: str, wanted: str) -> Any:
    """The items of a value that may become a list, a set or a tuple."""
    if not isinstance(value, _SEQUENCES[kind]):
        lax()
        if isinstance(value, _NO_ITEMS) or not isinstance(value, Iterable):
            raise wrong(value, place, wanted)
    return value


def _items(kind: Type, item: Convert) -> Convert:
    unique, tag = kind.kind in _UNIQUE, kind.kind
    check = check_of(kind)
    wanted = {"vartuple": "a tuple"}.get(tag, f"a {tag}")

    def convert(value: Any, place: Place) -> Any:
        found = _items_in(value, place, tag, wanted)
        made = [item(one, (place, (index,))) for index, one in enumerate(found)]
        if unique:
            made = _distinct(made)
        failed = None if check is None else check(made)
        if failed is not None:
            raise wrong(value, place, f"{wanted} {failed}")
        return made

    return convert


def _distinct(items: list[Any]) -> list[Any]:
    try:
        return list(set(items))
    except TypeError:
        # Records have become dicts.
        return [one for index, one in enumerate(items) if one not in items[:index]]


def _tuple(items: list[Convert]) -> Convert:
    wanted = f"a tuple of {len(items)}"

    def convert(value: Any, place: Place) -> Any:
        found = list(_items_in(value, place, "tuple", wanted))
        if len(found) != len(items):
            raise wrong(value, place, wanted)
        pairs = enumerate(zip(items, found, strict=True))
        return [item(one, (place, (index,))) for index, (item, one) in pairs]

    return convert


def _dict(kind: Type, key: Convert, item: Convert) -> Convert:
    check = check_of(kind)

    def convert(value: Any, place: Place) -> Any:
        if type(value) is not dict:
            if not isinstance(value, Mapping):
                raise wrong(value, place, "a dict")
            strict()
        made = {key(name, place): item(one, (place, (name,))) for name, one in value.items()}
        failed = None if check is None else check(made)
        if failed is not None:
            raise wrong(value, place, f"a dict {failed}")
        return made

    return convert


def _exact_class(kind: Type) -> Any:
    """The class of which every instance is an exact match; None if that depends on its content."""
    return kind.data if kind.kind in ("enum", "ref") else CLASSES.get(kind.kind)


def _union(kind: Type, arms: list[Convert]) -> Convert:
    by_class: dict[Any, Convert] = {}
    for one, arm in zip(kind.args, arms, strict=True):
        exact = _exact_class(one)
        if exact is not None:
            by_class.setdefault(exact, arm)
    wanted = " or ".join(_shown(one) for one in kind.args)

    def convert(value: Any, place: Place) -> Any:
        refused = None
        direct = by_class.get(type(value))
        if direct is not None:
            try:
                return direct(value, place)
            except ResultMismatch as exc:
                refused = exc
        if isinstance(value, Iterator):
            # Every arm has to see all items.
            value = list(value)
        made = best(arms, value, place)
        if made is MISSING:
            raise refused or wrong(value, place, wanted)
        return made

    return convert


def best(arms: list[Convert], value: Any, place: Place) -> Any:
    """The value as the arm that it fits best; MISSING if it fits none."""
    outer_level, outer_fields = MATCH.level, MATCH.fields
    best, best_level, best_fields = MISSING, -1, None
    try:
        for arm in arms:
            MATCH.level, MATCH.fields = EXACT, None
            try:
                made = arm(value, place)
            except ResultMismatch:
                continue
            level, fields = MATCH.level, MATCH.fields
            if level == EXACT and fields is None:
                best, best_level, best_fields = made, level, fields
                break
            if best is MISSING or _fits_better(level, fields, best_level, best_fields):
                best, best_level, best_fields = made, level, fields
    finally:
        MATCH.level, MATCH.fields = outer_level, outer_fields
    if best is not MISSING:
        MATCH.level = min(outer_level, best_level)
        if best_fields is not None:
            MATCH.fields = (outer_fields or 0) + best_fields
    return best


def _fits_better(level: int, fields: int | None, than: int, than_fields: int | None) -> bool:
    if fields is not None and than_fields is not None and fields != than_fields:
        return fields > than_fields
    return level > than


def _shown(kind: Type) -> str:
    if kind.kind in ("ref", "enum"):
        return str(kind.data.__name__)
    return {"none": "None", "any": "Any", "vartuple": "tuple"}.get(kind.kind, kind.kind)


def _is_default(item: Field, value: Any) -> bool:
    if item.required:
        return False
    return bool(value == (item.default if item.factory is None else item.factory()))
