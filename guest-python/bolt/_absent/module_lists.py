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

MODULES: dict[str, dict[str, tuple[Any, bool]]] = {}
"""By folder: the modules in it by their names, who imports each, and whether it is a package."""


def note_module(path: str, finder: object) -> None:
    """Note that there is a module.

    path: of its file, which need not be there later. finder: imports it.
    """
    folder, _, file = path.rpartition("/")
    if file == "__init__.py":
        folder, _, name = folder.rpartition("/")
        MODULES.setdefault(folder, {})[name] = (finder, True)
    else:
        MODULES.setdefault(folder, {}).setdefault(file.removesuffix(".py"), (finder, False))


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
            there = MODULES.get(place.rstrip("/"), {})
            for name in sorted(there):
                if prefix + name not in names:
                    names.add(prefix + name)
                    finder, is_package = there[name]
                    yield pkgutil.ModuleInfo(finder, prefix + name, is_package)

    pkgutil.iter_modules = iter_modules
