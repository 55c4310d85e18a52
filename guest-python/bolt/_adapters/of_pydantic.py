"""Annotations that pydantic checks."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from .._errors import Unsupported
from .adapter import Adapter, ModelField, Refusal, with_pattern
from .found import bare, shape_of

__all__ = ["PydanticAdapter", "dump_pydantic"]


def _pydantic() -> Any:
    return sys.modules["pydantic"]


class PydanticAdapter(Adapter):
    """A TypeAdapter, made when the annotation can be resolved."""

    library = "pydantic"

    def __init__(self, annotation: Any, shape: str) -> None:
        super().__init__(annotation, shape)
        self.refused = _pydantic().ValidationError
        self._made: Any = None

    def settle(self) -> None:
        """Make the TypeAdapter, unless a model refers to what is not defined yet."""
        if self._made is None:
            pydantic = _pydantic()
            try:
                self._made = self._adapter()
            except pydantic.errors.PydanticUndefinedAnnotation:
                return
            except pydantic.errors.PydanticUserError as exc:
                if exc.code == "class-not-fully-defined":
                    return
                # The second sentence is about `arbitrary_types_allowed`, which is of no use here.
                why = str(exc.message).partition("\n")[0].partition(". ")[0]
                raise Unsupported(
                    f"pydantic cannot check the annotation {self.annotation!r}: {why}"
                ) from None

    def _adapter(self) -> Any:
        with warnings.catch_warnings():
            # An alias in the `Field` of a field is of no use to the adapter of the field alone.
            warnings.simplefilter("ignore", UserWarning)
            return _pydantic().TypeAdapter(self.annotation)

    @property
    def adapter(self) -> Any:
        """The TypeAdapter. Raises NameError for an annotation that cannot be resolved."""
        self.settle()
        if self._made is None:
            self._made = self._adapter()
        if self._made.pydantic_complete is False:
            self._made.rebuild()
        return self._made

    def validator(self) -> Callable[[Any], Any]:
        """As FastAPI validates: objects are read by their attributes."""
        # The core validator, without the checks of the options of `TypeAdapter.validate_python`.
        validate = self.adapter.validator.validate_python

        def of_attributes(value: Any) -> Any:
            return validate(value, from_attributes=True)

        return of_attributes

    def refusals(self, exc: Any, value: Any) -> list[Refusal]:
        """The errors of a ValidationError."""
        return [
            Refusal(one["type"], tuple(one["loc"]), one["msg"], one["input"], one.get("ctx"))
            for one in exc.errors(include_url=False)
        ]

    def checker(self) -> Callable[[Any], Any]:
        """The same: an instance of the declared model is not checked again."""
        return self.validator()

    def dumpers(self, shape: Any) -> tuple[Callable[[Any], bytes], Callable[[Any], Any]]:
        """With the serialisers of the models."""
        serializer = self.adapter.serializer
        options = {
            "include": shape.include,
            "exclude": shape.exclude,
            "by_alias": shape.by_alias,
            "exclude_unset": shape.exclude_unset,
            "exclude_defaults": shape.exclude_defaults,
            "exclude_none": shape.exclude_none,
        }
        given = {name: value for name, value in options.items() if value not in (None, False)}

        def to_json(value: Any) -> bytes:
            made: bytes = serializer.to_json(value, **given)
            return made

        def to_plain(value: Any) -> Any:
            return serializer.to_python(value, mode="json", **given)

        return to_json, to_plain

    def constrained(self, checks: dict[str, Any]) -> Any:
        """With a `Field` of pydantic."""
        return Annotated[self.annotation, _pydantic().Field(**with_pattern(checks))]

    def fields(self) -> list[ModelField]:
        """Under their aliases, and under their names if the model takes these as well."""
        model = bare(self.annotation)
        config = _config(model)
        by_name = config.get("validate_by_name") or config.get("populate_by_name")
        by_alias = config.get("validate_by_alias", True) is not False
        found = []
        infos = getattr(model, "__pydantic_fields__", {})
        for name, info in infos.items():
            aliases = _aliases(info) if by_alias else []
            names = list(dict.fromkeys([*aliases, *([name] if by_name or not aliases else [])]))
            found.append(
                ModelField(
                    name,
                    tuple(names),
                    shape_of(info.annotation) == "sequence",
                    info.is_required(),
                    PydanticAdapter(Annotated[(info.annotation, info)], shape_of(info.annotation)),
                    info.description,
                    bool(info.deprecated),
                )
            )
        return found

    @property
    def forbids(self) -> bool:
        """`extra="forbid"`."""
        return bool(_config(bare(self.annotation)).get("extra") == "forbid")

    @staticmethod
    def schemas(
        wanted: Sequence[tuple[Adapter, bool]], template: str
    ) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """Those of both modes at once: models get `-Input` and `-Output` where they differ."""
        inputs: list[Any] = []
        for index, (one, out) in enumerate(wanted):
            assert isinstance(one, PydanticAdapter)
            inputs.append((index, "serialization" if out else "validation", one.adapter))
        made, rest = _pydantic().TypeAdapter.json_schemas(
            inputs, ref_template=template.replace("{name}", "{model}")
        )
        found = [made[index, mode] for index, mode, _ in inputs]
        return found, rest.get("$defs", {})


def _config(model: Any) -> Any:
    """The configuration of a model or a dataclass of pydantic."""
    return getattr(model, "model_config", None) or getattr(model, "__pydantic_config__", None) or {}


def _aliases(info: Any) -> list[str]:
    alias = info.validation_alias
    if isinstance(alias, str):
        return [alias]
    # Of `AliasChoices`. A path leads into a value, and a text has no inside.
    return [one for one in getattr(alias, "choices", ()) if isinstance(one, str)]


def dump_pydantic(value: Any) -> Any:
    """The plain form of a model's instance, or of a value of pydantic's own types, such as a URL.

    FastAPI sends it so when no type of the result is declared.
    """
    if hasattr(value, "__pydantic_serializer__"):
        return value.__pydantic_serializer__.to_python(value, mode="json", by_alias=True)
    return sys.modules["pydantic_core"].to_jsonable_python(value)
