"""Exceptions that pass between modules of the SDK and never reach an application."""

from __future__ import annotations

__all__ = ["Unsupported", "ValidatorError"]


class Unsupported(TypeError):
    """A declaration that the SDK cannot serve. The text is a clause that names the annotation.

    `Declaration.failure` turns it into a BuildError that also names the handler and its line.
    """


class ValidatorError(Exception):
    """A validator rejected a value; its `__cause__` is what the validator raised.

    `validation_errors.explain` turns it into a 422 that says where in the request the value is.
    """
