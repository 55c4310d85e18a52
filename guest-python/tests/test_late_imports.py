"""Imports at run time, when no folder can be read any more."""

import errno
import importlib
import importlib.readers
import importlib.resources
import os
import pkgutil
import posix
import sys
from pathlib import Path
from typing import Any

import pytest
from doorfake import own_module

from bolt._absent.module_lists import open_door
from bolt._runtime.late_imports import LateImporter, forget_folders


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Packages of an app whose folder is closed: all access to it fails as in the sandbox."""
    place = tmp_path / "app"
    inner = place / "used_package" / "inner"
    inner.mkdir(parents=True)
    (place / "used_package" / "__init__.py").write_text("")
    (inner / "__init__.py").write_text("")
    (place / "used_spaces").mkdir()
    (place / "used_spaces" / "one.py").write_text("")
    (place / "late_package").mkdir()
    (place / "late_package" / "__init__.py").write_text("from . import no_such_part")
    (place / "late_other.py").write_text("value = 1")
    (place / "late_data").mkdir()
    (place / "late_data" / "__init__.py").write_text("")
    (place / "late_data" / "table.txt").write_text("inside")
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path_importer_cache", dict(sys.path_importer_cache))
    importlib.import_module("used_package.inner")
    importlib.import_module("used_spaces.one")
    importer = LateImporter()
    importer.add_folder(str(place))
    importer.install()

    def closed(real: Any) -> Any:
        def call(path: Any = ".", *rest: Any, **named: Any) -> Any:
            if str(path).startswith(str(place)):
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            return real(path, *rest, **named)

        return call

    with monkeypatch.context() as patched:
        for name in ("listdir", "stat", "open"):
            real = getattr(os, name)
            # The import system calls the module below `os`.
            patched.setattr(os, name, closed(real))
            patched.setattr(posix, name, closed(real))
        yield
    for name in list(sys.modules):
        if name.startswith(("used_", "late_")):
            del sys.modules[name]


MISSING = [
    "import no_such_module",
    "import used_package.no_such_part",
    "from used_package import no_such_part",
    "from used_package.inner import no_such_part",
    "import used_package.inner.no_such_part",
    "from used_spaces import no_such_part",
    "import used_spaces.no_such_part",
    "import late_package",
    "from late_other import no_such_part",
]


@pytest.mark.parametrize("statement", MISSING)
@pytest.mark.parametrize("cleared", [False, True])
def test_what_is_missing_is_an_import_error(gone: Any, statement: str, cleared: bool) -> None:
    forget_folders()
    if cleared:
        # An app may do so: it drops what the interpreter knows of folders.
        importlib.invalidate_caches()
    for _ in range(2):
        with pytest.raises(ImportError):
            exec(statement, {})
    exec("import late_other", {})
    assert sys.modules["late_other"].value == 1


def test_files_beside_a_late_module_have_a_path(gone: Any, tmp_path: Path) -> None:
    # In the sandbox the importer has the modules that this imports.
    with importlib.resources.as_file(importlib.resources.files("bolt") / "py.typed"):
        forget_folders()
    exec("import late_data", {})
    file = importlib.resources.files("late_data") / "table.txt"
    # Without a copy: there is no folder for one.
    with importlib.resources.as_file(file) as path:
        assert path == tmp_path / "app" / "late_data" / "table.txt"


def test_files_of_packages_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "late_zones"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "Berlin").write_bytes(b"TZif")
    (tmp_path / "late_single.py").write_text("")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    importer = LateImporter()
    importer.add_folder(str(tmp_path))
    importer.install()
    assert importlib.resources.files("late_zones").joinpath("Berlin").read_bytes() == b"TZif"
    with pytest.raises(FileNotFoundError):
        importlib.resources.files("late_zones").joinpath("Rome").read_bytes()
    assert importer.get_resource_reader("late_single") is None
    del sys.modules["late_zones"]


def test_without_it_the_closed_folder_is_listed(gone: Any) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        exec("from used_package import no_such_part", {})


def listing() -> Any:
    """A `pkgutil` with an open door."""
    module = own_module(pkgutil)
    open_door(module)
    return module


def test_modules_are_listed_whether_they_were_imported_or_not(gone: Any, tmp_path: Path) -> None:
    listed, place = listing(), str(tmp_path / "app")
    found = {info.name: info for info in listed.iter_modules([place])}
    assert {name: info.ispkg for name, info in found.items()} == {
        "late_data": True,
        "late_other": False,
        "late_package": True,
        "used_package": True,
    }
    spec = found["late_other"].module_finder.find_spec("late_other")
    assert spec.loader.get_source("late_other") == "value = 1"
    path = sys.modules["used_package"].__path__
    assert [info.name for info in listed.walk_packages(path, "used_package.")] == [
        "used_package.inner"
    ]
    assert "late_other" in {info.name for info in listed.iter_modules()}
    with pytest.raises(ValueError, match="list of paths"):
        list(listed.iter_modules(place))


def test_files_that_are_there_are_listed_once(tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text("")
    (tmp_path / "odd.name.py").write_text("")
    LateImporter().add_folder(str(tmp_path))
    (tmp_path / "later.py").write_text("")
    found = [info.name for info in listing().iter_modules([str(tmp_path)])]
    assert found == ["later", "there"]


def test_an_app_with_files_has_its_modules_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "late_own.py").write_text("value = 1\n")
    for in_memory in (True, False):
        importer = LateImporter()
        importer.add_app(str(tmp_path))
        assert (importer._modules["late_own"].code is not None) == in_memory
        assert importer.get_source("late_own") == "value = 1\n"
        monkeypatch.setattr(sys, "meta_path", [importer, *sys.meta_path])
        assert importlib.import_module("late_own").value == 1
        del sys.modules["late_own"]
        (tmp_path / "note.txt").write_text("")
