"""The exceptions of requests to other servers, with httpx's names where httpx has the same one."""

from __future__ import annotations

from typing import Any

from ._request import Request

__all__ = [
    "AccessDenied",
    "ConnectError",
    "HTTPError",
    "InvalidURL",
    "ProtocolError",
    "RequestError",
    "ResponseNotRead",
    "StreamClosed",
    "StreamConsumed",
    "StreamError",
    "TimeoutException",
    "TooLarge",
    "TooManyRedirects",
    "failure",
]


class HTTPError(Exception):
    """Base of everything that a request raises because of the network or the response.

    request: the request that failed, or None when it could not be built.
    """

    def __init__(self, message: str, *, request: Request | None = None) -> None:
        super().__init__(message)
        self.request = request
        # What the host calls it; a class may have several kinds.
        self._kind = ""


class RequestError(HTTPError):
    """There is no response, or only a part of it. The text is a sentence."""


class AccessDenied(RequestError):
    """The egress rules of the host do not allow the app to connect to this server."""


class InvalidURL(RequestError):
    """The URL, or another part of the request, is invalid."""


class ConnectError(RequestError):
    """The host could not resolve the name of the server, or could not connect to it."""


class TimeoutException(RequestError):
    """The head of the response, or a further part of a body, did not arrive in time."""


class ProtocolError(RequestError):
    """The server does not speak HTTP, or closed the connection during the response."""


class TooLarge(RequestError):
    """The request or the response exceeds a limit of the host."""


class TooManyRedirects(RequestError):
    """The server redirected more often than the client follows."""


class StreamError(RuntimeError):
    """The program used a body in the wrong order."""


class ResponseNotRead(StreamError):
    """The program accessed the body of a streamed response before it read the body."""


class StreamConsumed(StreamError):
    """The program iterated a second time over a body that can be iterated only once."""


class StreamClosed(StreamError):
    """The response was closed before its end."""


_KINDS: dict[str, type[RequestError]] = {
    "denied": AccessDenied,
    "invalid": InvalidURL,
    "resolve": ConnectError,
    "connect": ConnectError,
    "timeout": TimeoutException,
    "protocol": ProtocolError,
    "limit": TooLarge,
}


def failure(told: dict[str, Any]) -> RequestError:
    """The exception for an error that the host reports, `{"error", "message"}`."""
    found = _KINDS.get(told["error"], RequestError)(told["message"])
    found._kind = told["error"]
    return found
