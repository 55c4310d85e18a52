"""`TlsOptions`: what the host is told about TLS on a connection, and what is checked afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from .connection import Connection
from .tls_errors import certificate_error, tls_error

__all__ = ["VERSIONS", "TlsOptions"]

VERSIONS = {"TLSv1": 0x301, "TLSv1.1": 0x302, "TLSv1.2": 0x303, "TLSv1.3": 0x304}
"""The numbers of versions."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How TLS is begun. What is not given is the strictest.

    server_name: which certificate the server shall show, or "".
    roots: the roots of the host are trusted.
    authorities: certificates that are trusted as well, PEM.
    protocols: for ALPN.
    versions: those that are accepted. The host and the server agree on one of them, or on another.
    """

    server_name: str = ""
    verify: bool = True
    check_name: bool = True
    roots: bool = True
    authorities: str = ""
    protocols: Sequence[str] = ()
    versions: Sequence[int] = ()

    def begin(self, connection: Connection) -> None:
        """Begin TLS. Raises SSLError for what cannot succeed."""
        if self.verify and not self.roots and not self.authorities:
            raise certificate_error("no certificate is trusted: none was loaded")
        told = {
            "server_name": self.server_name,
            "verify": self.verify,
            "check_name": self.check_name,
            "roots": self.roots,
            "ca": self.authorities or None,
            "alpn": list(self.protocols),
        }
        connection.start_tls(json.dumps(told))

    def check(self, connection: Connection) -> None:
        """Close a connection whose version of TLS is not accepted. Raises SSLError."""
        if self.versions and VERSIONS.get(connection.version) not in self.versions:
            version = connection.version
            connection.close()
            raise tls_error(f"the server speaks {version}, which this context does not accept")
