"""componentize-py's result types, for the type checker."""

from typing import Any

class Ok:
    value: Any

class Err(Exception):
    value: Any

    def __init__(self, value: Any) -> None: ...
