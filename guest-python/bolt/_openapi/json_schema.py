"""JSON Schema of the type model, for parameters, bodies and responses in OpenAPI."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from enum import Enum
from typing import Any

from .._schema.constraints import BOUNDS
from .._schema.models import Field, model_of
from .._schema.param_functions import Marker
from .._schema.types import MISSING, Type
from .._serialization.serialize_checked import to_plain

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


class Schemas:
    """A collection of schemas; those of records and enums are named components."""

    def __init__(self) -> None:
        self._names: dict[type, str] = {}
        self._components: dict[str, dict[str, Any]] = {}

    def components(self) -> dict[str, dict[str, Any]]:
        """The named schemas."""
        return dict(self._components)

    def add(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        """Add a schema as a component, and return a reference to it."""
        self._components[name] = {**schema, "title": name}
        return {"$ref": f"#/components/schemas/{name}"}

    def of(self, kind: Type, name: str, title: bool = False) -> dict[str, Any]:
        """The schema of a type; `name` is that of the parameter or field, for the title."""
        schema = self._of(kind)
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

    def _of(self, kind: Type) -> dict[str, Any]:
        leaf = _LEAVES.get(kind.kind)
        schema = {**leaf} if leaf is not None else self._composed(kind)
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

    def _composed(self, kind: Type) -> dict[str, Any]:
        match kind.kind:
            case "list" | "vartuple":
                return {"type": "array", "items": self._of(kind.args[0])}
            case "set" | "frozenset":
                return {"type": "array", "items": self._of(kind.args[0]), "uniqueItems": True}
            case "tuple":
                count = len(kind.args)
                items = [self._of(arg) for arg in kind.args]
                # JSON Schema does not allow an empty prefixItems.
                prefix = {"prefixItems": items} if items else {}
                return {"type": "array", **prefix, "minItems": count, "maxItems": count}
            case "dict":
                return {"type": "object", "additionalProperties": self._of(kind.args[1])}
            case "union":
                return {"anyOf": [self._of(arg) for arg in kind.args]}
            case "literal":
                return self._values(list(kind.data))
            case "enum":
                return self._enum(kind.data)
            case "ref":
                return self._record(kind.data)
        return {}

    def _values(self, values: list[Any]) -> dict[str, Any]:
        types = {_JSON_TYPES[type(value)] for value in values}
        schema: dict[str, Any] = {"enum": values} if len(values) > 1 else {"const": values[0]}
        if len(types) == 1:
            schema["type"] = types.pop()
        return schema

    def _enum(self, cls: type[Enum]) -> dict[str, Any]:
        if cls not in self._names:
            name = self._name(cls)
            self._components[name] = {
                **self._values([member.value for member in cls]),
                "title": cls.__name__,
            }
        return {"$ref": f"#/components/schemas/{self._names[cls]}"}

    def _record(self, cls: type) -> dict[str, Any]:
        if cls not in self._names:
            name = self._name(cls)
            # Registered before its fields, because the record may be recursive.
            schema = self._components[name] = {}
            model = model_of(cls)
            properties: dict[str, Any] = {}
            if model.tag is not None:
                properties[model.tag[0]] = {"const": model.tag[1], "type": "string"}
            properties.update(
                {item.alias or item.name: self._property(item) for item in model.sent}
            )
            schema.update({"type": "object", "title": cls.__name__, "properties": properties})
            required = [item.alias or item.name for item in model.fields if item.required]
            if required:
                schema["required"] = required
            if model.forbid:
                schema["additionalProperties"] = False
            doc = cls.__dict__.get("__doc__")
            # dataclass sets a missing docstring to the signature.
            if doc and not doc.startswith(f"{cls.__name__}("):
                schema["description"] = doc.strip()
        return {"$ref": f"#/components/schemas/{self._names[cls]}"}

    def _property(self, item: Field) -> dict[str, Any]:
        schema = self.of(item.type, item.name)
        self.describe(schema, item.marker, None if item.required else item.default)
        if item.computed and item.required:
            schema["readOnly"] = True
        return schema

    def _name(self, cls: type) -> str:
        name = base = "".join(c if c.isalnum() or c in "._-" else "_" for c in cls.__name__)
        count = 1
        while name in self._components:
            count += 1
            name = f"{base}{count}"
        self._names[cls] = name
        self._components[name] = {}
        return name


def _bound(limit: Any) -> int | float:
    """A bound as a JSON number."""
    if not isinstance(limit, str):
        return limit  # type: ignore[no-any-return]
    number = Decimal(limit)
    return int(number) if number == number.to_integral_value() else float(number)
