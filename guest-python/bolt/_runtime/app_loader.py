"""Imports an application, and explains a failure in terms of the application's own code."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any, NoReturn

from .._app.application import BoltAPI
from .._doors.interface import is_foreign
from ..exceptions import BuildError
from .hints import with_hint
from .tracebacks import formatted, missing_variable

__all__ = ["LoadError", "import_app", "refuse_build"]

# The host looks for this mark before each line of a build error.
_ERROR_MARK = "bolt-build-error:"

# The variable of the build by which a developer says which of the two interfaces an app has.
_INTERFACE = "BOLT_INTERFACE"
# The attribute that the host passes when its user names none, and what is tried then.
_DEFAULT = "api"
_USUAL = ("api", "app", "application")


class LoadError(Exception):
    """An application that cannot be served. The text is a traceback or a sentence."""


def import_app(module: str, attribute: str) -> BoltAPI:
    """The application, or one that passes all requests to that of another framework.

    Raises LoadError.
    """
    try:
        loaded: Any = importlib.import_module(module)
        if attribute == _DEFAULT:
            attribute = _usual_name(loaded)
        found = loaded
        for part in attribute.split("."):
            found = getattr(found, part)
    except BaseException as exc:
        raise LoadError(_failure(exc, module, attribute)) from None
    if isinstance(found, BoltAPI):
        return found
    try:
        return BoltAPI.serving(found, os.environ.get(_INTERFACE))
    except (TypeError, ValueError) as exc:
        raise LoadError(
            f"{module}:{attribute} is a {type(found).__name__}, not a BoltAPI and no app of ASGI "
            f"or WSGI: give --app module:attr ({exc})"
        ) from None


def _usual_name(module: Any) -> str:
    """The name of the application, which its user does not give.

    A BoltAPI is preferred: a module may have the app that it mounts there as well.
    """
    there = [name for name in _USUAL if hasattr(module, name)]
    for name in there:
        if isinstance(getattr(module, name), BoltAPI):
            return name
    for name in there:
        # A module or a class may have such a name, too.
        if is_foreign(getattr(module, name)):
            return name
    return there[0] if there else _DEFAULT


def refuse_build(text: str) -> NoReturn:
    """End the build with an error for the developer."""
    # The runtime may have written an incomplete line.
    print(file=sys.stderr)
    for line in text.splitlines():
        print(_ERROR_MARK + line, file=sys.stderr)
    sys.stderr.flush()
    raise SystemExit(1)


def _failure(exc: BaseException, module: str, attribute: str) -> str:
    if isinstance(exc, BuildError):
        return str(exc)
    if (
        isinstance(exc, AttributeError)
        and exc.__traceback__ is not None
        and exc.__traceback__.tb_next is None
    ):
        return (
            f"{module} has no attribute {attribute}: call the BoltAPI `api` or `app`, or one of "
            f"ASGI or WSGI `app` or `application`, or give --app {module}:attr"
        )
    told = traceback.TracebackException.from_exception(exc)
    # Without the frames of the import system, and the two frames that called it.
    inside = [frame for frame in told.stack[2:] if not frame.filename.startswith("<frozen")]
    told.stack = traceback.StackSummary.from_list(inside)
    text = formatted(told).rstrip()
    name = missing_variable(exc)
    if name is None:
        return with_hint(text, exc).rstrip()
    return (
        f"{text}\nThe app reads {name} while it is imported, which happens when it is built, "
        f"without the variables of `--env`: give this one with `--build-env {name}=...`, "
        "or read it in a handler or in the lifespan"
    )
