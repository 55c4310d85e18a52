"""The modules of packages that a runner imports once, before it loads an app again and again."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["import_early", "imported_modules"]


def import_early(modules: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Import modules, and return those that cannot be imported without the app.

    modules: in the order in which the app imported them.
    variables: the environment meanwhile.
    """
    before = dict(os.environ)
    os.environ.update(variables)
    failed = []
    try:
        for name in modules:
            try:
                importlib.import_module(name)
            # Whatever it needs, such as settings, comes with the app.
            except BaseException:
                failed.append(name)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return failed


def imported_modules(folder: str) -> Iterator[tuple[str, str]]:
    """The modules that were imported from below a folder, with their files, in their order."""
    start = folder.rstrip("/") + "/"
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        # Not `__main__`, and none that stands in `sys.modules` under another name.
        if isinstance(file, str) and file.startswith(start):
            spec = getattr(module, "__spec__", None)
            if getattr(spec, "name", None) == name:
                yield name, file.removeprefix(start)
