"""JSON Schema of the type model, for parameters, bodies and responses in OpenAPI."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from decimal import Decimal
from enum import Enum
from typing import Any

from .._schema.constraints import BOUNDS
from .._schema.models import Field, Model, model_of, walk_models
from .._schema.param_functions import Marker
from .._schema.types import MISSING, Type
from .._serialization.serialize_checked import to_plain
from .adapted_schemas import AdaptedSchemas

__all__ = ["Schemas"]

_LEAVES: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "none": {"type": "null"},
    "any": {},
    "bytes": {"type": "string", "contentMediaType": "application/octet-stream"},
    "upload": {"type": "string", "contentMediaType": "application/octet-stream"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "uuid": {"type": "string", "format": "uuid"},
    "decimal": {"anyOf": [{"type": "number"}, {"type": "string"}]},
}
_CHECKS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
_JSON_TYPES: dict[type, str] = {str: "string", int: "integer", bool: "boolean", type(None): "null"}


# What a component describes: a class, in responses or not; or something that is only a name.
_Key = tuple[type | str, bool]
_HERE = "#/components/schemas/"


class Schemas:
    """A collection of schemas; those of records and enums are named components.

    adapted: those that other packages make.

    A record whose fields have other names in responses is two components, if both are used. So the
    names are known at the end, and `components` writes them into the references.
    """

    def __init__(self, adapted: AdaptedSchemas | None = None) -> None:
        self._adapted = adapted or AdaptedSchemas()
        self._components: dict[_Key, dict[str, Any]] = {}
        self._references: list[tuple[dict[str, Any], _Key]] = []
        self._two_named: dict[type, bool] = {}

    def components(self) -> dict[str, dict[str, Any]]:
        """The named schemas. Completes all references: nothing may be added later."""
        names: dict[_Key, str] = {}
        taken = set(self._adapted.components)
        # The classes of the application have their own names; what the framework adds gives way.
        for key in sorted(self._components, key=lambda key: isinstance(key[0], str)):
            what, out = key
            if isinstance(what, str):
                wanted = what
            else:
                wanted = "".join(c if c.isalnum() or c in "._-" else "_" for c in what.__name__)
                if (what, not out) in self._components:
                    wanted += "-Output" if out else "-Input"
            names[key] = _free(wanted, taken)
            taken.add(names[key])
        for reference, key in self._references:
            reference["$ref"] = _HERE + names[key]
        own = {names[key]: schema for key, schema in self._components.items()}
        return {**self._adapted.components, **own}

    def add(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        """Add a schema as a component, and return a reference to it."""
        key = (_free(name, {what for what, _ in self._components}), False)
        self._components[key] = {**schema, "title": name}
        return self._reference(key)

    def added(self, name: str) -> dict[str, Any] | None:
        """A reference to the schema that was added under this name, if there is one."""
        return self._reference((name, False)) if (name, False) in self._components else None

    def _reference(self, key: _Key) -> dict[str, Any]:
        reference = {"$ref": ""}
        self._references.append((reference, key))
        return reference

    def of(self, kind: Type, name: str, out: bool = False) -> dict[str, Any]:
        """The schema of a type; `name` is that of the parameter or field, for the title.

        out: of a value that is sent in a response.
        """
        schema = self._of(kind, out)
        if name and "$ref" not in schema:
            schema["title"] = name.replace("_", " ").title()
        return schema

    def describe(self, schema: dict[str, Any], marker: Marker | None, default: Any) -> None:
        """Add the default and the options of a marker to a schema."""
        if default is not None and default is not MISSING and default is not ...:
            with contextlib.suppress(TypeError, ValueError):
                schema["default"] = to_plain(default)
        if marker is None:
            return
        for key in ("title", "description", "deprecated"):
            value = getattr(marker, key)
            if value:
                schema[key] = value
        if marker.examples:
            schema["examples"] = list(marker.examples)
        if marker.json_schema_extra:
            schema.update(marker.json_schema_extra)

    def _of(self, kind: Type, out: bool) -> dict[str, Any]:
        leaf = _LEAVES.get(kind.kind)
        schema = {**leaf} if leaf is not None else self._composed(kind, out)
        for check, limit in kind.checks:
            schema[self._word(kind, check)] = _bound(limit) if check in BOUNDS else limit
        return schema

    def _word(self, kind: Type, check: str) -> str:
        if check not in ("min_length", "max_length"):
            return _CHECKS[check]
        least = check == "min_length"
        if kind.kind in ("str", "bytes"):
            return "minLength" if least else "maxLength"
        if kind.kind == "dict":
            return "minProperties" if least else "maxProperties"
        return "minItems" if least else "maxItems"

    def _composed(self, kind: Type, out: bool) -> dict[str, Any]:
        match kind.kind:
            case "list" | "vartuple":
                return {"type": "array", "items": self._of(kind.args[0], out)}
            case "set" | "frozenset":
                items = self._of(kind.args[0], out)
                return {"type": "array", "items": items, "uniqueItems": True}
            case "tuple":
                count = len(kind.args)
                each = [self._of(arg, out) for arg in kind.args]
                # JSON Schema does not allow an empty prefixItems.
                prefix = {"prefixItems": each} if each else {}
                return {"type": "array", **prefix, "minItems": count, "maxItems": count}
            case "dict":
                return {"type": "object", "additionalProperties": self._of(kind.args[1], out)}
            case "union":
                return {"anyOf": [self._of(arg, out) for arg in kind.args]}
            case "literal":
                return self._values(list(kind.data))
            case "enum":
                return self._enum(kind.data)
            case "ref":
                return self._record(kind.data, out)
            case "adapted":
                return self._adapted.of(kind.data.described, out)
        return {}

    def _values(self, values: list[Any]) -> dict[str, Any]:
        types = {_JSON_TYPES[type(value)] for value in values}
        schema: dict[str, Any] = {"enum": values} if len(values) > 1 else {"const": values[0]}
        if len(types) == 1:
            schema["type"] = types.pop()
        return schema

    def _enum(self, cls: type[Enum]) -> dict[str, Any]:
        key = (cls, False)
        if key not in self._components:
            values = self._values([member.value for member in cls])
            self._components[key] = {**values, "title": cls.__name__}
        return self._reference(key)

    def _record(self, cls: type, out: bool) -> dict[str, Any]:
        key = (cls, out and self._is_two_named(cls))
        if key not in self._components:
            # Registered before its fields, because the record may be recursive.
            schema = self._components[key] = {}
            model = model_of(cls)
            properties: dict[str, Any] = {}
            if model.tag is not None:
                properties[model.tag[0]] = {"const": model.tag[1], "type": "string"}
            for item in model.sent:
                name = _name(item, out)
                field = properties[name] = self.of(item.type, name, out)
                self.describe(field, item.marker, None if item.required else item.default)
                if item.computed and item.required:
                    field["readOnly"] = True
            schema.update({"type": "object", "title": cls.__name__, "properties": properties})
            required = [_name(item, out) for item in model.fields if item.required]
            if required:
                schema["required"] = required
            if model.forbid:
                schema["additionalProperties"] = False
            doc = cls.__dict__.get("__doc__")
            # dataclass sets a missing docstring to the signature.
            if doc and not doc.startswith(f"{cls.__name__}("):
                schema["description"] = doc.strip()
        return self._reference(key)

    def _is_two_named(self, cls: type) -> bool:
        """Whether a field has another name in responses, in the record or in one that it holds."""
        found = self._two_named.get(cls)
        if found is None:
            models: dict[type, Model] = {}
            walk_models(Type("ref", data=cls), models)
            found = self._two_named[cls] = any(
                _name(item, True) != _name(item, False)
                for model in models.values()
                for item in model.fields
            )
        return found


def _name(item: Field, out: bool) -> str:
    return (item.out if out else item.alias) or item.name


def _free(wanted: str, taken: Collection[object]) -> str:
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}{count}"
    return name


def _bound(limit: Any) -> int | float:
    """A bound as a JSON number."""
    if not isinstance(limit, str):
        return limit  # type: ignore[no-any-return]
    number = Decimal(limit)
    return int(number) if number == number.to_integral_value() else float(number)
