"""The exceptions of the test client."""

from __future__ import annotations

import httpx

__all__ = ["HandlerError", "ServerError"]


class ServerError(RuntimeError):
    """The application could not be built or served. The text says why."""


class HandlerError(RuntimeError):
    """A handler has raised an exception. The text is its traceback, from the server's log.

    response: the response with status 500, or the one that broke off.
    """

    def __init__(self, message: str, response: httpx.Response) -> None:
        super().__init__(message)
        self.response = response
