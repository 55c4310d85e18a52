"""Writes an application with its overrides for the sandbox, which has no modules of tests."""

from __future__ import annotations

import ast
import datetime
import decimal
import enum
import functools
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

from .._app.application import BoltAPI
from .._struct.struct import Struct
from .errors import ServerError
from .modules import file_of, find_app, holders, is_for_tests, is_installed, root_of
from .slices import ModuleSlice

__all__ = ["arguments", "is_plain", "write_app"]

_WRAPPER = "bolt_under_test"
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))


def is_plain(app: BoltAPI) -> bool:
    """Whether the sandbox can import the application as it is."""
    module, _ = find_app(app)
    is_overridden = any(one.dependency_overrides for one in applications(app))
    return not is_overridden and not is_for_tests(module)


def arguments(app: BoltAPI) -> list[str]:
    """The arguments of `bolt-host run` for an application that it can import as it is."""
    module, attribute = find_app(app)
    file, root = file_of(module), root_of(module)
    chosen = [str(file), f"--app={module.__name__}:{attribute}"]
    return chosen if root == _default_root(file) else [*chosen, f"--root={root}"]


def _default_root(file: Path) -> Path:
    """Where bolt-host begins imports by itself: above the packages that have the file."""
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def write_app(app: BoltAPI, place: Path) -> list[str]:
    """Write a module that imports the application and sets its overrides, and all that it needs.

    Returns the arguments of `bolt-host run`.
    """
    written = _Written(app)
    _copy(written, place)
    for part in written.slices.values():
        (place / f"{part.name}.py").write_text(part.source(), encoding="utf-8")
    (place / f"{_WRAPPER}.py").write_text(written.wrapper, encoding="utf-8")
    return [str(place / f"{_WRAPPER}.py"), f"--root={place}"]


def applications(app: BoltAPI) -> Iterator[BoltAPI]:
    """The application and all that are mounted in it, each once."""
    seen, pending = [], [app]
    while pending:
        one = pending.pop()
        if one not in seen:
            seen.append(one)
            yield one
            pending.extend(inner for _, inner in one.mounted)


