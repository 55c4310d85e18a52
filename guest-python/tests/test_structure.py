"""The structure of the package: what an application may import, and what may import what.

`public_names.json` lists every module and name that an application may import. Everything else has
a leading underscore.
"""

import ast
import graphlib
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "guest-python" / "bolt"
PUBLIC: dict[str, list[str]] = json.loads((Path(__file__).parent / "public_names.json").read_text())
# `from bolt.http import *` must work without httpx, so `__all__` lacks what needs it.
OPTIONAL = {"bolt.http": {"HTTPXTransport"}}
# They are of no use without another package.
NEEDS = {"bolt.django.base": "django", "bolt.sqlalchemy": "sqlalchemy"}
ENTRY = "bolt._runtime.entry"
GENERATED = ("componentize_py", "wit_world")


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(file.read_text()) for name, file in FILES.items()}


def is_public(module: str) -> bool:
    return not any(part.startswith("_") for part in module.split("."))


def imports(module: str) -> Iterator[tuple[str, str | None]]:
    """Every import in a module, also inside functions and `if TYPE_CHECKING`: module, and name."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                is_package = FILES[module].name == "__init__.py"
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                source = ".".join([*parts, *([source] if source else [])])
            yield from ((source, alias.name) for alias in node.names)


def imported_modules(module: str) -> set[str]:
    """The modules of the SDK that a module imports."""
    found = set()
    for source, name in imports(module):
        if source != "bolt" and not source.startswith("bolt."):
            continue
        submodule = f"{source}.{name}"
        target = submodule if name is not None and submodule in FILES else source
        assert target in FILES, f"{module} imports {target}"
        found.add(target)
    return found


def test_no_modules_import_each_other() -> None:
    graph = {module: imported_modules(module) for module in FILES}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as exc:
        pytest.fail("a cycle of imports: " + " <- ".join(exc.args[1]))


def test_no_module_imports_the_package_that_holds_it() -> None:
    for module in FILES:
        parents = {module.rsplit(".", count)[0] for count in range(1, module.count(".") + 1)}
        assert not imported_modules(module) & parents, module


def test_private_packages_hold_only_a_docstring() -> None:
    for module, file in FILES.items():
        if file.name == "__init__.py" and not is_public(module):
            assert len(TREES[module].body) == 1 and ast.get_docstring(TREES[module]), module


def test_every_module_says_its_purpose() -> None:
    for module, tree in TREES.items():
        first = (ast.get_docstring(tree) or "").partition("\n")[0]
        assert first.endswith((".", ":", "`.")), f"{module} has no docstring of one sentence"


def test_only_the_entry_imports_generated_modules() -> None:
    for module in FILES:
        if module != ENTRY:
            assert not any(source.startswith(GENERATED) for source, _ in imports(module)), module


def test_public_modules_are_those_without_an_underscore() -> None:
    assert {module for module in FILES if is_public(module)} == PUBLIC.keys()


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_exist(module: str) -> None:
    if module in NEEDS:
        pytest.importorskip(NEEDS[module])
    loaded = importlib.import_module(module)
    assert PUBLIC[module] == sorted(set(PUBLIC[module]))
    assert set(loaded.__all__) == set(PUBLIC[module]) - OPTIONAL.get(module, set())
    for name in PUBLIC[module]:
        assert hasattr(loaded, name), name


def test_every_module_lists_its_names() -> None:
    for module, file in FILES.items():
        if is_public(module) or file.name != "__init__.py":
            assigned = [
                target.id
                for node in TREES[module].body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            ]
            assert "__all__" in assigned, f"{module} has no __all__"


def may_import(module: str, name: str) -> bool:
    return name in PUBLIC.get(module, ()) or f"{module}.{name}" in PUBLIC


IMPORT = re.compile(
    r"^\s*(?:>>> )?(?:from (bolt[\w.]*) import (?:\(([^)]*)\)|([^\n#;`]*))|import (bolt[\w.]*))",
    re.MULTILINE,
)


def written_imports(text: str) -> Iterator[tuple[str, str | None]]:
    """The imports of the SDK in a text, which may be Markdown."""
    for source, several, single, whole in IMPORT.findall(text):
        if whole:
            yield whole, None
        for item in (several or single).split(","):
            if name := item.split(" as ")[0].strip(" \n…"):
                yield source, name


def documents() -> list[Path]:
    found = [*ROOT.glob("*.md")]
    for folder in ("docs", "examples", "benches", "host", "tests"):
        found += [*(ROOT / folder).rglob("*.md"), *(ROOT / folder).rglob("*.py")]
    return sorted(found)


def test_documents_and_examples_import_only_public_names() -> None:
    checked = 0
    for file in documents():
        for module, name in written_imports(file.read_text()):
            public = module in PUBLIC if name is None else may_import(module, name)
            assert public, f"{file.relative_to(ROOT)} imports {module} {name or ''}"
            checked += 1
    assert checked > 100
