"""Installs an app's packages for the sandbox: wheels only, so that no code of theirs runs here.

It is run by the Python of the private environment, whose pip has the version that it knows. It
reads JSON from standard input and writes JSON to standard output; pip's own words go to standard
error.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pip._internal.cli.main import main as pip
from pip._internal.exceptions import InstallationError
from pip._internal.index.package_finder import PackageFinder
from pip._internal.metadata import get_default_environment
from pip._internal.metadata.importlib import Distribution
from pip._internal.req.req_install import InstallRequirement
from pip._vendor.packaging import markers
from pip._vendor.packaging.utils import canonicalize_name

# What CPython says of itself in the sandbox. pip asks markers about the Python that it runs in.
SANDBOX = {
    "implementation_name": "cpython",
    "implementation_version": "3.14.0",
    "os_name": "posix",
    "platform_machine": "wasm32",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "WASI",
    "platform_version": "",
    "python_full_version": "3.14.0",
    "python_version": "3.14",
    "sys_platform": "wasi",
}
# Wheels for Linux come last. Those of packages that also work without their compiled code are used
# without it; all others are named in an error, which is better than an installer that looks for an
# old version of everything that asks for them.
LINUX = ["manylinux_2_17", "manylinux2014", "manylinux_2_24", "manylinux_2_28", "manylinux_2_34"]
PLATFORM = [
    "--platform=wasi_0_0_0_wasm32",
    "--platform=any",
    *(f"--platform={linux}_x86_64" for linux in LINUX),
    "--python-version=3.14",
    "--implementation=cp",
    "--abi=cp314",
    "--abi=abi3",
    "--abi=none",
]
# Packages that import what they have compiled if it is there.
WORK_WITHOUT = {
    "aiohttp",
    "charset-normalizer",
    "coverage",
    "frozenlist",
    "markupsafe",
    "msgpack",
    "multidict",
    "mypy",
    "propcache",
    "protobuf",
    "pyyaml",
    "rapidfuzz",
    "simplejson",
    "sqlalchemy",
    "tornado",
    "websockets",
    "wrapt",
    "yarl",
    "zope-interface",
}
NO_MATCH = re.compile(r"No matching distribution found for ([A-Za-z0-9][A-Za-z0-9._-]*)")
FROM_NONE = re.compile(r"\(from versions: none\)")
ELF = b"\x7fELF"
# Most of pip's words that an error repeats.
LINES = 12


def prepare(not_needed: set[str]) -> None:
    """Have pip see the sandbox, leave out what the host replaces, and run no code of a package."""
    markers.default_environment = lambda: dict(SANDBOX)  # type: ignore[assignment,return-value]
    dependencies = Distribution.iter_dependencies

    def iter_dependencies(self: Any, extras: Any = ()) -> Iterator[Any]:
        for requirement in dependencies(self, extras):
            name = canonicalize_name(requirement.name)
            if name in not_needed:
                continue
            if requirement.url is not None:
                message = f"{self.raw_name} asks for {name} at an address, not from an index"
                raise InstallationError(message)
            yield requirement

    Distribution.iter_dependencies = iter_dependencies  # type: ignore[method-assign]
    candidates = PackageFinder.find_all_candidates

    def find_all_candidates(self: Any, name: str) -> list[Any]:
        """A wheel for the sandbox is wanted more than a newer one for Linux, and one of pure Python
        more than one for Linux of its version.
        """
        found = candidates(self, name)
        own = [one for one in found if "linux" not in one.link.filename]
        if any("wasi" in one.link.filename for one in own):
            return own
        pure = {one.version for one in own}
        return [one for one in found if one in own or one.version not in pure]

    PackageFinder.find_all_candidates = find_all_candidates  # type: ignore[method-assign]

    def refuse(self: Any) -> None:
        raise InstallationError(f"{self.name} has no wheel, and nothing is built here")

    # Only source distributions come to these.
    InstallRequirement.load_pyproject_toml = refuse  # type: ignore[method-assign]
    InstallRequirement.prepare_metadata = refuse  # type: ignore[method-assign]


def run(words: list[str]) -> tuple[int, str]:
    """Run pip; returns its exit code, and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = pip(words)
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else 1
    return code, said.getvalue()


def explain(said: str) -> dict[str, Any]:
    missing = NO_MATCH.search(said)
    if missing and FROM_NONE.search(said):
        return {"nowhere": missing[1]}
    lines = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.strip()]
    return {"said": "\n".join(lines[-LINES:])}


def is_elf(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == ELF


def tidy(target: Path) -> None:
    """Remove what no app has."""
    for folder in [target / "bin", *target.rglob("__pycache__")]:
        shutil.rmtree(folder, ignore_errors=True)
    for file in [*target.glob("*.pth"), *target.glob("*.dist-info/direct_url.json")]:
        file.unlink()


def remove_compiled(target: Path, name: str, files: Iterable[str]) -> bool:
    """Remove what a package has compiled for Linux. False if it does not work without."""
    for relative in files:
        file = target / relative
        if ".so" not in file.name or not file.is_file() or not is_elf(file):
            continue
        if name not in WORK_WITHOUT:
            return False
        file.unlink()
    return True


def install(order: dict[str, Any]) -> dict[str, Any]:
    """order: requirements (a file), constraints (a file or None), target (a folder), index (whether
    to ask it), wheels (folders or addresses), not_needed (names).
    """
    prepare(set(order["not_needed"]))
    where = [f"--find-links={place}" for place in order["wheels"]]
    if not order["index"]:
        where.append("--no-index")
    target = Path(order["target"])
    words = [
        "install",
        f"--target={target}",
        f"--requirement={order['requirements']}",
        "--only-binary=:all:",
        "--no-compile",
        "--no-input",
        "--no-warn-conflicts",
        "--disable-pip-version-check",
        "--progress-bar=off",
        "--root-user-action=ignore",
        *PLATFORM,
        *where,
    ]
    if order["constraints"]:
        words.append(f"--constraint={order['constraints']}")
    code, said = run(words)
    sys.stderr.write(said)
    if code != 0:
        return explain(said)
    tidy(target)
    installed, compiled = [], []
    for distribution in (
        get_default_environment().from_paths([str(target)]).iter_all_distributions()
    ):
        shown = f"{distribution.raw_name}=={distribution.version}"
        installed.append(shown)
        files = distribution.iter_declared_entries() or ()
        if not remove_compiled(target, distribution.canonical_name, files):
            compiled.append(shown)
    if compiled:
        return {"compiled": sorted(compiled, key=str.lower)}
    return {"installed": sorted(installed, key=str.lower)}


if __name__ == "__main__":
    json.dump(install(json.load(sys.stdin)), sys.stdout)