class _Written:
    """The text of the wrapper, and the slices that it imports.

    slices: by the name of their module.
    copied: modules that are not part of the app's folder.
    """

    def __init__(self, app: BoltAPI) -> None:
        self.slices: dict[str, ModuleSlice] = {}
        self.module, attribute = find_app(app)
        self.root = root_of(self.module)
        self.copied: set[str] = set()
        self._imports: set[str] = set()
        api = self._global(self.module, attribute, None)
        lines = [f"api = {api}"]
        for one in applications(app):
            if not one.dependency_overrides:
                continue
            name = "api" if one is app else self._global(*find_app(one), None)
            for dependency, override in one.dependency_overrides.items():
                old, new = self.expression(dependency, None), self.expression(override, None)
                lines.append(f"{name}.dependency_overrides[{old}] = {new}")
        for part in self.slices.values():
            for name in part.modules():
                self._check(name, part.module)
        imports = [f"import {name}" for name in sorted(self._imports)]
        self.wrapper = "\n".join([*imports, *lines]) + "\n"

    def expression(self, thing: Any, inside: ModuleSlice | None) -> str:
        """An expression for an object. inside: the slice in which it stands, or the wrapper."""
        if isinstance(thing, ModuleType):
            return self._import(thing.__name__, inside)
        named = self._named(thing, inside)
        if named is not None:
            return named
        if isinstance(thing, FunctionType):
            return self._nested(thing, inside)
        if isinstance(thing, MethodType):
            return f"{self.expression(thing.__self__, inside)}.{thing.__name__}"
        if isinstance(thing, functools.partial):
            parts = [thing.func, *thing.args]
            given = [self.expression(part, inside) for part in parts]
            given += [f"{k}={self.expression(v, inside)}" for k, v in thing.keywords.items()]
            return f"{self._import('functools', inside)}.partial({', '.join(given)})"
        return self._value(thing, inside)

    def _named(self, thing: Any, inside: ModuleSlice | None) -> str | None:
        """An expression for what is global in a module, or an attribute of it; or None."""
        if isinstance(thing, _PLAIN):
            return None
        module = sys.modules.get(getattr(thing, "__module__", None) or "")
        path = str(getattr(thing, "__qualname__", ""))
        if module is not None and path and "<" not in path:
            found: Any = module
            for part in path.split("."):
                found = getattr(found, part, None)
            if found is thing:
                return self._global(module, path, inside)
        places = sorted(holders(thing), key=lambda place: is_for_tests(place[0]))
        return self._global(*places[0], inside) if places else None

    def _global(self, module: ModuleType, path: str, inside: ModuleSlice | None) -> str:
        if not self._is_sliced(module):
            return f"{self._import(module.__name__, inside)}.{path}"
        part = self._slice(module)
        part.need({path.partition(".")[0]})
        return path if part is inside else f"{self._import(part.name, inside)}.{path}"

    def _is_sliced(self, module: ModuleType) -> bool:
        name = module.__name__
        if name == "builtins" or name.partition(".")[0] == "bolt" or is_installed(name):
            return False
        return is_for_tests(module)

    def _slice(self, module: ModuleType) -> ModuleSlice:
        name = module.__name__
        if name not in self.slices:
            self.slices[name] = ModuleSlice(module, f"bolt_slice_{name.replace('.', '_')}")
        return self.slices[name]

    def _import(self, name: str, inside: ModuleSlice | None) -> str:
        self._check(name, None)
        if inside is None:
            self._imports.add(name)
        else:
            inside.import_module(name)
        return name

    def _nested(self, function: FunctionType, inside: ModuleSlice | None) -> str:
        """A lambda, or a function inside of a function."""
        module = sys.modules.get(function.__module__)
        if module is None:
            raise self._refusal(f"{function.__qualname__}", "has no module")
        part = self._slice(module)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        values = {}
        for name, cell in cells:
            value = cell.cell_contents
            if value is not function:
                try:
                    values[name] = self.expression(value, part)
                except ServerError as error:
                    raise ServerError(f"{function.__qualname__} uses {name}: {error}") from None
        made = part.add_function(function, values)
        return made if part is inside else f"{self._import(part.name, inside)}.{made}"

    def _value(self, value: Any, inside: ModuleSlice | None) -> str:
        """An expression for a value that consists of plain ones."""
        kind = type(value)
        if kind in _PLAIN:
            return self._plain(value)
        if kind in (list, tuple, set, frozenset):
            items = ", ".join(self.expression(item, inside) for item in value)
            return f"{kind.__name__}([{items}])"
        if kind is dict:
            pairs = [
                f"{self.expression(key, inside)}: {self.expression(item, inside)}"
                for key, item in value.items()
            ]
            return f"{{{', '.join(pairs)}}}"
        if isinstance(value, enum.Enum):
            return f"{self.expression(kind, inside)}[{value.name!r}]"
        if kind in (datetime.datetime, datetime.date, datetime.time):
            return f"{self.expression(kind, inside)}.fromisoformat({value.isoformat()!r})"
        if kind in (decimal.Decimal, uuid.UUID):
            return f"{self.expression(kind, inside)}({str(value)!r})"
        names = None
        if isinstance(value, Struct):
            names = type(value).__struct_fields__ or ()
        elif is_dataclass(value):
            names = tuple(field.name for field in fields(value) if field.init)
        if names is None:
            raise self._refusal(f"{value!r}", "cannot be sent to the sandbox")
        given = [f"{name}={self.expression(getattr(value, name), inside)}" for name in names]
        return f"{self.expression(kind, inside)}({', '.join(given)})"

    def _plain(self, value: Any) -> str:
        text = repr(value)
        try:
            ast.literal_eval(text)
        except ValueError:
            return f"float({text!r})"
        return text

    def _check(self, name: str, user: ModuleType | None) -> None:
        """Refuse a module that the sandbox does not have."""
        top = name.partition(".")[0]
        if name.startswith("bolt_slice_") or top in sys.stdlib_module_names:
            return
        if top == "bolt" and name not in ("bolt.testing", "bolt.testclient"):
            return
        module = sys.modules.get(name)
        if module is not None and not is_installed(name) and is_for_tests(module):
            raise self._refusal(f"the module {name}", "is for tests")
        if (self.root / f"{top}.py").is_file() or (self.root / top).is_dir():
            return
        if top != "bolt" and top in sys.modules and not is_installed(top):
            self.copied.add(top)
            return
        where = "" if user is None else f" in {user.__name__}"
        raise self._refusal(f"the module {name}, which an override{where} uses,", "is not there")

    def _refusal(self, what: str, why: str) -> ServerError:
        return ServerError(
            f"{what} {why}: an override runs in the sandbox, so let it use what is in the app's "
            f"folder {self.root}, functions and classes of the test file, and plain values"
        )


def _copy(written: _Written, place: Path) -> None:
    """Copy the app's modules: its package, or its whole folder if it is in no package."""
    root, name = written.root, written.module.__name__
    if "." not in name and file_of(written.module).name != "__init__.py":
        shutil.copytree(root, place, ignore=_ignored, dirs_exist_ok=True)
        tops = set()
    else:
        place.mkdir(parents=True, exist_ok=True)
        loaded = (_top_in(module, root) for module in list(sys.modules.values()))
        tops = {path for path in loaded if path is not None}
    for module in written.copied:
        copied = sys.modules[module]
        top = _top_in(copied, root_of(copied))
        tops |= set() if top is None else {top}
    for top in tops:
        if top.is_dir():
            shutil.copytree(top, place / top.name, ignore=_ignored, dirs_exist_ok=True)
        else:
            shutil.copy(top, place / top.name)


def _top_in(module: Any, root: Path) -> Path | None:
    """The file or folder in a root folder that has a module."""
    path = getattr(module, "__file__", None)
    if path is None or not Path(path).resolve().is_relative_to(root):
        return None
    return root / Path(path).resolve().relative_to(root).parts[0]


def _ignored(folder: str, names: list[str]) -> set[str]:
    """What a build would not read."""
    return {
        name
        for name in names
        if name.startswith((".", "__pycache__", "node_modules"))
        or name.endswith(".wasm")
        or (Path(folder) / name / "pyvenv.cfg").exists()
    }
