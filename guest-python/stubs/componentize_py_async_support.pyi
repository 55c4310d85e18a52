"""The hooks of componentize-py's async support that the SDK replaces, for the type checker."""

from collections.abc import Callable
from typing import Any

await_result: Callable[[Any], Any]
callback: Callable[[int, int, int], int]
