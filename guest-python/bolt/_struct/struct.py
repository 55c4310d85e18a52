"""`Struct`: records with slots, keyword constructors and code that is compiled for each class."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, dataclass_transform, get_type_hints

from .._schema.param_functions import Field, Marker
from .._schema.types import MISSING
from .._serialization.codegen import Source, is_identifier
from .._serialization.deserialize import Emitter, model_converter
from .._serialization.serialize import compile_plain
from .class_body import (
    is_class_var,
    own_annotations,
    private_default,
    read_model_config,
)
from .field_names import Rename, renamer
from .model_dump import ModelDumpMixin
from .run_validators import run_validators
from .validators import Validator, validators_of

__all__ = ["Struct", "StructMeta"]

_ABSENT: Any = type("_Absent", (), {"__repr__": lambda self: "<default>"})()


def _initializer(
    qualname: str,
    fields: tuple[str, ...],
    defaults: dict[str, Any],
    factories: dict[str, Callable[[], Any]],
) -> Any:
    """Generate `__init__` as one would write it, so that Python itself reports wrong arguments."""
    source = Source(fields)
    emitter = Emitter(source)
    me = "self"
    while me in fields:
        me += "_"
    parameters = [me]
    if fields:
        parameters.append("*")
    for name in fields:
        value = name
        if name in factories:
            absent = source.constant(_ABSENT)
            parameters.append(f"{name}={absent}")
            value = f"{emitter.default(None, factories[name])} if {name} is {absent} else {name}"
        elif name not in defaults:
            parameters.append(name)
        elif type(defaults[name]) in (list, dict, set):
            absent = source.constant(_ABSENT)
            parameters.append(f"{name}={absent}")
            value = f"{emitter.default_object(defaults[name])} if {name} is {absent} else {name}"
        else:
            parameters.append(f"{name}={source.constant(defaults[name])}")
        source.line(f"{me}.{name} = {value}")
    return source.build("__init__", ", ".join(parameters), f"{qualname}.__init__")


_PARAMETRIZED: dict[tuple[Any, ...], Any] = {}


def parametrized(cls: Any, args: tuple[Any, ...]) -> Any:
    """A subclass of a generic Struct with the type parameters of its fields replaced by `args`.

    Raises NameError while an annotation refers to a name that is not defined (yet).
    """
    made = _PARAMETRIZED.get((cls, args))
    if made is not None:
        return made
    values = dict(zip(cls.__parameters__, args, strict=True))
    hints = get_type_hints(cls, include_extras=True)
    fields = {name: _filled_in(hints[name], values) for name in cls.__struct_fields__}
    shown = ", ".join(getattr(arg, "__name__", str(arg)) for arg in args)
    name = f"{cls.__name__}[{shown}]"
    # A redeclared field loses its default, so the defaults are declared again as well.
    namespace: dict[str, Any] = {**cls.__struct_defaults__}
    for field, factory in cls.__struct_factories__.items():
        namespace[field] = Marker("", default_factory=factory)
    namespace.update(
        __annotations__=fields,
        __module__=cls.__module__,
        __qualname__=name,
        __doc__=cls.__doc__,
    )
    made = _PARAMETRIZED[cls, args] = StructMeta(name, (cls,), namespace)
    return made


def _filled_in(hint: Any, values: dict[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return values.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(values.get(parameter, parameter) for parameter in parameters)]


@dataclass_transform(kw_only_default=True, field_specifiers=(Field,))
class StructMeta(type):
    """Turns annotations into slots and generates the constructor."""

    __struct_fields__: tuple[str, ...] | None
    __struct_defaults__: dict[str, Any]
    __struct_custom_init__: bool

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        rename: Rename | None = None,
        forbid_unknown: bool | None = None,
        tag: str | None = None,
        tag_field: str | None = None,
        **options: Any,
    ) -> StructMeta:
        if not any(isinstance(base, StructMeta) for base in bases):  # Struct itself
            return super().__new__(mcs, name, bases, namespace, **options)
        fields: dict[str, None] = {}
        defaults: dict[str, Any] = {}
        factories: dict[str, Callable[[], Any]] = {}
        markers: dict[str, Marker] = {}
        custom_init = "__init__" in namespace
        forbid_unknown = read_model_config(name, namespace, forbid_unknown)
        if sum(1 for base in bases if getattr(base, "__struct_fields__", None)) > 1:
            raise TypeError(
                f"{name}: a Struct with fields can have only one base with fields: "
                "let one of the bases inherit from the other"
            )
        for base in reversed(bases):
            if isinstance(base, StructMeta):
                fields.update(dict.fromkeys(base.__struct_fields__ or ()))
                defaults.update(getattr(base, "__struct_defaults__", {}))
                factories.update(getattr(base, "__struct_factories__", {}))
                markers.update(getattr(base, "__struct_markers__", {}))
                custom_init = custom_init or getattr(base, "__struct_custom_init__", False)

        slots = []
        private: dict[str, Any] = {}
        for field, annotation in own_annotations(namespace).items():
            if is_class_var(annotation):
                continue
            if field.startswith("_") and not hasattr(Struct, field):
                # A private attribute is not a field: requests and responses do not contain it.
                slots.append(field)
                if field in namespace:
                    private[field] = namespace.pop(field)
                continue
            if not is_identifier(field) or hasattr(Struct, field):
                raise TypeError(f"{name}: a Struct field cannot be called {field!r}")
            if field not in fields:
                slots.append(field)
            else:
                # A redeclared field is required, unless it has a new default.
                defaults.pop(field, None)
                factories.pop(field, None)
                markers.pop(field, None)
            fields[field] = None
        # A slot and a class attribute cannot share a name. A subclass may also give an inherited
        # field a new default without an annotation.
        for field in fields:
            if field in namespace:
                value = namespace.pop(field)
                if isinstance(value, Marker):
                    markers[field] = value
                    if value.default_factory is not None:
                        factories[field] = value.default_factory
                    value = value.given()
                if value is not MISSING:
                    defaults[field] = value

        # Lazily evaluated annotations use this cell to look names up in the class. In `date: date`
        # the annotation would then find the slot instead of the type.
        namespace.pop("__classdictcell__", None)

        names = tuple(fields)
        namespace["__slots__"] = (*slots, *namespace.get("__slots__", ()))
        namespace["__struct_fields__"] = names
        namespace["__struct_defaults__"] = defaults
        namespace["__struct_factories__"] = factories
        namespace["__struct_markers__"] = markers
        namespace["__struct_custom_init__"] = custom_init
        inherited = [
            entry for base in bases for entry in getattr(base, "__struct_validators__", ())
        ]
        namespace["__struct_validators__"] = tuple(validators_of(namespace, inherited))
        if rename is not None:
            namespace["__struct_rename__"] = staticmethod(renamer(rename))
        if forbid_unknown is not None:
            namespace["__struct_forbid__"] = forbid_unknown
        if tag is not None or tag_field is not None:
            namespace["__struct_tag__"] = (tag_field or "type", name if tag is None else tag)
        if private:
            namespace["__struct_private__"] = private
            namespace["__getattr__"] = private_default
        if not custom_init:
            namespace["__init__"] = _initializer(
                namespace.get("__qualname__", name), names, defaults, factories
            )
        # Each class has its own: an inherited one would ignore the added fields.
        namespace["_from_wire"] = staticmethod(_lazy_from_wire(lambda: cls))
        namespace["_to_plain"] = _first_to_plain
        cls = super().__new__(mcs, name, bases, namespace, **options)
        return cls


def _lazy_from_wire(owner: Callable[[], type]) -> Callable[[Any], Any]:
    """Compile on the first call, because fields may refer to classes that are defined later."""

    def from_wire(values: Any) -> Any:
        cls: Any = owner()
        convert = model_converter(cls)
        cls._from_wire = staticmethod(convert)
        return convert(values)

    return from_wire


def _first_to_plain(self: Any) -> Any:
    cls: Any = type(self)
    compiled = compile_plain(cls)
    cls._to_plain = compiled
    return compiled(self)


class Struct(ModelDumpMixin, metaclass=StructMeta):
    """Base class of records: annotate the fields, and give defaults where needed.

    The constructor takes keywords only and raises TypeError for missing and unknown ones. It does
    not check types, because the host has checked the values of a request. A default that is a list,
    dict or set is copied for every instance. Instances are equal when they are of the same class
    and their fields are equal; they are mutable and not hashable.

    Class options: `class User(Struct, rename="camel", forbid_unknown=True)`.
    rename: names in JSON: "camel", "pascal", "kebab", "lower", "upper", or a function.
    forbid_unknown: an unknown key is an error; by default it is ignored.
    tag, tag_field: the value and the name of the key that discriminates this class in a union of
        Structs. When only one is given, the other is the name of the class, or "type". Responses
        contain the key as well.
    """

    __slots__ = ()
    __struct_fields__: ClassVar[tuple[str, ...] | None] = None
    __struct_defaults__: ClassVar[dict[str, Any]] = {}
    __struct_factories__: ClassVar[dict[str, Callable[[], Any]]] = {}
    __struct_markers__: ClassVar[dict[str, Marker]] = {}
    __struct_custom_init__: ClassVar[bool] = False
    __struct_validators__: ClassVar[tuple[Validator, ...]] = ()
    # Runs them on a record, except for the named fields, which the request does not have.
    __struct_run__: ClassVar[Callable[[Any, tuple[str, ...]], Any]] = staticmethod(run_validators)
    __struct_rename__: ClassVar[Callable[[str], str]] = staticmethod(str)
    __struct_forbid__: ClassVar[bool] = False
    __struct_tag__: ClassVar[tuple[str, str] | None] = None

    @classmethod
    def __struct_of__(cls, args: tuple[Any, ...]) -> type:
        """The class for `Page[Item]`, where `class Page(Struct, Generic[T])`."""
        made: type = parametrized(cls, args)
        return made

    @staticmethod
    def _from_wire(values: tuple[Any, ...]) -> Any:
        """An instance from the wire values of its fields, in order. Generated for each class."""
        raise TypeError("Struct itself has no fields")

    def _to_plain(self) -> dict[str, Any]:
        """The fields as a dict, nested records too. Generated for each class."""
        raise TypeError("Struct itself has no fields")

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        # A slot may be unset: in a class with its own __init__, or after `del`.
        shown = [
            f"{name}={getattr(self, name)!r}"
            for name in self.__struct_fields__ or ()
            if hasattr(self, name)
        ]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(
            getattr(self, name) == getattr(other, name) for name in self.__struct_fields__ or ()
        )
