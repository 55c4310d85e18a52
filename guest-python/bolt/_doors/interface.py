"""Which interface a foreign app has: ASGI, which is awaited, or WSGI, which is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

from .._callables import function_in, kind_of

__all__ = ["Interface", "check_interface", "interface_of", "is_foreign"]

Interface = Literal["asgi", "wsgi"]

_KNOWN = ("asgi", "wsgi")
# Names that an author gives the parameters of the two, and of ASGI 2, when there are no others.
_WSGI_NAMES = ("environ", "start_response")
# What Flask and its like have beside a `__call__` that says nothing.
_WSGI_METHOD = "wsgi_app"


def check_interface(interface: str | None) -> None:
    """Raise ValueError for an interface that is neither of the two, nor left out."""
    if interface is not None and interface not in _KNOWN:
        raise ValueError(f"interface is 'asgi' or 'wsgi', not {interface!r}")


def interface_of(app: Any) -> Interface | None:
    """The interface of an app; None for an object that is no app.

    Raises TypeError for an app of ASGI 2, and for one that does not say what it is.
    """
    if not callable(app) or isinstance(app, type):
        return None
    if getattr(app, "_asgi_double_callable", False):
        raise TypeError(_old(app))
    if getattr(app, "_asgi_single_callable", False) or kind_of(app) == "async":
        return "asgi"
    if callable(getattr(app, _WSGI_METHOD, None)):
        return "wsgi"
    taken = _positional(app)
    if taken is None:
        return None
    if len(taken) == 3:
        # A `def` that returns a coroutine, as decorators make it.
        return "asgi"
    if len(taken) == 2:
        return "wsgi"
    if len(taken) == 1 and taken[0] == "scope":
        raise TypeError(_old(app))
    return None


def is_foreign(thing: Any) -> bool:
    """Whether something is an app, also one of which an error says that it cannot be served."""
    try:
        return interface_of(thing) is not None
    except TypeError:
        return True


def _positional(app: Callable[..., Any]) -> list[str] | None:
    """The names of the parameters that have to be given, or None if it does not say."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    taken = []
    for one in parameters:
        if one.kind is one.VAR_POSITIONAL:
            inner = function_in(app)
            return list(_WSGI_NAMES) if inner is not app and _is_plain(inner) else None
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD):
            if one.default is one.empty or one.name in _WSGI_NAMES:
                taken.append(one.name)
        elif one.kind is one.KEYWORD_ONLY and one.default is one.empty:
            return None
    return taken


def _is_plain(function: Any) -> bool:
    """Whether a function has the parameters of WSGI by their names."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_varnames[: code.co_argcount][-2:] == _WSGI_NAMES


def _old(app: Any) -> str:
    name = getattr(app, "__qualname__", type(app).__qualname__)
    return (
        f"{name} is an application of ASGI 2, which is called twice: give "
        "`asgiref.compatibility.guarantee_single_callable(app)`, or a version of its framework "
        "that speaks ASGI 3"
    )
