"""Names of servers, which the host resolves when it connects: here they stand for themselves.

The operator grants names, so a connection has to be asked for by its name.
"""

from __future__ import annotations

import socket as standard
from typing import Any

__all__ = [
    "checked_port",
    "getaddrinfo",
    "gethostbyaddr",
    "gethostbyname",
    "gethostbyname_ex",
    "gethostname",
    "getnameinfo",
    "plain_name",
]

_own_name = standard.gethostname
# The sandbox has no table of services.
_SERVICES = {
    "amqp": 5672,
    "ftp": 21,
    "http": 80,
    "https": 443,
    "imap": 143,
    "imaps": 993,
    "ldap": 389,
    "mysql": 3306,
    "pop3": 110,
    "pop3s": 995,
    "postgresql": 5432,
    "smtp": 25,
    "smtps": 465,
    "submission": 587,
}


def plain_name(name: Any) -> str:
    """A name or an address as the host takes it. Raises TypeError."""
    if isinstance(name, (bytes, bytearray)):
        name = name.decode("ascii")
    if not isinstance(name, str):
        raise TypeError(f"str, bytes or bytearray expected, not {type(name).__name__}")
    return name if name.isascii() else name.encode("idna").decode("ascii")


def checked_port(port: Any) -> int:
    """A port. Raises TypeError or OverflowError."""
    if not isinstance(port, int):
        raise TypeError(f"a port is an int, not {type(port).__name__}")
    if not 0 <= port <= 65535:
        raise OverflowError("connect(): port must be 0-65535.")
    return int(port)


def _port(service: Any) -> int:
    if service is None:
        return 0
    if isinstance(service, (bytes, bytearray)):
        service = service.decode("ascii")
    if isinstance(service, str) and not service.isdecimal():
        if service not in _SERVICES:
            raise standard.gaierror(standard.EAI_SERVICE, f"no port of {service!r} is known")
        return _SERVICES[service]
    return int(service)


def _is_address(name: str, family: int) -> bool:
    try:
        standard.inet_pton(family, name.partition("%")[0])
    except (OSError, ValueError):
        return False
    return True


def getaddrinfo(
    host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> list[Any]:
    """One entry, whose address has the name itself."""
    if type not in (0, standard.SOCK_STREAM):
        raise standard.gaierror(
            standard.EAI_SOCKTYPE, "the sockets of the sandbox connect over TCP, and nothing else"
        )
    number = _port(port)
    name = ("::1" if family == standard.AF_INET6 else "127.0.0.1") if not host else plain_name(host)
    is_v4, is_v6 = (_is_address(name, each) for each in (standard.AF_INET, standard.AF_INET6))
    if (is_v6 and family == standard.AF_INET) or (is_v4 and family == standard.AF_INET6):
        raise standard.gaierror(standard.EAI_NONAME, f"{name} is of another family")
    if flags & standard.AI_NUMERICHOST and not is_v4 and not is_v6:
        raise standard.gaierror(standard.EAI_NONAME, f"{name!r} is not an address")
    canonical = name if flags & standard.AI_CANONNAME else ""
    six = is_v6 or family == standard.AF_INET6
    found = standard.AF_INET6 if six else standard.AF_INET
    address = (name, number, 0, 0) if six else (name, number)
    return [(found, standard.SOCK_STREAM, proto or standard.IPPROTO_TCP, canonical, address)]


def gethostname() -> str:
    """The name of this machine."""
    try:
        return _own_name() or "localhost"
    except OSError:
        return "localhost"


def gethostbyname(name: Any) -> str:
    """The name itself, but the address of this machine."""
    plain = plain_name(name)
    return "127.0.0.1" if plain in ("localhost", gethostname()) else plain


def gethostbyname_ex(name: Any) -> tuple[str, list[str], list[str]]:
    """As `gethostbyname`, in a list."""
    return plain_name(name), [], [gethostbyname(name)]


def gethostbyaddr(address: Any) -> tuple[str, list[str], list[str]]:
    """The address itself: nothing is looked up."""
    return plain_name(address), [], [plain_name(address)]


def getnameinfo(address: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """The address itself: nothing is looked up."""
    return plain_name(address[0]), str(address[1])
