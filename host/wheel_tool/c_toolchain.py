"""Sets up the compiler for C and C++: programs that a build can call as it would call gcc.

The compiler is clang, of the package `ziglang`. Its own linking of dynamic libraries is not used:
it would bring a C library along, where the sandbox's Python has one already.
"""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from wheel_tool import driver
from wheel_tool.component_libs import ComponentLibs
from wheel_tool.console import run, say
from wheel_tool.folders import Folders
from wheel_tool.private_env import zig_of

TOOLS = ("cc", "c++", "ar", "ranlib", "rust-ld")
TARGET = "wasm32-wasi"
# The C++ library of the sandbox has another version of its ABI than the compiler's headers choose.
CPLUSPLUS_ABI = [
    "-U_LIBCPP_ABI_VERSION",
    "-D_LIBCPP_ABI_VERSION=2",
    "-U_LIBCPP_ABI_NAMESPACE",
    "-D_LIBCPP_ABI_NAMESPACE=__2",
]
# Rust's standard library asks for this one, and has it in an object that is not position
# independent: it keeps the task of an asynchronous component, which an extension never is.
RUST_STAND_INS = """\
static void *task;
__attribute__((weak)) void *wasip3_task_set(void *next) {
    void *before = task;
    task = next;
    return before;
}
"""


@dataclass(frozen=True)
class CToolchain:
    """Launchers in `folder`, and what they are told."""

    folder: Path
    cache: Path
    libs: ComponentLibs

    def tool(self, name: str) -> Path:
        return self.folder / name

    def variables(self) -> dict[str, str]:
        """The variables by which setuptools, cc-rs and make find the tools."""
        cc, cxx, ar = (str(self.tool(name)) for name in ("cc", "c++", "ar"))
        return {
            "CC": cc,
            "CXX": cxx,
            "AR": ar,
            "RANLIB": str(self.tool("ranlib")),
            "LDSHARED": f"{cc} -shared",
            "LDCXXSHARED": f"{cxx} -shared",
            "CFLAGS": "-O2 -DNDEBUG",
            "CXXFLAGS": "-O2 -DNDEBUG",
            **self.cache_variables(),
        }

    def cache_variables(self) -> dict[str, str]:
        return {"ZIG_GLOBAL_CACHE_DIR": str(self.cache), "ZIG_LOCAL_CACHE_DIR": str(self.cache)}


def c_toolchain(
    folders: Folders, environment: Path, libs: ComponentLibs, headers: Path
) -> CToolchain:
    zig = str(zig_of(environment))
    toolchain = CToolchain(folders.work / "compiler", folders.tools / "zig-cache", libs)
    toolchain.folder.mkdir(exist_ok=True)
    runtime = folders.once(
        f"runtime-{environment.name}",
        lambda folder: runtime_objects(folder, zig, toolchain, folders.log("runtime")),
    )
    settings = {
        "cc": [zig, "cc", "-target", TARGET],
        "c++": [zig, "c++", "-target", TARGET],
        "c++flags": CPLUSPLUS_ABI,
        "ld": [zig, "wasm-ld"],
        "ar": [zig, "ar"],
        "ranlib": [zig, "ranlib"],
        "headers": str(headers),
        "libraries": str(libs.libraries),
        "builtins": str(runtime / "builtins.o"),
        "rust-stand-ins": str(runtime / "rust.o"),
        "work": str(folders.work),
    }
    settings_file = toolchain.folder / "settings.json"
    settings_file.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    for name in TOOLS:
        words = [sys.executable, "-I", "-S", driver.__file__, str(settings_file), name]
        launcher = toolchain.tool(name)
        launcher.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        launcher.chmod(0o755)
    return toolchain


def runtime_objects(folder: Path, zig: str, toolchain: CToolchain, log: Path) -> None:
    """The helpers that clang calls (128-bit division and its like), position independent."""
    say("building the compiler's runtime for the sandbox (once)")
    source = Path(zig).parent / "lib" / "compiler_rt.zig"
    common = ["-target", TARGET, "-fPIC"]
    env = toolchain.cache_variables()
    run(
        [zig, "build-obj", source, *common, "-O", "ReleaseSmall", "-fstrip", "--name", "builtins"],
        log,
        "the compiler's runtime could not be built",
        cwd=folder,
        env={**env, "HOME": str(folder)},
    )
    (folder / "rust.c").write_text(RUST_STAND_INS, encoding="utf-8")
    run(
        [zig, "cc", *common, "-O2", "-fvisibility=hidden", "-c", "rust.c", "-o", "rust.o"],
        log,
        "the compiler does not run",
        cwd=folder,
        env={**env, "HOME": str(folder)},
    )
