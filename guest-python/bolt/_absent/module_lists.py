"""The door of `pkgutil`: `iter_modules` lists modules whose files are not there any more.

The modules of a built app are in memory. Django looks for tags and migrations in this way, and
other packages for plugins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

__all__ = ["MODULES", "note_module", "open_door"]

MODULES: dict[str, dict[str, bool]] = {}
"""By folder: the modules in it by their names, and whether each is a package."""


def note_module(path: str) -> None:
    """Note that there is a module. path: of its file, which need not be there later."""
    folder, _, file = path.rpartition("/")
    if file == "__init__.py":
        folder, _, name = folder.rpartition("/")
        MODULES.setdefault(folder, {})[name] = True
    else:
        MODULES.setdefault(folder, {}).setdefault(file.removesuffix(".py"), False)


def open_door(module: ModuleType) -> None:
    """Change `iter_modules`, on which `walk_packages` is built."""
    pkgutil: Any = module
    of_files = pkgutil.iter_modules

    def iter_modules(path: Iterable[str] | None = None, prefix: str = "") -> Iterator[Any]:
        places = sys.path if path is None else path
        # What is no iterable of folders is refused in CPython's words.
        found = list(of_files(path, prefix))
        yield from found
        names = {info.name for info in found}
        for place in map(os.fsdecode, places):
            for name, is_package in sorted(MODULES.get(place.rstrip("/"), {}).items()):
                if prefix + name not in names:
                    names.add(prefix + name)
                    yield pkgutil.ModuleInfo(_finder(), prefix + name, is_package)

    pkgutil.iter_modules = iter_modules


def _finder() -> Any:
    """Who imports them."""
    from .._runtime.late_imports import LateImporter

    return next((finder for finder in sys.meta_path if isinstance(finder, LateImporter)), None)
