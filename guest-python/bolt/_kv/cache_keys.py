"""The keys under which results of a function are kept: its name, and its arguments as JSON."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from .values import LONGEST_KEY

__all__ = ["ArgumentKey"]

_PREFIX = "cache:"
# Not the prefix above: a client may know a hash, and send it as an argument.
_HASHED = "cached-hash:"
_SCALARS = frozenset({str, int, float, bool, type(None)})
_encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, sort_keys=True
).encode


class ArgumentKey:
    """Makes the key of a call.

    function: the function whose results are kept.
    chosen: what makes a text of the arguments, instead of their JSON.

    Raises TypeError for what has no name of its own: a lambda, a partial, an object.
    """

    def __init__(self, function: Callable[..., Any], chosen: Callable[..., str] | None) -> None:
        name = getattr(function, "__qualname__", "")
        if not name or name.endswith("<lambda>"):
            # Others would have the same name.
            told = "has no name of its own, under which results could be kept"
            raise TypeError(f"{function!r} {told}: write a function with `def`")
        self._name = f"{function.__module__}.{name}"
        self._chosen = chosen
        self._signature = inspect.signature(function)
        parameters = list(self._signature.parameters.values())
        kinds = {parameter.kind for parameter in parameters}
        # Calls of most functions give all arguments in order, or all by name.
        usual = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self._may_be_in_order = kinds <= {usual, inspect.Parameter.POSITIONAL_ONLY}
        self._may_be_named = kinds <= {usual, inspect.Parameter.KEYWORD_ONLY}
        self._names = tuple([parameter.name for parameter in parameters])

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """The key. Raises TypeError for an argument that has no place in one."""
        if self._chosen is not None:
            text = self._chosen(*args, **kwargs)
            if not isinstance(text, str):
                told = f"the key of a result of {self._name} is text"
                raise TypeError(f"{told}, not {type(text).__qualname__}")
        else:
            text = self._text(args, kwargs)
        key = f"{_PREFIX}{self._name}:{text}"
        if len(key) * 4 > LONGEST_KEY and len(key.encode()) > LONGEST_KEY:
            digest = hashlib.sha256(key.encode()).hexdigest()
            # The name may be as long as its author likes.
            key = f"{_HASHED}{self._name[:100]}:{digest}"
        return key

    def _text(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """The arguments in the order of the parameters, with the defaults of those not given."""
        if self._may_be_in_order and len(args) == len(self._names) and not kwargs:
            values: list[Any] = list(args)
        elif self._may_be_named and not args and tuple(kwargs) == self._names:
            values = list(kwargs.values())
        else:
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            values = list(bound.arguments.values())
        if _SCALARS.issuperset(map(type, values)):
            # Faster than JSON, and different values have different ones too.
            return repr(values)
        for name, value in zip(self._names, values, strict=True):
            self._check(name, value)
        return _encode(values)

    def _check(self, name: str, value: Any) -> None:
        """Raise for a value whose JSON is not its own, as that of an object without one."""
        if type(value) in _SCALARS:
            return
        if isinstance(value, (list, tuple)):
            for item in value:
                self._check(name, item)
        elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
            for item in value.values():
                self._check(name, item)
        elif not isinstance(value, (str, int, float)):
            raise TypeError(
                f"the argument {name!r} of {self._name} has no place in a key, as "
                f"{type(value).__qualname__} is no JSON: give `kv.cache` a function `key=`, which "
                "makes a text of the arguments"
            )
