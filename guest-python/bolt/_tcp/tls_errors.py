"""The exceptions of TLS, which the module `ssl` takes over."""

from __future__ import annotations

from typing import Any

__all__ = [
    "SSLCertVerificationError",
    "SSLEOFError",
    "SSLError",
    "SSLSyscallError",
    "SSLWantReadError",
    "SSLWantWriteError",
    "SSLZeroReturnError",
]


class SSLError(OSError):
    """TLS could not be begun, or was broken off."""

    library: str | None = None
    reason: str | None = None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if len(args) > 1:
            self.library, self.reason = "SSL", str(args[1])

    def __str__(self) -> str:
        return self.strerror if isinstance(self.strerror, str) else str(self.args)


class SSLZeroReturnError(SSLError):
    """The server has ended TLS."""


class SSLWantReadError(SSLError):
    """A socket that does not block has to wait for the server."""


class SSLWantWriteError(SSLError):
    """A socket that does not block has to wait until there is room for what it sends."""


class SSLSyscallError(SSLError):
    """The connection failed below TLS. It is not raised here."""


class SSLEOFError(SSLError):
    """The connection was ended without an end of TLS. It is not raised here."""


class SSLCertVerificationError(SSLError, ValueError):
    """The certificate of the server is not trusted, or is for another name."""

    verify_code = 1
    verify_message = ""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.verify_message = str(self)


for _name in __all__:
    globals()[_name].__module__ = "ssl"
