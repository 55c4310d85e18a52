"""Finds a Rust compiler that can build for the sandbox's platform, and says how cargo is run."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from wheel_tool import debian
from wheel_tool.c_toolchain import CToolchain
from wheel_tool.console import Failure, output_of, run, say
from wheel_tool.folders import Folders

TARGET = "wasm32-wasip2"
ADVICE = (
    f"Install Rust with rustup, then run `rustup target add {TARGET}`. On Debian, cargo and the "
    "compiler of its packages rustc-web and rust-web-src are used without it."
)
# Debian's compiler, the standard library for build scripts, and the source of the one for wasm.
DEBIAN_PACKAGES = ("rustc-web", "libstd-rust-web-dev", "rust-web-src")
# What the user can ask for: the compiler on the path, to which rustup may add the target; the
# same, building its library from the component rust-src; or Debian's packages.
PLACES = ("auto", "rust-src", "debian")
RUST_FLAGS = (
    # The launcher calls wasm-ld, and the C library is the sandbox's.
    "-Clinker-flavor=wasm-ld",
    "-Clink-self-contained=no",
    "-Crelocation-model=pic",
)


@dataclass(frozen=True)
class RustToolchain:
    folder: Path
    # Of a compiler that is not the one on the path.
    compiler: Path | None = None
    # The standard library is built with each package's crates, not found beside the compiler.
    builds_std: bool = False
    env: dict[str, str] = field(default_factory=dict)

    def variables(self, c: CToolchain, source: Path) -> dict[str, str]:
        tools = {f"{n}_wasm32_wasip2": str(c.tool(t)) for n, t in C_TOOLS}
        flags = [
            *RUST_FLAGS,
            f"--remap-path-prefix={source}=.",
            f"--remap-path-prefix={self.folder}=rust",
        ]
        variables = {
            **self.env,
            **tools,
            **c.cache_variables(),
            "CARGO_BUILD_TARGET": TARGET,
            "CARGO_TARGET_DIR": str(self.folder / "target"),
            "CARGO_TARGET_WASM32_WASIP2_LINKER": str(c.tool("rust-ld")),
            # Of every kind of flags, cargo takes these alone when they are set.
            "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
            "CARGO_PROFILE_RELEASE_LTO": "fat",
            "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1",
            "CARGO_PROFILE_RELEASE_PANIC": "abort",
            "CARGO_PROFILE_RELEASE_STRIP": "debuginfo",
            "PYO3_CONFIG_FILE": str(pyo3_config(self.folder, c)),
        }
        # A file in the source may ask rustup for another compiler, which lacks the target.
        if active := output_of(["rustup", "show", "active-toolchain"]):
            variables["RUSTUP_TOOLCHAIN"] = active.split()[0]
        if self.compiler is not None:
            variables["RUSTC"] = str(self.compiler)
        if self.builds_std:
            variables["RUSTC_BOOTSTRAP"] = "1"
            variables["CARGO_UNSTABLE_BUILD_STD"] = "std,panic_abort"
        return variables


C_TOOLS = (("CC", "cc"), ("CXX", "c++"), ("AR", "ar"), ("RANLIB", "ranlib"))


def pyo3_config(folder: Path, c: CToolchain) -> Path:
    """What PyO3 would ask a Python of the target: it needs no headers and no interpreter."""
    path = folder / "pyo3.txt"
    lines = {
        "implementation": "CPython",
        "version": "3.14",
        "shared": "true",
        "abi3": "false",
        "lib_name": "python3.14",
        "lib_dir": str(c.libs.libraries),
        "pointer_width": "32",
        "build_flags": "",
        "suppress_build_script_link_lines": "false",
        "ext_suffix": ".cpython-314-wasm32-wasi.so",
    }
    path.write_text("".join(f"{k}={v}\n" for k, v in lines.items()), encoding="utf-8")
    return path


def rust_toolchain(folders: Folders, where: str) -> RustToolchain:
    """Where the standard library for the target is from: one of `PLACES`."""
    folder = folders.work / "rust"
    folder.mkdir(exist_ok=True)
    if shutil.which("cargo") is None:
        raise Failure("cargo is not there, and a package has an extension in Rust", ADVICE)
    sysroot = output_of(["rustc", "--print", "sysroot"])
    rustlib = Path(sysroot or "") / "lib" / "rustlib"
    if where == "rust-src":
        if sysroot and (rustlib / "src/rust/library/std/src/lib.rs").is_file():
            return RustToolchain(folder, builds_std=True)
        raise Failure("the compiler has no source beside it", "`rustup component add rust-src`.")
    if where == "auto" and sysroot:
        if any((rustlib / TARGET / "lib").glob("libstd-*.rlib")):
            return RustToolchain(folder)
        if shutil.which("rustup") and added_by_rustup(folders):
            return RustToolchain(folder)
    return from_debian(folders, folder)


def added_by_rustup(folders: Folders) -> bool:
    try:
        say(f"rustup target add {TARGET}")
        run(["rustup", "target", "add", TARGET], folders.log("rustup"), "rustup cannot add it")
    except Failure:
        say(f"  rustup cannot add the target here: {folders.logs / 'rustup.log'}")
        return False
    return True


def from_debian(folders: Folders, folder: Path) -> RustToolchain:
    if not debian.is_there():
        raise Failure(f"Rust's standard library for {TARGET} is not there", ADVICE)

    def fill(root: Path) -> None:
        say("fetching a Rust compiler with its source from Debian (once)")
        apt = debian.Apt(root / "apt", None, folders.log("rust"))
        apt.update()
        apt.unpack(with_libraries(apt), root / "root")
        shutil.rmtree(root / "apt")

    try:
        root = folders.once("debian-rust", fill) / "root"
    except Failure as failure:
        raise Failure(str(failure), ADVICE, failure.log) from failure
    libraries = [str(p.parent) for p in root.glob("usr/lib/*/librustc_driver-*.so")]
    libraries += [str(p) for p in root.glob("usr/lib/llvm-*/lib")]
    launcher = folder / "rustc"
    paths = os.pathsep.join(libraries)
    launcher.write_text(
        f'#!/bin/sh\nLD_LIBRARY_PATH="{paths}"; export LD_LIBRARY_PATH\n'
        f'exec "{root}/usr/bin/rustc" "$@"\n',
        encoding="utf-8",
    )
    launcher.chmod(0o755)
    if output_of([launcher, "--version"]) is None:
        raise Failure("Debian's Rust compiler does not run on this machine", ADVICE)
    return RustToolchain(folder, compiler=launcher, builds_std=True)


def with_libraries(apt: debian.Apt) -> list[str]:
    """The packages, and those that the compiler's own libraries need."""
    libraries = apt.dependencies("libstd-rust-web-dev", "libstd-rust-web-")
    compilers = [llvm for name in libraries for llvm in apt.dependencies(name, "libllvm")]
    more = [name for llvm in compilers for name in apt.dependencies(llvm, "lib")]
    # The machine has these, and they must be of one kind with its C library.
    basic = ("libc6", "libgcc", "libstdc++")
    return [*DEBIAN_PACKAGES, *libraries, *compilers, *(m for m in more if not m.startswith(basic))]
