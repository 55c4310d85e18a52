"""Typed route handlers for Python web apps that run inside bolt-host."""

from .app import BoltAPI
from .errors import HTTPException
from .responses import HTML, JSON, PlainText, Redirect, Response
from .struct import Struct
from .version import __version__

__all__ = [
    "HTML",
    "JSON",
    "BoltAPI",
    "HTTPException",
    "PlainText",
    "Redirect",
    "Response",
    "Struct",
    "__version__",
]
