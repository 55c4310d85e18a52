"""`DoorFinder`: changes modules that need what the sandbox lacks as soon as they are imported.

A door is a module of this package, of `bolt._threads` or of `bolt._absent`. It replaces the
functions of an HTTP client that open a connection with ones that go through the host, and functions
that start threads or processes with ones that call functions in place, or refuse. An app binds
names while it is imported (`from http.client import HTTPSConnection`), and a handler may be the
first to import a client, so a door is opened right after its module has run, in whichever import
that is. An app that imports no such module pays for none of them.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["DOORS", "DoorFinder", "install_doors"]

_THREADS = "bolt._threads"
_ABSENT = "bolt._absent"

# The modules of clients and of what starts threads, and the door of each.
DOORS = {
    "http.client": "http_client",
    "urllib.request": "urllib_request",
    "urllib3.connection": "urllib3",
    "urllib3.connectionpool": "urllib3_pool",
    "urllib3.util.wait": "urllib3_wait",
    "requests.adapters": "requests",
    "httpx": "httpx",
    "concurrent.futures.process": f"{_THREADS}.processes",
    "concurrent.futures.thread": f"{_THREADS}.futures",
    "logging.handlers": f"{_THREADS}.queue_listener",
    "multiprocessing.pool": f"{_THREADS}.thread_pool",
    "multiprocessing.process": f"{_THREADS}.processes",
    "hashlib": f"{_ABSENT}.key_derivation",
    "pkgutil": f"{_ABSENT}.module_lists",
    "tempfile": f"{_ABSENT}.temporary_files",
    "anyio.to_thread": f"{_THREADS}.anyio_to_thread",
    "anyio.from_thread": f"{_THREADS}.anyio_from_thread",
    "asgiref.sync": f"{_THREADS}.asgiref_sync",
}


def install_doors() -> None:
    """From now on doors are opened. Those of modules that are there are opened at once."""
    for name, door in DOORS.items():
        module = sys.modules.get(name)
        if module is not None:
            _open(door, module)
    finder: Any = DoorFinder()
    sys.meta_path.insert(0, finder)


def _open(door: str, module: ModuleType) -> None:
    name = door if "." in door else f"{__package__}.{door}"
    importlib.import_module(name).open_door(module)


class DoorFinder:
    """A finder that leaves the search to the others, and follows the import of what they find."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """As a finder: the spec of a module that has a door."""
        if name not in DOORS:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    loader: Any = _Loader(spec.loader, DOORS[name])
                    spec.loader = loader
                return spec
        return None


class _Loader:
    """The loader of a module, and then of its door."""

    def __init__(self, real: Any, door: str) -> None:
        self._real = real
        self._door = door

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._real.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module keeps the loader that it would have without a door.
        module.__loader__ = self._real
        if module.__spec__ is not None:
            module.__spec__.loader = self._real
        self._real.exec_module(module)
        _open(self._door, module)
