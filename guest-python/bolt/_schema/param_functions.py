"""`Query`, `Path`, `Body`, `Field`, ...: declarations of parameters and fields besides their types.

They appear in `Annotated[int, Query(gt=0)]`, or in place of a default: `page: int = Query(1)`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from .types import MISSING

__all__ = [
    "Body",
    "Cookie",
    "Field",
    "File",
    "FileOptions",
    "Form",
    "Header",
    "Marker",
    "MarkerOptions",
    "Path",
    "Query",
]


class MarkerOptions(TypedDict, total=False):
    """The options of every declaration besides the default.

    default_factory: creates the default for each request.
    alias: the name in the request, if it differs from that of the parameter.
    gt, ge, lt, le, multiple_of: constraints of a number.
    min_length, max_length: characters of a string, or items of a collection.
    pattern: a regular expression that must match somewhere in a string.
    title, description, example, examples, openapi_examples, deprecated, include_in_schema,
    json_schema_extra: for the OpenAPI description.
    """

    default_factory: Callable[[], Any]
    alias: str
    gt: float
    ge: float
    lt: float
    le: float
    multiple_of: float
    min_length: int
    max_length: int
    pattern: str
    title: str
    description: str
    example: Any
    examples: Sequence[Any]
    openapi_examples: Mapping[str, Any]
    deprecated: bool
    include_in_schema: bool
    json_schema_extra: Mapping[str, Any]


class FileOptions(TypedDict, total=False):
    """The options of `File` besides the default.

    max_size: the most bytes of one file.
    allowed_types: content types, such as "image/png" or "image/*".
    max_files: the most files of a list.
    """

    alias: str
    max_size: int
    allowed_types: Collection[str]
    max_files: int
    title: str
    description: str
    deprecated: bool
    include_in_schema: bool


@dataclass(frozen=True, slots=True, eq=False)
class Marker:
    """The declaration of a parameter or a field.

    source: "path", "query", "header", "cookie", "form", "file", "body", or "" for a field.
    default: MISSING when there is none.
    embed: the value is a key of the body even if it is the only one.
    convert_underscores: the parameter `x_token` reads the header `x-token`.
    The others are as in MarkerOptions and FileOptions; None when they are not given.
    """

    source: str
    default: Any = MISSING
    default_factory: Callable[[], Any] | None = None
    alias: str | None = None
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    title: str | None = None
    description: str | None = None
    example: Any = None
    examples: Sequence[Any] | None = None
    openapi_examples: Mapping[str, Any] | None = None
    deprecated: bool | None = None
    include_in_schema: bool = True
    json_schema_extra: Mapping[str, Any] | None = None
    embed: bool = False
    media_type: str | None = None
    convert_underscores: bool = True
    max_size: int | None = None
    allowed_types: Collection[str] | None = None
    max_files: int | None = None
    serialization_alias: str | None = None
    validate_default: bool = False

    def given(self) -> Any:
        """The default, or MISSING. The default `...` also means that there is none."""
        return MISSING if self.default is ... else self.default


def Query(default: Any = MISSING, **options: Unpack[MarkerOptions]) -> Any:
    """A query parameter; a list takes every value of a repeated key.

    For a Struct, a dataclass or a TypedDict, each of its fields is a query parameter.
    """
    return Marker("query", default, **options)


def Path(default: Any = MISSING, **options: Unpack[MarkerOptions]) -> Any:
    """A path parameter."""
    return Marker("path", default, **options)


def Header(
    default: Any = MISSING, *, convert_underscores: bool = True, **options: Unpack[MarkerOptions]
) -> Any:
    """A header. `_` in the parameter's name matches `-`, unless convert_underscores is False."""
    return Marker("header", default, convert_underscores=convert_underscores, **options)


def Cookie(default: Any = MISSING, **options: Unpack[MarkerOptions]) -> Any:
    """A cookie."""
    return Marker("cookie", default, **options)


def Form(default: Any = MISSING, **options: Unpack[MarkerOptions]) -> Any:
    """A field of a form, url-encoded or multipart."""
    return Marker("form", default, **options)


def File(default: Any = MISSING, **options: Unpack[FileOptions]) -> Any:
    """A file of a multipart form: as bytes, or as an UploadFile to read in parts."""
    return Marker("file", default, **options)


def Body(
    default: Any = MISSING,
    *,
    embed: bool = False,
    media_type: str = "application/json",
    **options: Unpack[MarkerOptions],
) -> Any:
    """The JSON body; or a key of it, with embed=True or when several parameters share the body."""
    return Marker("body", default, embed=embed, media_type=media_type, **options)


def Field(
    default: Any = MISSING,
    *,
    serialization_alias: str | None = None,
    validate_default: bool = False,
    **options: Unpack[MarkerOptions],
) -> Any:
    """A field of a Struct: its default, its constraints, its name in JSON.

    alias: the name in JSON, in requests and in responses. serialization_alias overrides it for
        responses.
    validate_default: the validators of the field also run on its default.
    """
    return Marker(
        "",
        default,
        serialization_alias=serialization_alias,
        validate_default=validate_default,
        **options,
    )
