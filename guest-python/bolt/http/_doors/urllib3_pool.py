"""The door of urllib3's pools, which know more of a request than its connection does.

A pool tells its connection the connect timeout, sends the request, and then the read timeout. The
host begins to wait for the response when it has the request, so the read timeout is known before.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import ModuleType
from typing import Any

__all__ = ["open_door", "read_timeout"]

# Of the request that a pool is making.
read_timeout: ContextVar[float | None] = ContextVar("bolt_read_timeout")


def open_door(connectionpool: ModuleType) -> None:
    """Change `urllib3.connectionpool`."""
    module: Any = connectionpool
    real = module.HTTPConnectionPool._make_request

    def _make_request(self: Any, *args: Any, **named: Any) -> Any:
        timeout = self._get_timeout(named.get("timeout", self.timeout))
        # It is a copy; without a start it has no rest of a total.
        timeout.start_connect()
        before = read_timeout.set(timeout.read_timeout)
        try:
            return real(self, *args, **named)
        finally:
            read_timeout.reset(before)

    module.HTTPConnectionPool._make_request = _make_request
    # A wire can always be used again.
    module.is_connection_dropped = lambda connection: connection.sock is None
