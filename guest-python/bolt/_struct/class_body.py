"""Reads the class body of a Struct: annotations, private attributes, `model_config`."""

from __future__ import annotations

import copy
import sys
from typing import Any, ClassVar, get_origin

__all__ = [
    "is_class_var",
    "own_annotations",
    "private_default",
    "read_model_config",
]


def own_annotations(namespace: dict[str, Any]) -> dict[str, Any]:
    """The annotations of a class body; unresolved names remain forward references."""
    found = namespace.get("__annotations__")
    if found is None and sys.version_info >= (3, 14):
        # Python 3.14 evaluates annotations lazily, by a function in the namespace.
        import annotationlib

        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            found = annotationlib.call_annotate_function(annotate, annotationlib.Format.FORWARDREF)
    return dict(found or {})


def is_class_var(annotation: Any) -> bool:
    text = getattr(annotation, "__forward_arg__", annotation)
    if isinstance(text, str):
        return text.startswith(("ClassVar", "typing.ClassVar", "t.ClassVar"))
    return annotation is ClassVar or get_origin(annotation) is ClassVar


_HARMLESS = frozenset({"arbitrary_types_allowed", "from_attributes", "json_schema_extra", "title"})


def read_model_config(name: str, namespace: dict[str, Any], forbid: bool | None) -> bool | None:
    """Whether unknown keys are an error, by pydantic's `model_config` or else by `forbid`.

    Raises TypeError for options that a Struct does not support.
    """
    config = namespace.pop("model_config", None)
    if "Config" in namespace:
        raise TypeError(
            f"{name}: options of a Struct are given as class {name}(Struct, option=...)"
        )
    if config is None:
        return forbid
    others = sorted(set(config) - _HARMLESS - {"extra"})
    extra = config.get("extra", "ignore")
    if others or extra not in ("ignore", "forbid"):
        wrong = ", ".join(others) or f"extra={extra!r}"
        raise TypeError(
            f"{name}: a Struct cannot be configured with {wrong}; "
            f"its options are given as class {name}(Struct, rename=..., forbid_unknown=...)"
        )
    return True if extra == "forbid" else forbid


def private_default(self: Any, name: str) -> Any:
    """`__getattr__` of a Struct: set a private attribute to its default on first access."""
    for cls in type(self).__mro__:
        private = cls.__dict__.get("__struct_private__", {})
        if name in private:
            value = copy.copy(private[name])
            setattr(self, name, value)
            return value
    raise AttributeError(f"{type(self).__qualname__!r} object has no attribute {name!r}")
