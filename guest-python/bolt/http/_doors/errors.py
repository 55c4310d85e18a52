"""The exceptions of `bolt.http` as those that Python's own connections raise."""

from __future__ import annotations

import socket
import sys
from http.client import InvalidURL as InvalidTarget
from http.client import RemoteDisconnected

from .._errors import (
    AccessDenied,
    ConnectError,
    InvalidURL,
    ProtocolError,
    RequestError,
    TimeoutException,
)

__all__ = ["is_of_connecting", "is_of_name", "is_of_tls", "os_error"]

# How the host begins when a server is there, but no TLS comes about.
_TLS = "the connection could not be made: "


def is_of_name(exc: RequestError) -> bool:
    """Whether the server's name has no address."""
    return exc._kind == "resolve"


def is_of_tls(exc: RequestError) -> bool:
    """Whether it failed because of the server's certificate, or of TLS."""
    return isinstance(exc, ConnectError) and str(exc).startswith(_TLS)


def is_of_connecting(exc: BaseException) -> bool:
    """Whether an exception of `os_error` says that there is no connection."""
    return isinstance(exc.__cause__, (AccessDenied, ConnectError))


def os_error(exc: RequestError, has_begun: bool) -> Exception:
    """The exception that a socket, or `http.client`, raises for it.

    has_begun: the head of the response was read.
    """
    text = str(exc)
    if isinstance(exc, AccessDenied):
        return PermissionError(text)
    if is_of_name(exc):
        return socket.gaierror(socket.EAI_NONAME, text)
    if is_of_tls(exc):
        # Whoever catches this error has imported the module.
        name = "SSLCertVerificationError" if "certificate" in text else "SSLError"
        kind: type[OSError] = getattr(sys.modules.get("ssl"), name, OSError)
        return kind(text)
    if isinstance(exc, ConnectError):
        return ConnectionRefusedError(text) if "refused" in text else ConnectionError(text)
    if isinstance(exc, TimeoutException):
        return TimeoutError(text)
    if isinstance(exc, ProtocolError):
        return ConnectionResetError(text) if has_begun else RemoteDisconnected(text)
    if isinstance(exc, InvalidURL):
        return InvalidTarget(text)
    return OSError(text)
