"""What can go wrong with a request to another server, under httpx's names where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .httprequest import Request
    from .httpresponse import Response

__all__ = [
    "AccessDenied",
    "ConnectError",
    "HTTPError",
    "HTTPStatusError",
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
    """Base of everything that a request can raise because of the network or the answer.

    request: the request that failed, or None when it could not even be made.
    """

    def __init__(self, message: str, *, request: Request | None = None) -> None:
        super().__init__(message)
        self.request = request


class RequestError(HTTPError):
    """The exchange failed: there is no answer, or not all of it. The text is a sentence."""


class AccessDenied(RequestError):
    """The app is not allowed to connect there."""


class InvalidURL(RequestError):
    """The URL, or another part of the request, is not one that can be sent."""


class ConnectError(RequestError):
    """The name of the server could not be resolved, or nothing answers there."""


class TimeoutException(RequestError):
    """The head of the answer, or a further part of a body, did not come in time."""


class ProtocolError(RequestError):
    """The server does not speak HTTP, or hung up in the middle of the answer."""


class TooLarge(RequestError):
    """The exchange is beyond a limit of the host."""


class TooManyRedirects(RequestError):
    """The server redirects more often than is followed."""


class HTTPStatusError(HTTPError):
    """`raise_for_status` found a status that is not a success.

    response: the answer, with its status, headers and body.
    request_url: the URL that was asked.
    """

    def __init__(self, message: str, *, request: Request | None, response: Response) -> None:
        super().__init__(message, request=request)
        self.response = response
        self.request_url = response.url


class StreamError(RuntimeError):
    """The program used a body in an order that does not work."""


class ResponseNotRead(StreamError):
    """The body of a streamed answer was asked for before it was read."""


class StreamConsumed(StreamError):
    """A body that can be iterated once only is wanted a second time."""


class StreamClosed(StreamError):
    """The answer was closed before its end."""


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
    """The exception for what the host says, `{"error", "message"}`."""
    return _KINDS.get(told["error"], RequestError)(told["message"])
