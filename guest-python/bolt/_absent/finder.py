"""`AbsentFinder`: finds stand-ins for modules that packages import without needing them.

rich imports `mmap` for an annotation, networkx `bz2` for a table of formats, sympy `ctypes` for the
size of a number, werkzeug and hypercorn `multiprocessing` for servers that nobody starts. What can
be used works, and the rest raises an OSError that says so. Every other missing module stays an
ImportError: packages catch that one, and then do without it.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ["STAND_INS", "AbsentFinder", "install_absent"]

# A module, the one here that has its names, and the compiled module with which it would be there.
STAND_INS = {
    "_bz2": ("bz2_below", "_bz2"),
    "_multiprocessing": ("multiprocessing_below", "_multiprocessing"),
    "ctypes": ("ctypes_types", "_ctypes"),
    "ctypes.util": ("ctypes_util", "_ctypes"),
    "mmap": ("mmap_file", "mmap"),
}
_PACKAGES = frozenset({"ctypes"})


def install_absent() -> None:
    """From now on the stand-ins are found. Before other finders: `ctypes` has a part in Python."""
    finder: Any = AbsentFinder()
    sys.meta_path.insert(0, finder)


class AbsentFinder:
    """A finder and loader of the stand-ins."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """As a finder: the spec of a stand-in, unless the module itself is there."""
        if name not in STAND_INS:
            return None
        below = STAND_INS[name][1]
        if below in sys.builtin_module_names or PathFinder.find_spec(below) is not None:
            return None
        loader: Any = self
        return ModuleSpec(name, loader, is_package=name in _PACKAGES)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As a loader: use the default module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """As a loader: fill it."""
        source = importlib.import_module(f"{__package__}.{STAND_INS[module.__name__][0]}")
        module.__doc__ = source.__doc__
        module.__dict__.update({name: getattr(source, name) for name in source.__all__})
