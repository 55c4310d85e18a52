"""Models of SQLAlchemy and Django as Structs of their columns: for `crud`, and for results.

The attributes that both have had for long are read, and neither package is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

from .._errors import Unsupported
from .._schema.annotations import model_kind, show
from .._schema.param_functions import Field
from .._schema.types import MISSING
from .struct import Struct, StructMeta

__all__ = ["described", "with_records"]

_CLASSES = frozenset({str, int, float, bool, bytes, datetime, date, Decimal, UUID})

_OF_DJANGO: dict[str, Any] = {
    **dict.fromkeys(("AutoField", "BigAutoField", "SmallAutoField", "IntegerField"), int),
    **dict.fromkeys(("BigIntegerField", "SmallIntegerField", "PositiveIntegerField"), int),
    **dict.fromkeys(("PositiveBigIntegerField", "PositiveSmallIntegerField"), int),
    **dict.fromkeys(("CharField", "TextField", "SlugField", "EmailField", "URLField"), str),
    **dict.fromkeys(("FileField", "ImageField", "FilePathField", "GenericIPAddressField"), str),
    **{"BooleanField": bool, "FloatField": float, "DecimalField": Decimal, "UUIDField": UUID},
    **{"DateField": date, "DateTimeField": datetime, "BinaryField": bytes, "JSONField": Any},
}

# Classes live as long as the program, so entries are never removed.
_MADE: dict[type, tuple[type, str, str]] = {}
_RESULTS: dict[type, type] = {}


@dataclass(frozen=True, slots=True)
class _Described:
    """A column of a model of another package.

    default: MISSING if there is none, None if the database has one or makes the value.
    """

    name: str
    annotation: Any
    default: Any = MISSING
    factory: Callable[[], Any] | None = None
    longest: int | None = None
    is_key: bool = False


def described(model: Any) -> tuple[type, str | None, str]:
    """The record class of a model, the name of its table if it has one, and of its key."""
    if model_kind(model) is not None:
        return model, None, "id"
    found = _MADE.get(model) if isinstance(model, type) else None
    if found is not None:
        return found
    table: Any = getattr(model, "__table__", None)
    meta: Any = getattr(model, "_meta", None)
    if hasattr(table, "columns"):
        found = _made(model, str(table.name), [_of_sqlalchemy(one) for one in table.columns])
    elif hasattr(meta, "concrete_fields"):
        fields = [_of_django(one) for one in meta.concrete_fields]
        found = _made(model, str(meta.db_table), fields)
    else:
        raise Unsupported(
            "crud takes a Struct, a dataclass, or a model of SQLAlchemy or Django, "
            f"not {show(model)}"
        )
    _MADE[model] = found
    return found


def with_records(annotation: Any) -> Any:
    """The annotation of a result, with the records of models in place of the models.

    A record has the columns, by the names of the attributes, and no relationships. What a handler
    returns may be an instance of the model, or a mapping, such as a row of `QuerySet.values()`.
    """
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return _result(annotation) or annotation
    inner = get_args(annotation)
    made = tuple(with_records(one) for one in inner)
    if made == inner:
        return annotation
    origin: Any = get_origin(annotation)
    if origin is Annotated:
        return Annotated[(made[0], *annotation.__metadata__)]
    return reduce(or_, made) if origin in (Union, UnionType) else origin[made]


def _result(model: Any) -> type | None:
    """The record of a model's instances; None for other classes."""
    table: Any = getattr(model, "__table__", None)
    meta: Any = getattr(model, "_meta", None)
    if model_kind(model) is not None:
        return None
    if hasattr(table, "columns") and hasattr(model, "__mapper__"):
        columns = _result_of_sqlalchemy(model.__mapper__, table.columns)
    elif hasattr(meta, "concrete_fields"):
        columns = _result_of_django(meta.concrete_fields)
    else:
        return None
    found = _RESULTS.get(model)
    if found is None:
        namespace = {
            "__annotations__": dict(columns),
            "__module__": model.__module__,
            "__qualname__": model.__name__,
        }
        found = _RESULTS[model] = StructMeta(model.__name__, (Struct,), namespace)
    return found


