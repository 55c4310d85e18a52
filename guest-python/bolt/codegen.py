"""Builds Python functions from source lines: straight-line code for the paths every request takes.

Only identifiers and integers ever enter the source. Every value (classes, defaults, dict keys) is
passed through the function's namespace, so nothing an application writes is read as code.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Collection
from typing import Any

__all__ = ["Source", "is_identifier"]


def is_identifier(name: str) -> bool:
    """Whether a name can stand in source as a variable or attribute."""
    return name.isidentifier() and not keyword.iskeyword(name)


class Source:
    """The body of one function, and the namespace it will run in.

    reserved: names the caller uses itself, such as parameters named after fields.
    """

    def __init__(self, reserved: Collection[str] = ()) -> None:
        self._reserved = reserved
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {}
        self._depth = 1
        self._count = 0
        self._constants: dict[int, str] = {}

    def line(self, text: str) -> None:
        """Adds a line at the current indentation."""
        self.lines.append("    " * self._depth + text)

    def indent(self) -> None:
        """The next lines belong to the block just opened."""
        self._depth += 1

    def dedent(self) -> None:
        """The block is over."""
        self._depth -= 1

    def local(self) -> str:
        """A local variable name not used before."""
        self._count += 1
        return f"v{self._count}"

    def constant(self, value: Any) -> str:
        """The name under which the function finds this object."""
        # The namespace keeps the object alive, so its id stays its own.
        name = self._constants.get(id(value))
        if name is None:
            self._count += 1
            while f"K{self._count}" in self._reserved:
                self._count += 1
            name = self._constants[id(value)] = f"K{self._count}"
            self.namespace[name] = value
        return name

    def text(self, name: str, parameters: str, word: str = "def") -> str:
        """The source of the function; `word` is "def" or "async def"."""
        body = self.lines or ["    pass"]
        return "\n".join([f"{word} {name}({parameters}):", *body, ""])

    def build(
        self, name: str, parameters: str, qualname: str | None = None, word: str = "def"
    ) -> Callable[..., Any]:
        """Compiles the function. `qualname` is what its tracebacks and TypeErrors call it."""
        code = compile(self.text(name, parameters, word), f"<bolt {qualname or name}>", "exec")
        exec(code, self.namespace)
        # Typed Any because a function's names are writable only on the concrete type.
        built: Any = self.namespace[name]
        built.__qualname__ = qualname or name
        built.__module__ = "bolt"
        result: Callable[..., Any] = built
        return result
