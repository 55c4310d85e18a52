"""The names of `_ssl`, the module below `ssl` of the standard library, over the host's TLS.

The numbers are those of the protocol and of OpenSSL, which programs compare and combine.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

from .tls_context import TlsContext
from .tls_socket import TlsSocket

# urllib3 looks at the first word.
OPENSSL_VERSION = "OpenSSL 3.0.0 (its interface: the TLS is that of bolt-host)"
OPENSSL_VERSION_INFO = (3, 0, 0, 0, 0)
OPENSSL_VERSION_NUMBER = 0x30000000
_OPENSSL_API_VERSION = OPENSSL_VERSION_INFO
_DEFAULT_CIPHERS = "DEFAULT"

HAS_SNI = HAS_ECDH = HAS_ALPN = HAS_TLSv1_2 = HAS_TLSv1_3 = True
HAS_NPN = HAS_SSLv2 = HAS_SSLv3 = HAS_TLSv1 = HAS_TLSv1_1 = False
HAS_PSK = HAS_PHA = HAS_TLS_UNIQUE = HAS_PSK_TLS13 = False

CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = range(3)

PROTOCOL_SSLv23 = PROTOCOL_TLS = 2
PROTOCOL_TLSv1, PROTOCOL_TLSv1_1, PROTOCOL_TLSv1_2 = 3, 4, 5
PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = 16, 17

PROTO_MINIMUM_SUPPORTED, PROTO_MAXIMUM_SUPPORTED = -2, -1
PROTO_SSLv3, PROTO_TLSv1, PROTO_TLSv1_1, PROTO_TLSv1_2, PROTO_TLSv1_3 = range(0x300, 0x305)

OP_ALL = 0x80000050
OP_NO_SSLv2 = OP_SINGLE_DH_USE = OP_SINGLE_ECDH_USE = 0
OP_LEGACY_SERVER_CONNECT = 0x4
OP_ENABLE_KTLS = 0x8
OP_IGNORE_UNEXPECTED_EOF = 0x80
OP_NO_TICKET = 0x4000
OP_NO_COMPRESSION = 0x20000
OP_ENABLE_MIDDLEBOX_COMPAT = 0x100000
OP_CIPHER_SERVER_PREFERENCE = 0x400000
OP_NO_SSLv3 = 0x2000000
OP_NO_TLSv1 = 0x4000000
OP_NO_TLSv1_2 = 0x8000000
OP_NO_TLSv1_1 = 0x10000000
OP_NO_TLSv1_3 = 0x20000000
OP_NO_RENEGOTIATION = 0x40000000

VERIFY_DEFAULT = 0
VERIFY_CRL_CHECK_LEAF = 0x4
VERIFY_CRL_CHECK_CHAIN = 0xC
VERIFY_X509_STRICT = 0x20
VERIFY_ALLOW_PROXY_CERTS = 0x40
VERIFY_X509_TRUSTED_FIRST = 0x8000
VERIFY_X509_PARTIAL_CHAIN = 0x80000

HOSTFLAG_ALWAYS_CHECK_SUBJECT = 0x1
HOSTFLAG_NO_WILDCARDS = 0x2
HOSTFLAG_NO_PARTIAL_WILDCARDS = 0x4
HOSTFLAG_MULTI_LABEL_WILDCARDS = 0x8
HOSTFLAG_SINGLE_LABEL_SUBDOMAINS = 0x10
HOSTFLAG_NEVER_CHECK_SUBJECT = 0x20

SSL_ERROR_SSL, SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE = 1, 2, 3
SSL_ERROR_WANT_X509_LOOKUP, SSL_ERROR_SYSCALL, SSL_ERROR_ZERO_RETURN = 4, 5, 6
SSL_ERROR_WANT_CONNECT, SSL_ERROR_EOF, SSL_ERROR_INVALID_ERROR_CODE = 7, 8, 10

ENCODING_PEM, ENCODING_DER = 1, 2

# The alerts of TLS.
ALERT_DESCRIPTION_ACCESS_DENIED = 49
ALERT_DESCRIPTION_BAD_CERTIFICATE = 42
ALERT_DESCRIPTION_BAD_CERTIFICATE_HASH_VALUE = 114
ALERT_DESCRIPTION_BAD_CERTIFICATE_STATUS_RESPONSE = 113
ALERT_DESCRIPTION_BAD_RECORD_MAC = 20
ALERT_DESCRIPTION_CERTIFICATE_EXPIRED = 45
ALERT_DESCRIPTION_CERTIFICATE_REVOKED = 44
ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN = 46
ALERT_DESCRIPTION_CERTIFICATE_UNOBTAINABLE = 111
ALERT_DESCRIPTION_CLOSE_NOTIFY = 0
ALERT_DESCRIPTION_DECODE_ERROR = 50
ALERT_DESCRIPTION_DECOMPRESSION_FAILURE = 30
ALERT_DESCRIPTION_DECRYPT_ERROR = 51
ALERT_DESCRIPTION_HANDSHAKE_FAILURE = 40
ALERT_DESCRIPTION_ILLEGAL_PARAMETER = 47
ALERT_DESCRIPTION_INSUFFICIENT_SECURITY = 71
ALERT_DESCRIPTION_INTERNAL_ERROR = 80
ALERT_DESCRIPTION_NO_RENEGOTIATION = 100
ALERT_DESCRIPTION_PROTOCOL_VERSION = 70
ALERT_DESCRIPTION_RECORD_OVERFLOW = 22
ALERT_DESCRIPTION_UNEXPECTED_MESSAGE = 10
ALERT_DESCRIPTION_UNKNOWN_CA = 48
ALERT_DESCRIPTION_UNKNOWN_PSK_IDENTITY = 115
ALERT_DESCRIPTION_UNRECOGNIZED_NAME = 112
ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE = 43
ALERT_DESCRIPTION_UNSUPPORTED_EXTENSION = 110
ALERT_DESCRIPTION_USER_CANCELLED = 90

_OBJECTS = (
    (129, "serverAuth", "TLS Web Server Authentication", "1.3.6.1.5.5.7.3.1"),
    (130, "clientAuth", "TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2"),
)

_SSLContext = TlsContext
_SSLSocket = TlsSocket


class MemoryBIO:
    """TLS in memory, which the host does not have."""

    def __init__(self) -> None:
        raise NotImplementedError(
            "the host has the TLS of the sandbox, which is on connections and not in memory "
            "(MemoryBIO, SSLObject): wrap a socket, or use start_tls of asyncio"
        )


class SSLSession:
    """A session of TLS that goes on in another connection. The host keeps its own."""


class Certificate:
    """A certificate that was decoded. There is none."""


def txt2obj(text: str, name: bool = False) -> tuple[int, str, str, str]:
    """The purpose of a certificate: of a server or of a client."""
    for found in _OBJECTS:
        if text == found[3] or (name and text in found[1:3]):
            return found
    raise ValueError(f"unknown object {text!r}")


def nid2obj(number: int) -> tuple[int, str, str, str]:
    """As `txt2obj`, by number."""
    for found in _OBJECTS:
        if number == found[0]:
            return found
    raise ValueError(f"unknown NID {number}")


def get_default_verify_paths() -> tuple[str, str, str, str]:
    """Where OpenSSL would have its roots. Those of the host are in no file of the sandbox."""
    return ("SSL_CERT_FILE", "", "SSL_CERT_DIR", "")


def RAND_bytes(count: int) -> bytes:
    """Random bytes."""
    return os.urandom(count)


def RAND_pseudo_bytes(count: int) -> tuple[bytes, bool]:
    """Random bytes, as Python 3.11 asks for them."""
    return os.urandom(count), True


def RAND_add(data: Any, entropy: float) -> None:
    """Ignore it: the random numbers are those of the system."""


def RAND_status() -> bool:
    """Whether there are enough random numbers."""
    return True


def _test_decode_cert(path: str) -> NoReturn:
    raise NotImplementedError("certificates are not decoded")


# `ssl` imports them by name, and looks through those with a prefix. The exceptions are not here.
__all__ = [
    name
    for name in dir()
    if name not in ("Any", "NoReturn", "TlsContext", "TlsSocket", "annotations", "os", "name")
    and not name.startswith("__")
]
