"""Exceptions that pass between modules of the SDK and never reach an application."""

from __future__ import annotations

__all__ = ["EndlessResult", "ResultError", "ResultMismatch", "Unsupported", "ValidatorError"]


class Unsupported(TypeError):
    """A declaration that the SDK cannot serve. The text is a clause that names the annotation.

    `Declaration.failure` turns it into a BuildError that also names the handler and its line.
    """


class ValidatorError(Exception):
    """A validator or a constructor rejected a value; its `__cause__` is what it raised.

    `validation_errors.explain` turns it into a 422 that says where in the request the value is.
    """


class ResultError(TypeError):
    """A result that cannot be sent. The client gets a 500, the log gets the text.

    handler: the handler that returned it, as "name, file:line"; "" while that is not known.
    """

    trouble = "cannot be sent"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.handler = ""

    def of(self, handler: str) -> ResultError:
        """The same error, which from now on names its handler."""
        self.handler = self.handler or handler
        return self

    def __str__(self) -> str:
        why = str(self.args[0])
        return f"{self.handler}: the result {self.trouble}: {why}" if self.handler else why


class EndlessResult(ResultError, ValueError):
    """A result that contains itself, or is nested too deep."""


class ResultMismatch(ResultError):
    """A result does not match its declaration."""

    trouble = "does not match its declaration"
