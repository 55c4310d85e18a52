"""The description of a 422: the list of what is invalid in a request."""

from __future__ import annotations

from typing import Any

from .json_schema import Schemas

__all__ = ["refusal"]

_LIST, _ERROR = "HTTPValidationError", "ValidationError"


def refusal(schemas: Schemas) -> dict[str, Any]:
    """The response object. A class of the application may have the names of these schemas."""
    schema = schemas.added(_LIST)
    if schema is None:
        schema = schemas.add(_LIST, _described(schemas))
    return {"description": "Validation Error", "content": {"application/json": {"schema": schema}}}


def _described(schemas: Schemas) -> dict[str, Any]:
    step = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    error = schemas.add(
        _ERROR,
        {
            "type": "object",
            "required": ["loc", "msg", "type"],
            "properties": {
                "loc": {"title": "Location", "type": "array", "items": step},
                "msg": {"title": "Message", "type": "string"},
                "type": {"title": "Error Type", "type": "string"},
                "input": {"title": "Input"},
            },
        },
    )
    errors = {"title": "Detail", "type": "array", "items": error}
    return {"type": "object", "properties": {"detail": errors}}
