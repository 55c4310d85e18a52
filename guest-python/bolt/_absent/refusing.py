"""`refusing`: makes classes and functions that can be imported, and raise when they are called."""

from __future__ import annotations

import errno
from typing import Any, NoReturn

__all__ = ["refuse", "refusing"]


def refuse(sentence: str) -> NoReturn:
    """Raise the OSError that systems raise for what they do not support."""
    raise OSError(errno.ENOTSUP, sentence)


def refusing(name: str, module: str, sentence: str, **members: Any) -> type:
    """A class of this name, which may have subclasses, but no objects."""

    def __new__(cls: type, *args: object, **named: object) -> NoReturn:
        refuse(sentence)

    return type(name, (), {"__new__": __new__, "__module__": module, **members})
