"""`Model`: the resolved fields of a Struct, dataclass, TypedDict, NamedTuple or attrs class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin, get_type_hints

from .._errors import Unsupported
from .annotations import model_kind, type_of
from .constraints import checks_of, constrained
from .param_functions import Marker
from .types import ANY, MISSING, Type, is_host_default

__all__ = ["Field", "Model", "add_model", "hints_of", "model_of", "walk_models"]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field of a record.

    required: the client must send it.
    default: the value when absent, or MISSING.
    factory: makes the value when absent, or None.
    keyword: the constructor takes it by keyword only.
    alias: its name in requests; "" when it is `name`.
    out: its name in responses; "" when it is `name`.
    marker: its `Field` declaration, or None.
    computed: the constructor does not take it, so only results have it.
    guarded: a validator sees its value only if the request has it.

    A TypedDict key that may be absent has neither default nor factory.
    """

    name: str
    type: Type
    required: bool
    default: Any = MISSING
    factory: Callable[[], Any] | None = None
    keyword: bool = False
    alias: str = ""
    out: str = ""
    marker: Any = None
    computed: bool = False
    guarded: bool = False

    @property
    def host_fills(self) -> bool:
        """Whether the host sends the default of an absent field. If not, it sends Ellipsis."""
        return not (self.required or self.guarded) and is_host_default(self.type, self.default)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A record type: kind is "struct", "dataclass", "namedtuple", "attrs" or "typeddict".

    fields: those that requests have, in wire order.
    sent: those that results have: also the fields that a constructor does not take.
    forbid: an unknown key is an error.
    tag: the key that discriminates this record in a union, and its value; or None.
    refuses: creating it runs code of the application, which may reject the values.
    lenient: the host takes it without required fields: another package says that they are missing.
    """

    kind: str
    cls: Any
    name: str
    fields: tuple[Field, ...]
    sent: tuple[Field, ...]
    forbid: bool = False
    tag: tuple[str, str] | None = None
    refuses: bool = False
    lenient: bool = False


# Classes live as long as the program, so entries are never removed.
_MODELS: dict[type, Model] = {}


def model_of(cls: type) -> Model:
    """The model of a class for which `model_kind` is not None.

    Raises Unsupported when a field's annotation has no wire form, and NameError while an
    annotation refers to a name that is not defined (yet).
    """
    model = _MODELS.get(cls)
    if model is None:
        kind = model_kind(cls)
        hints = hints_of(cls)
        sent = _FIELDS[kind or ""](cls, hints)
        record: Any = cls
        model = _MODELS[cls] = Model(
            kind or "",
            cls,
            cls.__name__,
            tuple(item for item in sent if not item.computed),
            sent,
            forbid=bool(getattr(record, "__struct_forbid__", False)),
            tag=getattr(record, "__struct_tag__", None),
            refuses=_refuses(kind or "", record),
        )
    return model


def add_model(model: Model) -> None:
    """Let `model_of` find a model whose class has no fields of its own."""
    _MODELS[model.cls] = model


def _refuses(kind: str, cls: Any) -> bool:
    """Whether creating a record runs code of the application."""
    match kind:
        case "struct":
            return bool(cls.__struct_validators__ or cls.__struct_custom_init__)
        case "dataclass":
            return hasattr(cls, "__post_init__") or not _is_generated(cls.__init__)
        case "attrs":
            hooks = ("__attrs_pre_init__", "__attrs_post_init__", "__attrs_init__")
            return any(hasattr(cls, hook) for hook in hooks) or any(
                item.validator is not None or item.converter is not None
                for item in cls.__attrs_attrs__
            )
        case "namedtuple":
            # The generated class, before which a subclass may have methods of its own.
            made = next(base for base in cls.__mro__ if "_field_defaults" in base.__dict__)
            return (
                cls.__new__ is not made.__dict__["__new__"] or cls.__init__ is not object.__init__
            )
    return False


def hints_of(cls: type) -> dict[str, Any]:
    """The resolved annotations of a class. Raises NameError for a name that is not defined."""
    try:
        return get_type_hints(cls, include_extras=True)
    except NameError:
        # A class defined inside a function is in no module's namespace, so without this a
        # recursive record could not be resolved.
        own = {base.__name__: base for base in reversed(cls.__mro__)}
        return get_type_hints(cls, localns=own, include_extras=True)


def _field_type(cls: type, name: str, annotation: Any) -> Type:
    try:
        return type_of(annotation)
    except Unsupported as error:
        raise Unsupported(f"field {name!r} of {cls.__qualname__}: {error}") from None


def _is_generated(constructor: Any) -> bool:
    """Whether `dataclasses` made it: a class may have its own, even without `init=False`."""
    code = getattr(constructor, "__code__", None)
    return code is not None and code.co_filename == "<string>"


def _computed_type(cls: type, name: str, annotation: Any) -> Type:
    """The type of a field that requests do not have, so it need not have a wire form."""
    try:
        return _field_type(cls, name, annotation)
    except Unsupported:
        return ANY


def _struct_fields(cls: Any, hints: dict[str, Any]) -> tuple[Field, ...]:
    defaults: dict[str, Any] = cls.__struct_defaults__
    factories: dict[str, Any] = cls.__struct_factories__
    renamed: Callable[[str], str] = cls.__struct_rename__
    fields = []
    for name in cls.__struct_fields__:
        marker = cls.__struct_markers__.get(name) or _marker(hints[name])
        kind = _field_type(cls, name, hints[name])
        if marker is not None:
            kind = _constrained(cls, name, kind, marker)
        alias = (marker and marker.alias) or renamed(name)
        out = (marker and marker.serialization_alias) or alias
        fields.append(
            Field(
                name,
                kind,
                name not in defaults and name not in factories,
                defaults.get(name, MISSING),
                factories.get(name),
                keyword=True,
                alias="" if alias == name else alias,
                out="" if out == name else out,
                marker=marker,
                guarded=not (marker and marker.validate_default)
                and any(validator.checks(name) for validator in cls.__struct_validators__),
            )
        )
    return tuple(fields)


def _marker(annotation: Any) -> Any:
    """The `Field` declaration in an `Annotated`, or None."""
    found = None
    if get_origin(annotation) is Annotated:
        for item in get_args(annotation)[1:]:
            if isinstance(item, Marker):
                found = item
    return found


def _constrained(cls: type, name: str, kind: Type, marker: Marker) -> Type:
    try:
        return constrained(kind, checks_of(marker))
    except Unsupported as error:
        raise Unsupported(f"field {name!r} of {cls.__qualname__}: {error}") from None


def _dataclass_fields(cls: Any, hints: dict[str, Any]) -> tuple[Field, ...]:
    for name, annotation in hints.items():
        if isinstance(annotation, dataclasses.InitVar) or annotation is dataclasses.InitVar:
            raise Unsupported(f"field {name!r} of {cls.__qualname__}: InitVar is not supported")
    generated = _is_generated(cls.__init__)
    fields = []
    for item in dataclasses.fields(cls):
        read = _field_type if item.init else _computed_type
        default = MISSING if item.default is dataclasses.MISSING else item.default
        # Any: mypy cannot narrow by dataclasses.MISSING, whose class is private.
        made: Any = item.default_factory
        factory = None if made is dataclasses.MISSING else made
        fields.append(
            Field(
                item.name,
                read(cls, item.name, hints[item.name]),
                default is MISSING and factory is None,
                default,
                factory,
                # A handwritten constructor may take the fields in another order.
                bool(item.kw_only) or not generated,
                computed=not item.init,
            )
        )
    return tuple(fields)


def _typeddict_fields(cls: Any, hints: dict[str, Any]) -> tuple[Field, ...]:
    fields = []
    for name, annotation in hints.items():
        # With postponed annotations `__required_keys__` ignores Required and NotRequired, so the
        # resolved annotation takes precedence.
        required = name in cls.__required_keys__
        for marker in _markers(annotation):
            if marker is Required or marker is NotRequired:
                required = marker is Required
        fields.append(Field(name, _field_type(cls, name, annotation), required))
    return tuple(fields)


def _namedtuple_fields(cls: Any, hints: dict[str, Any]) -> tuple[Field, ...]:
    defaults: dict[str, Any] = cls._field_defaults
    return tuple(
        Field(
            name,
            _field_type(cls, name, hints.get(name, Any)),
            name not in defaults,
            defaults.get(name, MISSING),
        )
        for name in cls._fields
    )


def _attrs_fields(cls: Any, hints: dict[str, Any]) -> tuple[Field, ...]:
    fields = []
    for item in cls.__attrs_attrs__:
        read = _field_type if item.init else _computed_type
        default, factory = item.default, None
        # Duck-typed, so that the SDK need not import attrs.
        if hasattr(default, "takes_self"):
            if default.takes_self and item.init:
                raise Unsupported(
                    f"field {item.name!r} of {cls.__qualname__}: "
                    "a factory that takes the instance is not supported"
                )
            factory = None if default.takes_self else default.factory
            default = MISSING
        elif type(default).__name__ == "_Nothing":
            default = MISSING
        fields.append(
            Field(
                (item.init and item.alias) or item.name,
                read(cls, item.name, hints.get(item.name, Any)),
                default is MISSING and factory is None,
                default,
                factory,
                keyword=True,
                computed=not item.init,
            )
        )
    return tuple(fields)


_FIELDS: dict[str, Callable[[Any, dict[str, Any]], tuple[Field, ...]]] = {
    "struct": _struct_fields,
    "dataclass": _dataclass_fields,
    "typeddict": _typeddict_fields,
    "namedtuple": _namedtuple_fields,
    "attrs": _attrs_fields,
}


def _markers(annotation: Any) -> Iterator[Any]:
    wrappers = (Annotated, Required, NotRequired)
    while (origin := get_origin(annotation)) in wrappers:
        yield origin
        annotation = get_args(annotation)[0]


def walk_models(kind: Type, seen: dict[type, Model]) -> None:
    """Add every model that `kind` refers to, directly or through fields, to `seen`.

    The order is that of the first reference. Raises as `model_of` does.
    """
    pending = [kind]
    while pending:
        current = pending.pop()
        if current.kind == "ref":
            if current.data in seen:
                continue
            model = seen[current.data] = model_of(current.data)
            pending.extend(item.type for item in reversed(model.fields))
        else:
            pending.extend(reversed(current.args))
