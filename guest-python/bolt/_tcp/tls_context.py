"""`_SSLContext`: the settings of TLS, below `ssl.SSLContext` of the standard library.

It keeps what it is told, and refuses what the host cannot do. What makes TLS only stricter than it
was asked for is accepted: the host's TLS has neither old versions nor weak ciphers. It has no
`keylog_filename`, because `ssl` would then read a variable, also in a build, and keys stay outside.
"""

from __future__ import annotations

import base64
import os
import re
from typing import Any, NoReturn

from .tls_errors import tls_error
from .tls_options import VERSIONS, TlsOptions
from .tls_socket import TlsSocket

__all__ = ["TlsContext"]

_NONE, _OPTIONAL, _REQUIRED = 0, 1, 2
_CLIENT, _SERVER = 16, 17
# VERIFY_X509_TRUSTED_FIRST, and those of lists of revoked certificates.
_TRUSTED_FIRST, _REVOKED = 0x8000, 0x4 | 0x8
_LOWEST, _HIGHEST = -2, -1
_NEVER_CHECK_SUBJECT = 0x20
# OP_ALL, OP_NO_SSLv3, OP_NO_COMPRESSION, OP_CIPHER_SERVER_PREFERENCE, OP_ENABLE_MIDDLEBOX_COMPAT.
_USUAL = 0x80000050 | 0x2000000 | 0x20000 | 0x400000 | 0x100000
# OP_NO_TLSv1 and so on, by the version that each forbids.
_FORBIDS = {0x4000000: 0x301, 0x10000000: 0x302, 0x8000000: 0x303, 0x20000000: 0x304}
_PEM = re.compile("-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


class TlsContext:
    """The settings of TLS for connections."""

    sni_callback: Any = None
    post_handshake_auth = False
    num_tickets = 2
    security_level = 2
    _msg_callback: Any = None

    _protocol: int
    _verify_mode: int
    _check_hostname: bool
    _flags: int
    _options: int
    _lowest: int
    _highest: int
    _host_flags: int
    _roots: bool
    _authorities: dict[bytes, None]
    _alpn: list[str]

    def __new__(cls, protocol: int, *args: Any) -> TlsContext:
        self: Any = super().__new__(cls)
        is_client = protocol == _CLIENT
        self._protocol = int(protocol)
        self._verify_mode = _REQUIRED if is_client else _NONE
        self._check_hostname = is_client
        self._flags = _TRUSTED_FIRST
        self._options = _USUAL
        self._lowest, self._highest = _LOWEST, _HIGHEST
        self._host_flags = _NEVER_CHECK_SUBJECT
        self._roots = False
        # As a dict, which keeps their order.
        self._authorities = {}
        self._alpn = []
        return self  # type: ignore[no-any-return]

    @property
    def protocol(self) -> int:
        return self._protocol

    @property
    def options(self) -> int:
        return self._options

    @options.setter
    def options(self, value: int) -> None:
        self._options = int(value)

    @property
    def check_hostname(self) -> bool:
        return self._check_hostname

    @check_hostname.setter
    def check_hostname(self, value: object) -> None:
        self._check_hostname = bool(value)
        if value and self._verify_mode == _NONE:
            self._verify_mode = _REQUIRED

    @property
    def verify_mode(self) -> int:
        return self._verify_mode

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        if value not in (_NONE, _OPTIONAL, _REQUIRED):
            raise ValueError("invalid value for verify_mode")
        if value == _NONE and self._check_hostname:
            raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
        self._verify_mode = int(value)

    @property
    def verify_flags(self) -> int:
        return self._flags

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        if int(value) & _REVOKED:
            raise NotImplementedError("lists of revoked certificates are not supported")
        self._flags = int(value)

    @property
    def minimum_version(self) -> int:
        return self._lowest

    @minimum_version.setter
    def minimum_version(self, value: int) -> None:
        self._lowest = self._version(value)

    @property
    def maximum_version(self) -> int:
        return self._highest

    @maximum_version.setter
    def maximum_version(self, value: int) -> None:
        self._highest = self._version(value)

    def _version(self, value: int) -> int:
        if value not in (_LOWEST, _HIGHEST, 0x300, *VERSIONS.values()):
            raise ValueError(f"Unsupported TLS/SSL version {int(value):#x}")
        return int(value)

    # Certificates.

    def load_verify_locations(
        self, cafile: Any = None, capath: Any = None, cadata: Any = None
    ) -> None:
        """Trust the certificates of a file, a folder, or a text (PEM) or bytes (DER)."""
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        if cafile is not None:
            with open(cafile, "rb") as file:
                self._trust(_in_text(file.read().decode("latin-1")))
        if capath is not None:
            found = []
            for name in sorted(os.listdir(capath)):
                path = os.path.join(os.fsdecode(capath), os.fsdecode(name))
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        found += _in_text(file.read().decode("latin-1"))
            self._authorities.update(dict.fromkeys(found))
        if cadata is not None:
            self._trust(_in_text(cadata) if isinstance(cadata, str) else _in_bytes(bytes(cadata)))

    def _trust(self, found: list[bytes]) -> None:
        if not found:
            raise tls_error("there is no certificate to load")
        self._authorities.update(dict.fromkeys(found))

    def set_default_verify_paths(self) -> None:
        """Trust the roots of the host."""
        self._roots = True

    def cert_store_stats(self) -> dict[str, int]:
        """How many certificates were loaded. Those of the host are not counted."""
        return {"x509": len(self._authorities), "crl": 0, "x509_ca": len(self._authorities)}

    def get_ca_certs(self, binary_form: bool = False) -> list[Any]:
        """The certificates that were loaded, without those of the host."""
        if not binary_form:
            raise NotImplementedError("certificates are not decoded: ask with binary_form=True")
        return list(self._authorities)

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> NoReturn:
        raise NotImplementedError(
            "certificates of clients are not supported: the host has the TLS, and no keys of apps"
        )

    # The rest of the settings.

    def set_ciphers(self, ciphers: str) -> None:
        """Ignore it: the host has no weak ones."""
        if not isinstance(ciphers, str) or not ciphers:
            raise tls_error("No cipher can be selected.")

    def get_ciphers(self) -> list[Any]:
        return []

    def _set_alpn_protocols(self, wire: Any) -> None:
        found, rest = [], bytes(wire)
        while rest:
            size = rest[0] + 1
            found.append(rest[1:size].decode("ascii"))
            rest = rest[size:]
        self._alpn = found

    def session_stats(self) -> dict[str, int]:
        return {}

    def set_ecdh_curve(self, name: str) -> None:
        """Ignore it: the host has no weak ones."""

    def _server(self, *args: Any) -> NoReturn:
        raise NotImplementedError("TLS of a server is not in the sandbox: nothing can listen")

    load_dh_params = set_psk_server_callback = _server

    def set_psk_client_callback(self, callback: Any) -> NoReturn:
        raise NotImplementedError("shared keys (PSK) are not supported")

    # Connections.

    def tls_options(self, server_name: str | None) -> TlsOptions:
        """What the host is told about a connection with these settings."""
        lowest = max(VERSIONS.values()) if self._lowest == _HIGHEST else self._lowest
        highest = min(VERSIONS.values()) if self._highest == _LOWEST else self._highest
        forbidden = [number for flag, number in _FORBIDS.items() if self._options & flag]
        return TlsOptions(
            server_name or "",
            self._verify_mode != _NONE,
            self._check_hostname,
            self._roots,
            "".join(map(_as_text, self._authorities)),
            self._alpn,
            [
                number
                for number in VERSIONS.values()
                if lowest <= number
                and (highest == _HIGHEST or number <= highest)
                and number not in forbidden
            ],
        )

    def _wrap_socket(
        self,
        sock: Any,
        server_side: bool,
        server_hostname: str | None = None,
        *,
        owner: Any = None,
        session: Any = None,
    ) -> TlsSocket:
        if server_side:
            self._server()
        return TlsSocket(self, sock, server_hostname)

    def _wrap_bio(self, *args: Any, **named: Any) -> NoReturn:
        raise NotImplementedError(
            "the host has the TLS of the sandbox, which is on connections and not in memory "
            "(MemoryBIO, SSLObject): wrap a socket, or use start_tls of asyncio"
        )


def _in_text(text: str) -> list[bytes]:
    """The certificates in a text (PEM), as DER."""
    try:
        return [base64.b64decode(found[1]) for found in _PEM.finditer(text)]
    except ValueError:
        raise tls_error("a certificate in this text is broken") from None


def _in_bytes(data: bytes) -> list[bytes]:
    """The certificates in bytes: DER, one after the other, or PEM."""
    if b"-----BEGIN" in data:
        return _in_text(data.decode("latin-1"))
    found = []
    while data:
        size = _der_size(data)
        found.append(data[:size])
        data = data[size:]
    return found


def _as_text(certificate: bytes) -> str:
    text = base64.encodebytes(certificate).decode("ascii")
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


def _der_size(data: bytes) -> int:
    """The size of the sequence at the beginning of DER."""
    if len(data) < 6 or data[0] != 0x30:
        raise tls_error("these bytes are no certificate")
    count = data[1] & 0x7F
    size = 2 + data[1] if data[1] < 0x80 else 2 + count + int.from_bytes(data[2 : 2 + count], "big")
    if size > len(data):
        raise tls_error("these bytes are no certificate")
    return size
