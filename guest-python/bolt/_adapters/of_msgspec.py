"""Annotations that msgspec checks."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from .._errors import Unsupported
from .adapter import Adapter, ModelField, Refusal, with_pattern
from .found import bare, shape_of

__all__ = ["MsgspecAdapter", "dump_msgspec"]

# A place in a message, such as "$.items[0].count" or "$[...]", which is any key of a dict.
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[(\.\.\.)\]")
_PLACE = re.compile(r" - at (`key` in )?`\$([^`]*)`$")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")


def _msgspec() -> Any:
    return sys.modules["msgspec"]


class MsgspecAdapter(Adapter):
    """A type that `msgspec.convert` makes of plain values, and `msgspec.json` encodes."""

    library = "msgspec"

    def __init__(self, annotation: Any, shape: str) -> None:
        super().__init__(annotation, shape)
        self.refused = _msgspec().ValidationError

    def settle(self) -> None:
        """Let msgspec read the type."""
        try:
            _msgspec().inspect.type_info(self.annotation)
        except NameError:
            return
        except TypeError as exc:
            why = str(exc).partition("\n")[0].rstrip(".")
            raise Unsupported(
                f"msgspec cannot check the annotation {self.annotation!r}: {why}"
            ) from None

    def validator(self) -> Callable[[Any], Any]:
        """As `msgspec.json.decode`: the host has parsed the JSON already."""
        convert, wanted, strict = _msgspec().convert, self.annotation, not self.texts

        def validate(value: Any) -> Any:
            return convert(value, wanted, strict=strict, str_keys=True)

        return validate

    def refusals(self, exc: Exception, value: Any) -> list[Refusal]:
        """The first error, which is all that msgspec tells."""
        text = str(exc)
        place = _PLACE.search(text)
        path: tuple[Any, ...] = ()
        if place is not None:
            text = text[: place.start()]
            path = tuple(
                name or (int(index) if index else rest)
                for name, index, rest in _STEP.findall(place[2])
            )
        shown = _at(value, path)
        missing, unknown = _MISSING.match(text), _UNKNOWN.match(text)
        if missing is not None:
            return [Refusal("missing", (*path, missing[1]), text, shown)]
        if unknown is not None:
            inner = _at(shown, (unknown[1],))
            return [Refusal("extra_forbidden", (*path, unknown[1]), text, inner)]
        is_of_class = text.startswith("Expected `") and "` of " not in text
        return [Refusal("type_error" if is_of_class else "value_error", path, text, shown)]

    def checker(self) -> Callable[[Any], Any]:
        """An instance of the declared Struct is not checked again."""
        convert, wanted = _msgspec().convert, self.annotation

        def check(value: Any) -> Any:
            return convert(value, wanted, from_attributes=True)

        return check

    def dumpers(self, shape: Any) -> tuple[Callable[[Any], bytes], Callable[[Any], Any]]:
        """With the options of the Structs, such as `rename` and `omit_defaults`."""
        if not shape.changes_nothing:
            raise Unsupported(
                f"the response_model options are not for {self.annotation!r}: msgspec sends what "
                "the Struct says"
            )
        msgspec = _msgspec()
        encode: Callable[[Any], bytes] = msgspec.json.Encoder(decimal_format="string").encode
        return encode, dump_msgspec

    def constrained(self, checks: dict[str, Any]) -> Any:
        """With a `Meta`."""
        return Annotated[self.annotation, _msgspec().Meta(**with_pattern(checks))]

    def fields(self) -> list[ModelField]:
        """Under the names that they have in JSON."""
        msgspec = _msgspec()
        return [
            ModelField(
                one.name,
                (one.encode_name,),
                shape_of(one.type) == "sequence",
                bool(one.required),
                MsgspecAdapter(one.type, shape_of(one.type)),
            )
            for one in msgspec.structs.fields(_struct_in(self.annotation))
        ]

    @property
    def forbids(self) -> bool:
        """`forbid_unknown_fields`."""
        return bool(_struct_in(self.annotation).__struct_config__.forbid_unknown_fields)

    @staticmethod
    def schemas(
        wanted: Sequence[tuple[Adapter, bool]], template: str
    ) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """The same for requests and responses."""
        made, rest = _msgspec().json.schema_components(
            [one.annotation for one, _ in wanted], ref_template=template
        )
        return list(made), rest


def _struct_in(annotation: Any) -> Any:
    struct = bare(annotation)
    return getattr(struct, "__origin__", struct)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    """The value at a place; None if the place is not known exactly."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def dump_msgspec(value: Any) -> Any:
    """The plain form of a Struct or a container of Structs."""
    return _msgspec().to_builtins(value, str_keys=True)
