"""The door of `urllib.request`, which makes its connections with `http.client`.

A connection of the host fails after the request was written, where `urllib.request` expects the
response. It promises a URLError when there is no connection.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .errors import is_of_connecting

__all__ = ["open_door"]


def open_door(request: ModuleType) -> None:
    """Change `urllib.request`."""
    module: Any = request
    real = module.AbstractHTTPHandler.do_open

    def do_open(self: Any, *args: Any, **named: Any) -> Any:
        try:
            return real(self, *args, **named)
        except OSError as exc:
            if is_of_connecting(exc):
                raise module.URLError(exc) from exc
            raise

    module.AbstractHTTPHandler.do_open = do_open
