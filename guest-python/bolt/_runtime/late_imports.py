"""`LateImporter`: imports modules at run time, when a handler imports what was not imported before.

It is a finder in `sys.meta_path`. It holds source and compiled code in memory, compressed, of what
has no file at run time.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

from .._absent.module_lists import note_module

__all__ = ["LateImporter", "forget_folders"]

_STANDARD = "/python"
# Large packages that are of no use in a sandbox.
_NEVER = frozenset(
    {
        "__phello__",
        "ensurepip",
        "idlelib",
        "lib",
        "pydoc_data",
        "site-packages",
        "test",
        "tkinter",
        "turtledemo",
        "venv",
    }
)
_FAST = 3


@dataclass(frozen=True, slots=True)
class _Module:
    """A module that was not imported yet.

    code: its source or its marshalled code, compressed; None if its file is there at run time.
    """

    file: str
    code: bytes | None
    compiled: bool
    package: bool

    def read(self) -> bytes:
        """Its source or its marshalled code."""
        if self.code is not None:
            return zlib.decompress(self.code)
        with open(self.file, "rb") as file:
            return file.read()


class LateImporter:
    """A finder and loader for modules in memory."""

    def __init__(self) -> None:
        self._modules: dict[str, _Module] = {}

    def add_standard(self, *, compiled: bool) -> None:
        """Add the standard library. Compiled code is larger and slower to add, faster to import."""
        self._add(_STANDARD, compiled)

    def add_folder(self, folder: str) -> None:
        """Add the source of every module in a folder."""
        self._add(folder, False)

    def add_app(self, folder: str) -> None:
        """Add the modules of an app. A component that has other files has those of its modules too.

        In memory, the modules of large packages would take tens of megabytes.
        """
        has_files = any(
            not name.endswith(".py") for _, _, names in os.walk(folder) for name in names
        )
        self._add(folder, False, in_memory=not has_files)

    def add_modules(self, names: Iterable[str], folder: str) -> None:
        """Add the compiled code of modules below a folder, as far as they have Python source."""
        for name in names:
            start = f"{folder.rstrip('/')}/{name.replace('.', '/')}"
            for path, package in ((f"{start}/__init__.py", True), (f"{start}.py", False)):
                if os.path.isfile(path):
                    self._keep(name, path, True, package)
                    break

    def install(self) -> None:
        """Insert it into `sys.meta_path` before the finder of files."""
        finder: Any = self
        sys.meta_path.insert(sys.meta_path.index(PathFinder), finder)

    def _add(self, folder: str, compiled: bool, in_memory: bool = True) -> None:
        for path in _sources(folder):
            parts = path[len(folder) + 1 : -len(".py")].split("/")
            package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if package else parts)
            if any("." in part for part in parts):
                continue
            if folder != _STANDARD and name:
                note_module(path, self)
            if name in sys.modules:
                continue
            if in_memory:
                self._keep(name, path, compiled, package)
            else:
                self._modules[name] = _Module(path, None, False, package)

    def _keep(self, name: str, path: str, compiled: bool, package: bool) -> None:
        with open(path, "rb") as file:
            code = file.read()
        if compiled:
            code = marshal.dumps(compile(code, path, "exec", dont_inherit=True))
        self._modules[name] = _Module(path, zlib.compress(code, _FAST), compiled, package)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """As a finder: the spec of a module."""
        module = self._modules.get(name)
        loader: Any = self
        if module is None:
            # A folder without `__init__.py` is a namespace package.
            if not any(other.startswith(name + ".") for other in self._modules):
                return None
            return ModuleSpec(name, None, is_package=True)
        spec = ModuleSpec(name, loader, origin=module.file, is_package=module.package)
        spec.has_location = True
        if module.package:
            spec.submodule_search_locations = [module.file.rpartition("/")[0]]
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As a loader: use the default module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """As a loader: execute the code of a module."""
        code = self.get_code(module.__name__)
        if code is None:
            raise ImportError(f"no module named {module.__name__!r}", name=module.__name__)
        exec(code, module.__dict__)

    def get_resource_reader(self, name: str) -> Any:
        """Has the other files of a package, such as time zones, for `importlib.resources`."""
        module = self._modules.get(name)
        if module is None or not module.package:
            return None
        # Late: few apps read such files.
        from importlib.readers import FileReader

        loader: Any = SimpleNamespace(path=module.file)
        return FileReader(loader)

    def get_code(self, name: str) -> CodeType | None:
        """The code of a module."""
        module = self._modules.get(name)
        if module is None:
            return None
        text = module.read()
        if module.compiled:
            code: CodeType = marshal.loads(text)
            return code
        return compile(text, module.file, "exec", dont_inherit=True)

    def get_source(self, name: str) -> str | None:
        """The source of a module, for the lines in tracebacks."""
        module = self._modules.get(name)
        if module is None or module.compiled:
            return None
        return importlib.util.decode_source(module.read())


def forget_folders() -> None:
    """Forget the folders that modules came from, once nothing can be read from them any more.

    The finder of each package lists its folder again when a module is not in memory. That raises an
    OSError, and an import of what is not there has to raise ImportError.
    """
    for place in {*sys.path, *sys.path_importer_cache}:
        sys.path_importer_cache[place] = None


def _sources(folder: str) -> Iterator[str]:
    """The Python files below a folder, without those that the host ignores: hidden or generated."""
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", "__pycache__", "node_modules"))
            and not (folder == _STANDARD and name in _NEVER)
            and not os.path.exists(f"{place}/{name}/pyvenv.cfg")
        ]
        for name in files:
            if name.endswith(".py"):
                yield f"{place}/{name}"
