"""Builds one package: its requirements for this machine, its extensions for the sandbox."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheel_tool import casts, hook, private_env
from wheel_tool.c_toolchain import CToolchain
from wheel_tool.component_libs import SYSCONFIG
from wheel_tool.console import Failure, run, say
from wheel_tool.folders import Folders
from wheel_tool.package_index import Source, fetch
from wheel_tool.recipes import Recipe, recipe_of
from wheel_tool.rust_toolchain import RustToolchain
from wheel_tool.wheel_file import Finished, finish

# Without a pyproject.toml, or with one that says nothing of it (PEP 517, PEP 518).
OLD_BACKEND = "setuptools.build_meta:__legacy__"
OLD_REQUIREMENTS = ["setuptools>=77"]
# Variables of the user that a package's build code gets: no tokens of clouds or indexes.
PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|TERM|(HTTPS?|NO|ALL|https?|no|all)_(PROXY|proxy)"
    r"|CARGO_(HOME|HTTP_.*|NET_.*)|RUSTUP_(HOME|TOOLCHAIN)|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
)
BUILD_ADVICE = (
    "The log's last lines say what the package's build missed. Try another version of the package, "
    "or build it without its extension if it has a variable for that."
)
# What backends with a build system of their own are called; their compilers are found elsewhere.
OTHER_BUILDS = {"mesonpy": "Meson", "scikit_build_core": "CMake", "skbuild": "CMake"}
CRATE_TYPE = re.compile(r"^(\s*crate-type\s*=\s*)\[[^\]]*\]", re.MULTILINE)


@dataclass
class Builder:
    folders: Folders
    c: CToolchain
    # Found when the first package needs it.
    rust: Callable[[], RustToolchain]
    out: Path
    exports: set[str]

    def build(self, spec: str) -> Finished:
        say(f"{spec}: fetching the source")
        source = fetch(spec, self.folders.build)
        recipe = recipe_of(source.name)
        if recipe.refusal:
            raise Failure(f"{source.label} cannot run in the sandbox", recipe.refusal)
        log = self.folders.log(source.folder.name)
        apply(recipe, source.folder)
        casts.uncover(source.folder)
        project = read_project(source.folder)
        system = project.get("build-system", {})
        backend = system.get("build-backend", OLD_BACKEND)
        requires = system.get("requires", OLD_REQUIREMENTS)
        say(f"{source.label}: installing what its build needs")
        environment = self.folders.build / f"{source.folder.name}-env"
        shutil.rmtree(environment, ignore_errors=True)
        private_env.make(environment, requires, log)
        made = self.folders.build / f"{source.folder.name}-made"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        job = Job(self, source, recipe, log, environment, made)
        if backend.split(".")[0] == "maturin":
            job.maturin(project)
        else:
            job.backend(backend, [str(source.folder / p) for p in system.get("backend-path", [])])
        wheels = list(made.glob("*.whl"))
        if len(wheels) != 1:
            raise Failure(f"the build of {source.label} made no wheel", BUILD_ADVICE, log)
        say(f"{source.label}: checking what the extensions call")
        try:
            finished = finish(wheels[0], self.out, self.exports, source.date)
        except Failure as failure:
            raise Failure(str(failure), failure.advice, log) from failure
        size = f"{finished.path.stat().st_size / 1024:.0f} KB"
        count = len(finished.extensions)
        kind = f"{count} extension{'s' * (count != 1)}" if count else "pure Python, no extension"
        say(f"{source.label}: {finished.path.name} ({size}, {kind})")
        if left := log.read_text(encoding="utf-8", errors="replace").count(casts.LEFT):
            say(f"{source.label}: note: {left} functions in C are called by another type than")
            say(f"  their own, and the sandbox ends a request that calls one: see {log}")
        if recipe.note:
            say(f"{source.label}: note: {recipe.note}")
        for folder in (source.folder, environment, made):
            shutil.rmtree(folder, ignore_errors=True)
        return finished


@dataclass
class Job:
    """The build of one package whose source and environment are there."""

    builder: Builder
    source: Source
    recipe: Recipe
    log: Path
    environment: Path
    made: Path

    def backend(self, backend: str, path: list[str]) -> None:
        name = backend.split(".")[0]
        if name in OTHER_BUILDS:
            raise Failure(
                f"{self.source.label} builds with {OTHER_BUILDS[name]}, which is not known here",
                "Packages that build with setuptools, hatch, poetry, flit, pdm or maturin are.",
            )
        uses_rust = is_there(self.environment, "setuptools_rust")
        variables = self.variables(uses_rust)
        more = self.call(backend, path, "get_requires_for_build_wheel", [], variables)
        private_env.install(self.environment, more, self.log)
        say(f"{self.source.label}: building")
        self.call(backend, path, "build_wheel", [str(self.made)], variables)

    def call(
        self, backend: str, path: list[str], name: str, arguments: list[Any], env: dict[str, str]
    ) -> Any:
        result = self.made / "result.json"
        request = {
            "backend": backend,
            "path": path,
            "hook": name,
            "arguments": arguments,
            "result": str(result),
        }
        python = private_env.python_of(self.environment)
        run(
            [python, hook.__file__, json.dumps(request)],
            self.log,
            f"{self.source.label} could not be built",
            advice=BUILD_ADVICE,
            env=env,
            cwd=self.source.folder,
        )
        return json.loads(result.read_text(encoding="utf-8"))

    def maturin(self, project: dict[str, Any]) -> None:
        """Call maturin itself: its hook asks the Python that runs it, which is this machine's."""
        manifest = project.get("tool", {}).get("maturin", {}).get("manifest-path", "Cargo.toml")
        only_dynamic(self.source.folder / manifest)
        variables = self.variables(uses_rust=True)
        if self.builder.rust().builds_std:
            # Crates beside the package would have to hold those of Rust's standard library too.
            (self.source.folder / ".cargo" / "config.toml").unlink(missing_ok=True)
        say(f"{self.source.label}: building (crates in Rust take minutes)")
        run(
            [
                self.environment / "bin" / "maturin",
                *("build", "--release", "--target", "wasm32-wasip2"),
                *("--interpreter", "python3.14", "--out", str(self.made)),
                *self.recipe.maturin,
            ],
            self.log,
            f"{self.source.label} could not be built",
            advice=BUILD_ADVICE,
            env=variables,
            cwd=self.source.folder,
        )

    def variables(self, uses_rust: bool) -> dict[str, str]:
        passed = {k: v for k, v in os.environ.items() if PASSED.fullmatch(k)}
        variables = {
            **passed,
            "PATH": f"{self.environment / 'bin'}{os.pathsep}{passed.get('PATH', os.defpath)}",
            "SOURCE_DATE_EPOCH": str(max(self.source.date, 315532800)),
            "PYTHONHASHSEED": "0",
        }
        if uses_rust:
            variables |= self.builder.rust().variables(self.builder.c, self.source.folder)
        if not (uses_rust and not is_there(self.environment, "setuptools")):
            variables |= self.builder.c.variables()
            # What makes a Python of this machine answer for the target.
            variables["_PYTHON_SYSCONFIGDATA_NAME"] = SYSCONFIG
            variables["_PYTHON_HOST_PLATFORM"] = "wasi-0.0.0-wasm32"
            variables["PYTHONPATH"] = str(self.builder.c.libs.sysconfig)
        return variables | self.recipe.env


def apply(recipe: Recipe, folder: Path) -> None:
    for name in recipe.remove:
        (folder / name).unlink(missing_ok=True)
    for name, before, after in recipe.replace:
        path = folder / name
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if before not in text:
            say(f"note: the recipe does not fit this version: {name} has no {before!r}")
            continue
        path.write_text(text.replace(before, after), encoding="utf-8")


def read_project(folder: Path) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    if not path.is_file():
        if not (folder / "setup.py").is_file():
            raise Failure(f"{folder.name} has no pyproject.toml and no setup.py")
        return {}
    # Python 3.10 has none of its own.
    name = "tomllib" if sys.version_info >= (3, 11) else "pip._vendor.tomli"
    tomllib = importlib.import_module(name)
    project: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return project


def only_dynamic(manifest: Path) -> None:
    """Have cargo build the library as the extension alone.

    As a library for Rust beside it, everything public would be kept and exported.
    """
    if manifest.is_file():
        text = manifest.read_text(encoding="utf-8")
        manifest.write_text(CRATE_TYPE.sub(r'\1["cdylib"]', text), encoding="utf-8")


def is_there(environment: Path, package: str) -> bool:
    return (private_env.site_packages(environment) / package).is_dir()
