"""The command line: reads the arguments, sets the tools up, builds each package."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from wheel_tool.builder import Builder
from wheel_tool.c_toolchain import c_toolchain
from wheel_tool.component_libs import component_libs
from wheel_tool.console import Failure, report, say
from wheel_tool.folders import Folders
from wheel_tool.private_env import tools_environment
from wheel_tool.python_headers import python_headers
from wheel_tool.recipes import RECIPES
from wheel_tool.rust_toolchain import PLACES, RustToolchain, rust_toolchain
from wheel_tool.wheel_index import write_index

WARNING = "this runs the build code of these packages on this machine, outside of any sandbox: "
EXAMPLES = """\
A wheel belongs to the componentize-py whose Python it was linked against: build again when that
changes. The paths of the wheels go to standard output, everything else to standard error.
The exit status is 0 when every package was built, 1 when one was not, 2 for wrong arguments.
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="wheel_tool",
        description="Build wheels for the sandbox's platform from packages' source distributions.",
        epilog=EXAMPLES + f"Packages with a recipe: {', '.join(sorted(RECIPES))}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "packages",
        nargs="+",
        metavar="PACKAGE",
        help="NAME, NAME==VERSION or another requirement, or the path of an archive or folder",
    )
    made.add_argument(
        "--out", type=Path, default=Path("wheels"), metavar="DIR", help="default: ./wheels"
    )
    made.add_argument(
        "--work",
        type=Path,
        required=True,
        metavar="DIR",
        help="for the builds and their logs, and for tools that the next run uses again",
    )
    made.add_argument(
        "--toolchain",
        type=Path,
        required=True,
        metavar="PATH",
        help="componentize-py: its wheel, or a site-packages folder that has it",
    )
    made.add_argument(
        "--headers", type=Path, metavar="DIR", help="the folder with Python.h of CPython 3.14"
    )
    made.add_argument(
        "--rust",
        choices=PLACES,
        default="auto",
        help="where Rust's standard library for the sandbox is from: the compiler on the path, to "
        "which rustup adds it when it must (auto); built from its source (rust-src); Debian's "
        "packages, which auto falls back to (debian)",
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    say(WARNING + ", ".join(options.packages))
    folders = Folders(options.work.resolve())
    try:
        folders.make()
        with folders.lock():
            return build_all(set_up(folders, options), options.packages)
    except Failure as failure:
        report(failure)
        return 1


def build_all(builder: Builder, packages: Sequence[str]) -> int:
    """Build each package, also when one before it failed; returns the exit status."""
    failed = []
    for package in packages:
        try:
            finished = builder.build(package)
        except Failure as failure:
            report(failure)
            failed.append(package)
            continue
        print(finished.path, flush=True)
    page = write_index(builder.out)
    say(f"index: {page}")
    if failed:
        say(f"not built: {', '.join(failed)}")
        return 1
    return 0


def set_up(folders: Folders, options: argparse.Namespace) -> Builder:
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    environment = tools_environment(folders)
    libs = component_libs(folders, options.toolchain.resolve())
    headers = python_headers(folders, libs, options.headers)
    c = c_toolchain(folders, environment, libs, headers)

    @cache
    def rust() -> RustToolchain:
        return rust_toolchain(folders, options.rust)

    return Builder(folders, c, rust, out, libs.exports())
