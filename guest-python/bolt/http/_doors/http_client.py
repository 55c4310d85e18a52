"""The door of `http.client`: its connections end at the host.

Without the module `ssl`, `http.client` has no HTTPSConnection, and what imports it has no https.
The host speaks TLS, so there is one in any case.
"""

from __future__ import annotations

import socket
from types import ModuleType, SimpleNamespace
from typing import Any

from .errors import os_error
from .tls_options import refuse
from .wire import PROXY, Wire

__all__ = ["open_door"]


def open_door(client: ModuleType) -> None:
    """Change `http.client`."""
    module: Any = client
    module.HTTPConnection.connect = _connect
    if not hasattr(module, "HTTPSConnection"):
        module.HTTPSConnection = type(
            "HTTPSConnection",
            (module.HTTPConnection,),
            {"__module__": "http.client", "default_port": module.HTTPS_PORT},
        )
        module.__all__.append("HTTPSConnection")
    # `urllib.request` makes one for every opener, and sets its options. The connection ignores it.
    module._create_https_context = lambda http_version: SimpleNamespace()

    def begin(
        self: Any,
        host: str,
        port: int | None = None,
        *,
        timeout: Any = socket._GLOBAL_DEFAULT_TIMEOUT,  # type: ignore[attr-defined]
        source_address: Any = None,
        context: Any = None,
        blocksize: int = 8192,
        check_hostname: Any = None,
        key_file: Any = None,
        cert_file: Any = None,
    ) -> None:
        refuse("client certificate", "cert_file", cert_file or key_file)
        module.HTTPConnection.__init__(self, host, port, timeout, source_address, blocksize)
        self._context = context

    module.HTTPSConnection.__init__ = begin
    module.HTTPSConnection.connect = _connect_with_tls


def _connect(self: Any) -> None:
    """Make the connection. The host connects when it gets a request."""
    _open(self, "http")


def _connect_with_tls(self: Any) -> None:
    """Make the connection. The host connects, and speaks TLS, when it gets a request."""
    _open(self, "https")


def _open(connection: Any, scheme: str) -> None:
    if connection._tunnel_host:
        raise OSError(PROXY)
    if connection.source_address:
        raise ValueError("the host chooses the address of a connection: leave source_address out")
    timeout = connection.timeout
    if timeout is socket._GLOBAL_DEFAULT_TIMEOUT:  # type: ignore[attr-defined]
        timeout = socket.getdefaulttimeout()
    connection.sock = Wire(scheme, connection.host, connection.port, timeout, os_error)
