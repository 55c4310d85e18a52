"""Takes the libraries of the sandbox's Python out of componentize-py, to link against.

componentize-py carries them compressed and without names in its own library: each is a frame of
zstandard. A library is known by a symbol that it alone exports.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheel_tool.console import Failure, say
from wheel_tool.folders import Folders
from wheel_tool.wasm_module import MAGIC, read_module

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
SYSCONFIG = "_sysconfigdata__wasi_wasm32-wasi"
# The library's name, and symbols that say which it is.
MARKS = {
    "libpython3.14.so": {"Py_GetBuildInfo", "PyObject_Malloc"},
    "libc.so": {"closedir", "malloc"},
    "libc++abi.so": {"__cxa_bad_cast", "__cxa_pure_virtual"},
    "libwasi-emulated-mman.so": {"mmap", "munmap"},
    "libwasi-emulated-process-clocks.so": {"times", "getrusage"},
    "libwasi-emulated-getpid.so": {"getpid"},
    "libwasi-emulated-signal.so": {"raise", "signal"},
}
# It exports templates whose names change: it is the one that asks for libc++abi.so.
LIBCXX = "libc++.so"
ADVICE = "This tool knows componentize-py 0.25: let bolt-host choose the version."


@dataclass(frozen=True)
class ComponentLibs:
    """Libraries of the target in `folder`, and its `_sysconfigdata` module in `sysconfig`."""

    folder: Path

    @property
    def libraries(self) -> Path:
        return self.folder / "lib"

    @property
    def sysconfig(self) -> Path:
        return self.folder / "sysconfig"

    def build_time_vars(self) -> dict[str, Any]:
        scope: dict[str, Any] = {}
        source = (self.sysconfig / f"{SYSCONFIG}.py").read_text(encoding="utf-8")
        exec(compile(source, SYSCONFIG, "exec"), scope)
        variables: dict[str, Any] = scope["build_time_vars"]
        return variables

    def exports(self) -> set[str]:
        names: set[str] = set()
        for path in self.libraries.glob("*.so"):
            names |= read_module(path.read_bytes()).exports
        return names


def component_libs(folders: Folders, toolchain: Path) -> ComponentLibs:
    data = extension_of(toolchain)
    name = f"libs-{hashlib.sha256(data).hexdigest()[:16]}"
    return ComponentLibs(folders.once(name, lambda folder: extract(data, folder)))


def extension_of(toolchain: Path) -> bytes:
    """The library inside the wheel, or the site-packages folder, of componentize-py."""
    if toolchain.is_file():
        with zipfile.ZipFile(toolchain) as wheel:
            for name in wheel.namelist():
                if name.startswith("componentize_py/") and name.endswith((".so", ".pyd")):
                    return wheel.read(name)
    for folder in (toolchain / "componentize_py", toolchain):
        for path in sorted([*folder.glob("componentize_py*.so"), *folder.glob("*.pyd")]):
            return path.read_bytes()
    raise Failure(f"no componentize-py was found in {toolchain}", ADVICE)


def extract(data: bytes, folder: Path) -> None:
    say("taking the libraries of the sandbox's Python out of componentize-py (once)")
    libraries, sysconfig = folder / "lib", folder / "sysconfig"
    libraries.mkdir()
    sysconfig.mkdir()
    found: set[str] = set()
    for content in frames(data):
        if content.startswith(MAGIC):
            name = library_name(content)
            if name is not None:
                (libraries / name).write_bytes(content)
                found.add(name)
        elif f"{SYSCONFIG}.py".encode() in content:
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                member = archive.extractfile(f"{SYSCONFIG}.py")
                if member is not None:
                    (sysconfig / f"{SYSCONFIG}.py").write_bytes(member.read())
                    found.add(SYSCONFIG)
    missing = {*MARKS, LIBCXX, SYSCONFIG} - found
    if missing:
        raise Failure(f"componentize-py has no {', '.join(sorted(missing))}", ADVICE)


def frames(data: bytes) -> list[bytes]:
    """The content of each frame of zstandard in the data."""
    import zstandard  # of the tool's own environment

    contents = []
    at = 0
    while (at := data.find(ZSTD_MAGIC, at)) >= 0:
        decoder = zstandard.ZstdDecompressor().decompressobj()
        try:
            content = decoder.decompress(data[at:])
        except zstandard.ZstdError:
            content = b""
        if decoder.eof and content:
            contents.append(content)
            at = len(data) - len(decoder.unused_data)
        else:
            # The four bytes were there by chance.
            at += len(ZSTD_MAGIC)
    return contents


def library_name(content: bytes) -> str | None:
    module = read_module(content)
    if not module.is_dynamic:
        return None
    if "libc++abi.so" in module.needed:
        return LIBCXX
    for name, marks in MARKS.items():
        if marks <= module.exports:
            return name
    return None
