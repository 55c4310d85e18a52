"""The door of urllib3: its pools hold connections to the host, and raise their own exceptions."""

from __future__ import annotations

import importlib
import socket
from types import ModuleType
from typing import Any

from .._errors import AccessDenied, ConnectError, RequestError
from .errors import is_of_name, is_of_tls, os_error
from .tls_options import check_authorities, refuse
from .urllib3_pool import read_timeout
from .wire import PROXY, Wire

__all__ = ["open_door"]

# The number of TLS 1.2, the least version that the host accepts.
_TLS_1_2 = 0x0303
_OPTIONS = (
    "cert_reqs",
    "assert_hostname",
    "assert_fingerprint",
    "server_hostname",
    "ssl_context",
    "ca_certs",
    "ca_cert_dir",
    "ca_cert_data",
    "ssl_minimum_version",
    "ssl_maximum_version",
    "ssl_version",
    "cert_file",
    "key_file",
    "key_password",
)
_REFUSED = {
    "client certificate": ("cert_file", "key_file"),
    "certificates of authorities": ("ca_cert_dir", "ca_cert_data"),
    "fingerprint of a certificate": ("assert_fingerprint",),
}


def open_door(connection: ModuleType) -> None:
    """Change `urllib3.connection`."""
    module: Any = connection
    plain: Any = module.HTTPConnection
    if not issubclass(module.HTTPSConnection, plain):
        # Without the module `ssl` there is only a placeholder.
        module.HTTPSConnection = module.VerifiedHTTPSConnection = _https(plain)
    plain._new_conn = _new_conn
    if hasattr(plain, "is_connected"):
        # A wire has nothing to poll.
        plain.is_connected = property(lambda self: self.sock is not None)
    module.HTTPSConnection.connect = _connect_with_tls


class _PoolWire(Wire):
    """A wire whose requests have the read timeout of their pool."""

    def gettimeout(self) -> float | None:
        seconds = read_timeout.get(super().gettimeout())
        # An object stands for the default.
        is_given = seconds is None or isinstance(seconds, (int, float))
        return seconds if is_given else socket.getdefaulttimeout()


def _new_conn(self: Any) -> Wire:
    return _wire(self, "http")


def _connect_with_tls(self: Any) -> None:
    """Make the connection. The host connects, and speaks TLS, when it gets a request."""
    # Older versions have fewer options.
    options = {name: getattr(self, name, None) for name in _OPTIONS}
    check_authorities("ca_certs", options["ca_certs"])
    for what, names in _REFUSED.items():
        for name in names:
            refuse(what, name, options[name])
    for name in ("assert_hostname", "server_hostname"):
        other = options[name]
        refuse("other name of the server", name, other and other != self.host)
    least = options["ssl_minimum_version"]
    refuse("version of TLS", "ssl_minimum_version", least is not None and least > _TLS_1_2)
    self.sock = _wire(self, "https")
    # Otherwise the pool warns that nobody verifies the server.
    self.is_verified = True


def _wire(connection: Any, scheme: str) -> Wire:
    if connection.proxy or connection._tunnel_host:
        raise OSError(PROXY)
    if connection.source_address:
        raise ValueError("the host chooses the address of a connection: leave source_address out")

    def raised(exc: RequestError, has_begun: bool) -> Exception:
        return _raised(connection, exc, has_begun)

    return _PoolWire(scheme, connection.host, connection.port, connection.timeout, raised)


def _raised(connection: Any, exc: RequestError, has_begun: bool) -> Exception:
    if has_begun or not isinstance(exc, (AccessDenied, ConnectError)):
        return os_error(exc, has_begun)
    # Not an import statement: mypy must not depend on whether urllib3 is installed.
    exceptions: Any = importlib.import_module("urllib3.exceptions")
    found: Exception
    if is_of_tls(exc):
        found = exceptions.SSLError(str(exc))
    elif is_of_name(exc) and hasattr(exceptions, "NameResolutionError"):
        reason = socket.gaierror(socket.EAI_NONAME, str(exc))
        found = exceptions.NameResolutionError(connection.host, connection, reason)
    else:
        text = f"Failed to establish a new connection: {exc}"
        found = exceptions.NewConnectionError(connection, text)
    return found


def _https(plain: Any) -> Any:
    """The class for https, which keeps its options as attributes."""
    options = dict.fromkeys(_OPTIONS)

    def begin(self: Any, host: str, port: int | None = None, **named: Any) -> None:
        own = {name: named.pop(name, None) for name in options}
        plain.__init__(self, host, port, **named)
        vars(self).update(own)

    def set_cert(self: Any, **named: Any) -> None:
        vars(self).update(named)

    members = {"default_port": 443, "__init__": begin, "set_cert": set_cert, **options}
    return type("HTTPSConnection", (plain,), {"__module__": plain.__module__, **members})
