"""The exceptions that an application raises or handles, and the one that a failed build raises."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

__all__ = [
    "BuildError",
    "HTTPException",
    "RequestValidationError",
    "WebSocketException",
    "WebSocketRequestValidationError",
]


class HTTPException(Exception):
    """Raise it in a handler to respond with an error status.

    status_code: the HTTP status, an int from 100 to 599.
    detail: any value that JSON can represent; it becomes `{"detail": ...}`. The default is the
        standard phrase of the status ("Not Found"), or "Error" for a status without one.
    headers: additional response headers, name to value.

    Raises ValueError when the status is out of range.
    """

    def __init__(
        self,
        status_code: int,
        detail: Any = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        if not 100 <= status_code <= 599:
            raise ValueError(f"an HTTP status lies between 100 and 599, not {status_code}")
        if detail is None:
            detail = _phrase(status_code)
        super().__init__(status_code, detail)
        self.status_code = status_code
        self.detail = detail
        self.headers = headers

    def __str__(self) -> str:
        return f"{self.status_code}: {self.detail}"

    def __repr__(self) -> str:
        return f"HTTPException(status_code={self.status_code!r}, detail={self.detail!r})"


def _phrase(status_code: int) -> str:
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return "Error"


class BuildError(TypeError):
    """A route that cannot be served as it is declared. Registration raises it, or the build.

    handler: the qualified name of the function.
    file: its source file, relative to the import root.
    line: the line of its `def`, counted from 1.
    """

    def __init__(self, message: str, *, handler: str, file: str, line: int) -> None:
        super().__init__(f"{message} (handler {handler}, {file}:{line})")
        self.message = message
        self.handler = handler
        self.file = file
        self.line = line


class RequestValidationError(ValueError):
    """An invalid request. `errors()` is a list of `{"type", "loc", "msg", "input"}`.

    body: what was sent: JSON or a form as it was parsed, any other body as bytes, and the text of
        JSON that is not valid. None if there is no body.
    """

    def __init__(self, errors: Sequence[Any] = (), *, body: Any = None) -> None:
        super().__init__(list(errors))
        self._errors = list(errors)
        self.body = body

    def errors(self) -> list[Any]:
        """What is invalid, and where in the request."""
        return self._errors


class WebSocketException(Exception):
    """Raise it in a websocket handler to close the WebSocket, or to refuse it with 403.

    code: 1000 to 1014 without those that are never sent (1004, 1005, 1006), or 3000 to 4999.
    reason: what the client is told, at most 123 bytes; what is longer is cut.
    """

    def __init__(self, code: int, reason: str | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason or ""

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"

    def __repr__(self) -> str:
        return f"WebSocketException(code={self.code!r}, reason={self.reason!r})"


class WebSocketRequestValidationError(ValueError):
    """A handshake that a validator or a constructor refuses; see `RequestValidationError`."""

    def __init__(self, errors: Sequence[Any] = ()) -> None:
        super().__init__(list(errors))
        self._errors = list(errors)

    def errors(self) -> list[Any]:
        """What is invalid, and where in the request."""
        return self._errors
