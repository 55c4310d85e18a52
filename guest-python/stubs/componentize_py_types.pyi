"""componentize-py's result types, for the type checker."""

from typing import Any

class Ok:
    value: Any
