"""Path templates: `/users/{user_id}` and `/files/{name:path}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import quote, unquote

from .._serialization.codegen import is_identifier

__all__ = ["PathError", "Template", "fill_path", "parse_path", "path_pattern"]

_SEGMENT = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")


class PathError(ValueError):
    """An invalid path template. The text is a sentence without a full stop."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed path template.

    names: the parameters, in order.
    shape: the path without the names; templates of the same shape match the same requests.
    """

    names: tuple[str, ...]
    shape: str


def parse_path(path: str) -> Template:
    """Parse a path template. Raises PathError."""
    if not path.startswith("/"):
        raise PathError(f"the path {path!r} must start with '/'")
    names: list[str] = []
    shape = []
    segments = path.split("/")
    for index, segment in enumerate(segments):
        if "{" not in segment and "}" not in segment:
            shape.append(segment)
            continue
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            raise PathError(
                f"the path {path!r} has the segment {segment!r}; "
                "a parameter fills a whole segment, as in '/{name}'"
            )
        name, convert = match.groups()
        if not is_identifier(name):
            raise PathError(f"the path {path!r} has a parameter called {name!r}, not an identifier")
        if name in names:
            raise PathError(f"the path {path!r} has the parameter {name!r} twice")
        if convert is not None and convert != "path":
            raise PathError(
                f"the path {path!r} has the converter {convert!r}; "
                f"annotate the parameter instead, as in '{name}: int'"
            )
        if convert == "path" and index != len(segments) - 1:
            raise PathError(f"the path {path!r} goes on after {segment!r}, which takes the rest")
        names.append(name)
        shape.append("{}" if convert is None else "{:path}")
    return Template(tuple(names), "/".join(shape))


def path_pattern(path: str, *, below: bool = False) -> re.Pattern[str]:
    """A pattern that matches the decoded paths of a template, or those below it."""
    parts = []
    for segment in path.split("/"):
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            parts.append(re.escape(unquote(segment)))
        else:
            parts.append("[^/]+" if match[2] is None else ".*")
    return re.compile("/".join(parts) + ("/" if below else r"\Z"), re.DOTALL)


def fill_path(path: str, values: Mapping[str, Any]) -> str:
    """The path with percent-encoded values in place of the parameters.

    Raises ValueError for a value that the parameter cannot match.
    """

    def fill(match: re.Match[str]) -> str:
        name, convert = match.groups()
        value = values[name]
        text = str(value.value if isinstance(value, Enum) else value)
        if convert == "path":
            return quote(text)
        if not text or "/" in text:
            raise ValueError(f"{text!r} cannot be the part {name!r} of the path {path!r}")
        return quote(text, safe="")

    return _SEGMENT.sub(fill, path)
