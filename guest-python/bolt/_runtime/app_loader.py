"""Imports an application, and explains a failure in terms of the application's own code."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Any, NoReturn

from .._app.application import BoltAPI
from ..exceptions import BuildError
from .hints import with_hint
from .tracebacks import formatted, missing_variable

__all__ = ["LoadError", "import_app", "refuse_build"]

# The host looks for this mark before each line of a build error.
_ERROR_MARK = "bolt-build-error:"

# The attribute that the host passes when its user names none.
_DEFAULT = "api"


class LoadError(Exception):
    """An application that cannot be served. The text is a traceback or a sentence."""


def import_app(module: str, attribute: str) -> BoltAPI:
    """The application. Raises LoadError."""
    try:
        api: Any = importlib.import_module(module)
        if attribute == _DEFAULT and not hasattr(api, _DEFAULT):
            # The usual name in a FastAPI app.
            attribute = "app" if isinstance(getattr(api, "app", None), BoltAPI) else attribute
        for part in attribute.split("."):
            api = getattr(api, part)
    except BaseException as exc:
        raise LoadError(_failure(exc, module, attribute)) from None
    if not isinstance(api, BoltAPI):
        raise LoadError(
            f"{module}:{attribute} is a {type(api).__name__}, not a BoltAPI: give --app module:attr"
        )
    return api


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
            f"{module} has no attribute {attribute}: call the BoltAPI `api` or `app`, "
            f"or give --app {module}:attr"
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
