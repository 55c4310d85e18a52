"""The door of httpx: the transports that its clients make for themselves go through the host."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .tls_options import check_authorities, refuse
from .wire import PROXY

__all__ = ["open_door"]


def open_door(httpx: ModuleType) -> None:
    """Change the transports of `httpx`, which is completely imported."""
    from .._transport import HTTPXTransport

    module: Any = httpx
    plain, asynchronous = module.HTTPTransport, module.AsyncHTTPTransport
    plain.handle_request = HTTPXTransport.handle_request
    asynchronous.handle_async_request = HTTPXTransport.handle_async_request
    for kind, base in ((plain, module.BaseTransport), (asynchronous, module.AsyncBaseTransport)):
        kind.__init__ = _begin
        # A transport has no connections of its own to open and close.
        for name in ("__enter__", "__exit__", "close", "__aenter__", "__aexit__", "aclose"):
            if hasattr(base, name):
                setattr(kind, name, getattr(base, name))


def _begin(
    self: Any,
    verify: Any = True,
    cert: Any = None,
    trust_env: bool = True,
    http1: bool = True,
    http2: bool = False,
    limits: Any = None,
    proxy: Any = None,
    uds: str | None = None,
    local_address: str | None = None,
    retries: int = 0,
    socket_options: Any = None,
) -> None:
    """Check the options. Those of connections are the host's, and are ignored."""
    check_authorities("verify", verify)
    refuse("client certificate", "cert", cert)
    if proxy is not None:
        raise ValueError(f"{PROXY}: leave proxy out, and the variables that name one")
    if uds is not None:
        raise ValueError("the host connects to no sockets of a file system: leave uds out")
    if local_address is not None:
        raise ValueError("the host chooses the address of a connection: leave local_address out")
    if not http1:
        raise ValueError("the host sends requests with HTTP/1.1: leave http1=False out")