def _result_of_sqlalchemy(mapper: Any, columns: Any) -> Iterator[tuple[str, Any]]:
    for column in columns:
        cls = _class_of(column)
        if cls not in _CLASSES and not (isinstance(cls, type) and issubclass(cls, Enum)):
            cls = Any
        name = str(mapper.get_property_by_column(column).key)
        yield name, cls | None if column.nullable else cls


def _result_of_django(fields: Any) -> Iterator[tuple[str, Any]]:
    for field in fields:
        cls = _OF_DJANGO.get(_target(field).get_internal_type(), Any)
        yield str(field.attname), cls | None if field.null else cls


def _made(model: type, table: str, columns: list[_Described]) -> tuple[type, str, str]:
    keys = [one.name for one in columns if one.is_key]
    if len(keys) != 1:
        raise Unsupported(f"the table {table!r} has {len(keys)} columns as its key, and needs one")
    namespace: dict[str, Any] = {
        "__annotations__": dict(_annotations(columns)),
        "__module__": model.__module__,
        "__qualname__": model.__name__,
    }
    for one in columns:
        if one.factory is not None:
            namespace[one.name] = Field(default_factory=one.factory)
        elif one.default is not MISSING:
            namespace[one.name] = one.default
    try:
        return StructMeta(model.__name__, (Struct,), namespace), table, keys[0]
    except TypeError as exc:
        raise Unsupported(str(exc)) from None


def _annotations(columns: list[_Described]) -> Iterator[tuple[str, Any]]:
    for one in columns:
        annotation = one.annotation
        if annotation is str and one.longest is not None:
            annotation = Annotated[str, Field(max_length=one.longest)]
        # Also a column whose default the database has: None is then that it was not sent.
        yield one.name, annotation | None if one.default is None else annotation


def _of_sqlalchemy(column: Any) -> _Described:
    cls = _class_of(column)
    name, longest = str(column.name), getattr(column.type, "length", None)
    is_enum = isinstance(cls, type) and issubclass(cls, Enum)
    if is_enum:
        # What such a column holds are the names of the members.
        raise Unsupported(f"the column {name!r} is an Enum: describe the table by a Struct")
    if cls not in _CLASSES and cls is not Any:
        raise Unsupported(f"the column {name!r} holds {show(cls)}: describe the table by a Struct")
    default, factory = MISSING, None
    made = column.default
    if made is not None and getattr(made, "is_scalar", False):
        default = made.arg
    elif made is not None and getattr(made, "is_callable", False):
        # SQLAlchemy makes each of them take a context.
        factory = _without_context(made.arg)
    elif column.nullable or column.server_default is not None or _counts(column, cls):
        default = None
    return _Described(name, cls, default, factory, longest, bool(column.primary_key))


def _class_of(column: Any) -> Any:
    """The class of a column's values; Any if it has none, or several."""
    cls = getattr(column.type, "enum_class", None)
    if cls is None:
        try:
            cls = column.type.python_type
        except NotImplementedError:
            return Any
    return Any if cls in (dict, list, object) else cls


def _without_context(make: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: make(None)


def _counts(column: Any, cls: Any) -> bool:
    """Whether the database counts the values of a key."""
    return bool(column.primary_key and cls is int and column.autoincrement in (True, "auto"))


def _target(field: Any) -> Any:
    """The field whose values this one has: what refers to a row has those of its key."""
    while getattr(field, "target_field", None) is not None:
        field = field.target_field
    return field


def _of_django(field: Any) -> _Described:
    kind, name = _target(field), str(field.column)
    cls = _OF_DJANGO.get(kind.get_internal_type())
    if cls is None:
        told = kind.get_internal_type()
        raise Unsupported(f"the column {name!r} is a {told}: describe the table by a Struct")
    default, factory = MISSING, None
    if field.has_default():
        if callable(field.default):
            factory = field.default
        else:
            default = field.default
    elif field.null or field.get_internal_type().endswith("AutoField"):
        default = None
    longest = getattr(field, "max_length", None)
    return _Described(name, cls, default, factory, longest, bool(field.primary_key))
