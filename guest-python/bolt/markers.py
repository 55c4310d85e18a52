"""What a parameter says of itself besides its type: `Query(gt=0)`, `Body(embed=True)`, ...

A marker stands in `Annotated[int, Query(gt=0)]`, or in place of a default: `page: int = Query(1)`.
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
    """What every marker takes besides a default.

    default_factory: makes the default, anew for each request.
    alias: the name in the request, where it is not that of the parameter.
    gt, ge, lt, le, multiple_of: what a number must be.
    min_length, max_length: characters of a text, or items of a collection.
    pattern: a regular expression that must be found in a text.
    title, description, example, examples, openapi_examples, deprecated, include_in_schema,
    json_schema_extra: for the description of the API.
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
    """What `File` takes besides a default.

    max_size: bytes of one file.
    allowed_types: content types, such as "image/png" or "image/*".
    max_files: how many files a list takes.
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
    default: MISSING where there is none.
    embed: the value is a key of the body even if it is the only one.
    convert_underscores: a header is called `x-token` for the parameter `x_token`.
    The others are as in MarkerOptions and FileOptions; None where they are not given.
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

    def given(self) -> Any:
        """The default; MISSING for none, which `...` says as well."""
        return MISSING if self.default is ... else self.default


def Query(default: Any = MISSING, **options: Unpack[MarkerOptions]) -> Any:
    """A value of the query string; a list takes every value of a repeated key.

    On a Struct, a dataclass or a TypedDict, each of its fields is a value of the query string.
    """
    return Marker("query", default, **options)


def Path(default: Any = MISSING, **options: Unpack[MarkerOptions]) -> Any:
    """A part of the path."""
    return Marker("path", default, **options)


def Header(
    default: Any = MISSING, *, convert_underscores: bool = True, **options: Unpack[MarkerOptions]
) -> Any:
    """A header. `_` in the parameter's name stands for `-`, unless convert_underscores is off."""
    return Marker("header", default, convert_underscores=convert_underscores, **options)


def Cookie(default: Any = MISSING, **options: Unpack[MarkerOptions]) -> Any:
    """A cookie."""
    return Marker("cookie", default, **options)


def Form(default: Any = MISSING, **options: Unpack[MarkerOptions]) -> Any:
    """A field of a form, url-encoded or multipart."""
    return Marker("form", default, **options)


def File(default: Any = MISSING, **options: Unpack[FileOptions]) -> Any:
    """A file of a multipart form: as bytes, or as an UploadFile, which is read in parts."""
    return Marker("file", default, **options)


def Body(
    default: Any = MISSING,
    *,
    embed: bool = False,
    media_type: str = "application/json",
    **options: Unpack[MarkerOptions],
) -> Any:
    """The JSON body, or a key of it: with embed=True, or where several parameters share it."""
    return Marker("body", default, embed=embed, media_type=media_type, **options)


def Field(
    default: Any = MISSING,
    *,
    serialization_alias: str | None = None,
    **options: Unpack[MarkerOptions],
) -> Any:
    """A field of a Struct: a default, constraints, another name in JSON.

    alias: the name in JSON, both ways, unless serialization_alias names another one for replies.
    """
    return Marker("", default, serialization_alias=serialization_alias, **options)
