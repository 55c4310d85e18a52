"""The door of urllib3's waits for a socket: botocore asks whether a server answers to `Expect`.

A wire takes whatever is written. It has nothing to read before the request is complete, and then
reading waits.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .wire import Wire

__all__ = ["open_door"]


def open_door(wait: ModuleType) -> None:
    """Change `urllib3.util.wait`."""
    module: Any = wait
    real = module.wait_for_socket

    def wait_for_socket(
        sock: Any, read: bool = False, write: bool = False, timeout: float | None = None
    ) -> bool:
        if isinstance(sock, Wire):
            return write or (read and sock.is_sent)
        try:
            return bool(real(sock, read, write, timeout))
        finally:
            # The real one puts another in its place when it is called first.
            module.wait_for_socket = wait_for_socket

    module.wait_for_socket = wait_for_socket
