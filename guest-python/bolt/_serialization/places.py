"""Where in a result a value is: a linked list, because only an error needs the text."""

from __future__ import annotations

from typing import Any

__all__ = ["Place", "show_place", "step_of"]

# The name of the whole, or the place of the container and the step from there: ".name" for an
# attribute, `(key,)` for an index or a key.
Place = Any


def step_of(key: object) -> Any:
    """The step to a key of a dict without a declared type, of which identifiers read as names."""
    return f".{key}" if isinstance(key, str) and key.isidentifier() else (key,)


def show_place(place: Place) -> str:
    """A place as text: `result.users[0]`."""
    steps: list[str] = []
    while isinstance(place, tuple):
        place, step = place
        steps.append(step if isinstance(step, str) else f"[{step[0]!r}]")
    return str(place) + "".join(reversed(steps))
