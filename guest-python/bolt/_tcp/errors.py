"""The exceptions of connections, made of what the host says."""

from __future__ import annotations

import errno
import json
import os
from socket import EAI_NONAME, gaierror

from .tls_errors import certificate_error, tls_error

__all__ = ["failure", "system_error"]

# OSError makes an exception of its subclass out of most of these.
_NUMBERS = {
    "denied": errno.EACCES,
    "refused": errno.ECONNREFUSED,
    "unreachable": errno.EHOSTUNREACH,
    "timeout": errno.ETIMEDOUT,
    "reset": errno.ECONNRESET,
    "limit": errno.EMFILE,
    "closed": errno.ECONNABORTED,
}


def failure(told: str) -> OSError:
    """The exception for `{"kind", "message"}`."""
    found = json.loads(told)
    kind, message = found["kind"], found["message"]
    if kind == "name":
        return gaierror(EAI_NONAME, message)
    if kind == "tls":
        return tls_error(message)
    if kind == "certificate":
        return certificate_error(message)
    return OSError(_NUMBERS.get(kind, errno.EIO), message)


def system_error(number: int) -> OSError:
    """The exception for an error number, with the text of the system."""
    return OSError(number, os.strerror(number))
