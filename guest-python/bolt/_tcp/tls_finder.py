"""`TlsFinder`: finds a `_ssl` for the module `ssl` of the standard library.

The sandbox has the Python part of `ssl`, which is what programs see, and no OpenSSL below it. What
is here is loaded when a program imports `ssl`.
"""

from __future__ import annotations

import importlib
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["TlsFinder"]


class TlsFinder:
    """A finder and loader of one module."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """As a finder: the spec of `_ssl`."""
        loader: Any = self
        return ModuleSpec(name, loader) if name == "_ssl" else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As a loader: use the default module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """As a loader: fill it."""
        for source in ("bolt._tcp.tls_module", "bolt._tcp.tls_errors"):
            below = importlib.import_module(source)
            module.__dict__.update({name: getattr(below, name) for name in below.__all__})
