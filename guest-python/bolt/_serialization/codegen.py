"""Builds Python functions from source lines: straight-line code for the hot path of a request.

Only identifiers and integers enter the source. Every value (class, default, dict key) is passed
through the function's namespace, so no text of an application is executed as code.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Collection
from typing import Any

__all__ = ["Source", "is_identifier"]


def is_identifier(name: str) -> bool:
    """Whether source can use a name as a variable or attribute."""
    return name.isidentifier() and not keyword.iskeyword(name)


class Source:
    """The body of one function, and the namespace it runs in.

    reserved: names that the caller uses itself, such as parameters named after fields.
    """

    def __init__(self, reserved: Collection[str] = ()) -> None:
        self._reserved = reserved
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {}
        self._depth = 1
        self._count = 0
        self._constants: dict[int, str] = {}

    def line(self, text: str) -> None:
        """Add a line at the current indentation."""
        self.lines.append("    " * self._depth + text)

    def indent(self) -> None:
        """Begin a block."""
        self._depth += 1

    def dedent(self) -> None:
        """End a block."""
        self._depth -= 1

    def local(self) -> str:
        """A new local variable name."""
        self._count += 1
        return f"v{self._count}"

    def constant(self, value: Any) -> str:
        """The name of this object in the namespace of the function."""
        # The namespace keeps the object alive, so no other object gets its id.
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
        """Compile the function. `qualname` is its name in tracebacks and TypeErrors."""
        code = compile(self.text(name, parameters, word), f"<bolt {qualname or name}>", "exec")
        exec(code, self.namespace)
        # Any: mypy allows the assignments below only on FunctionType.
        built: Any = self.namespace[name]
        built.__qualname__ = qualname or name
        built.__module__ = "bolt"
        result: Callable[..., Any] = built
        return result
