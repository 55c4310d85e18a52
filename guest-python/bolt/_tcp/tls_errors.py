"""The exceptions of TLS, which the module `ssl` takes over."""

from __future__ import annotations

__all__ = [
    "SSLCertVerificationError",
    "SSLEOFError",
    "SSLError",
    "SSLSyscallError",
    "SSLWantReadError",
    "SSLWantWriteError",
    "SSLZeroReturnError",
    "certificate_error",
    "tls_error",
]


class SSLError(OSError):
    """TLS could not be begun, or was broken off."""

    library: str | None = None
    reason: str | None = None

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

    # No method sets them: programs derive classes from this one and others.
    verify_code = 1
    verify_message = ""


def tls_error(message: str) -> SSLError:
    """The exception for TLS that failed."""
    made = SSLError(1, message)
    made.library, made.reason = "SSL", message
    return made


def certificate_error(message: str) -> SSLCertVerificationError:
    """The exception for a certificate that is not trusted."""
    made = SSLCertVerificationError(1, message)
    made.library, made.reason = "SSL", "CERTIFICATE_VERIFY_FAILED"
    made.verify_message = message
    return made


for _name in __all__:
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = "ssl"
