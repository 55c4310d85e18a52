"""Modules that a runner imports before it loads an app."""

import os
import sys
from pathlib import Path

import pytest

from bolt._runtime.early_imports import import_early, imported_modules
from bolt._runtime.late_imports import LateImporter


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages in a folder of imports; the modules are forgotten afterwards."""
    (tmp_path / "early_pack/inner").mkdir(parents=True)
    for name, text in {
        "early_pack/__init__.py": "import os\nSTAGE = os.environ.get('EARLY_STAGE')\n",
        "early_pack/inner/__init__.py": "from early_pack import STAGE\n",
        "early_pack/leaves.py": "raise SystemExit(3)\n",
        "early_pack/needs.py": "import early_settings\n",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("early_")]:
        del sys.modules[name]
    return tmp_path


NAMES = ["early_pack", "early_pack.leaves", "early_pack.inner", "early_pack.needs", "early_gone"]


def test_what_can_be_imported_is(place: Path) -> None:
    before = dict(os.environ)
    failed = import_early(NAMES, {"EARLY_STAGE": "one"})
    assert failed == ["early_pack.leaves", "early_pack.needs", "early_gone"]
    assert sys.modules["early_pack.inner"].STAGE == "one"
    assert dict(os.environ) == before
    assert list(imported_modules(str(place))) == [
        ("early_pack", "early_pack/__init__.py"),
        ("early_pack.inner", "early_pack/inner/__init__.py"),
    ]


def test_the_code_of_the_others_is_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importer = LateImporter()
    importer.add_modules(import_early(NAMES, {}), f"{place}/")
    assert importer.find_spec("early_gone") is None
    spec = importer.find_spec("early_pack.needs")
    assert spec is not None and spec.origin == f"{place}/early_pack/needs.py"
    (place / "early_settings.py").write_text("")
    (place / "early_pack/needs.py").unlink()
    monkeypatch.setattr(sys, "meta_path", [importer, *sys.meta_path])
    from early_pack import needs  # type: ignore[import-not-found]

    assert needs.__file__ == f"{place}/early_pack/needs.py"
