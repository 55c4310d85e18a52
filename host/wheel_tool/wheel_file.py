"""Turns what a build made into a wheel of the sandbox's platform, and checks that it can load."""

from __future__ import annotations

import base64
import hashlib
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from wheel_tool.console import Failure
from wheel_tool.wasm_module import MAGIC, NotWasm, read_module

TAG = "cp314-cp314-wasi_0_0_0_wasm32"
SUFFIXES = (".cpython-314-wasm32-wasi.so", ".abi3.so")
# What the linker of componentize-py defines itself.
LINKER = {
    *("memory", "__indirect_function_table", "__stack_pointer", "__memory_base", "__table_base"),
    *("__heap_base", "__heap_end", "dlopen", "dlsym", "dlclose", "dlerror", "__wasm_call_ctors"),
    *("__stack_high", "__stack_low"),
}
SHOWN = 12
# The first time that a zip file can hold.
ZIP_EPOCH = 315532800


@dataclass(frozen=True)
class Finished:
    path: Path
    extensions: list[str]


def finish(built: Path, out: Path, exports: set[str], date: int) -> Finished:
    """Write the wheel into `out` with its final tag; one without extensions is left as it is."""
    with zipfile.ZipFile(built) as wheel:
        files = {i.filename: wheel.read(i) for i in wheel.infolist() if not i.is_dir()}
    extensions = [name for name in files if name.endswith((".so", ".pyd", ".dylib"))]
    check(files, extensions, exports)
    name, version = built.name.split("-")[:2]
    info = dist_info(files)
    if extensions:
        path = out / f"{name}-{version}-{TAG}.whl"
        files[f"{info}/WHEEL"] = retagged(files[f"{info}/WHEEL"])
    else:
        path = out / built.name
    files.pop(f"{info}/RECORD", None)
    write(path, files, info, max(date, ZIP_EPOCH))
    return Finished(path, extensions)


def dist_info(files: dict[str, bytes]) -> str:
    folders = {name.split("/")[0] for name in files if name.endswith(".dist-info/WHEEL")}
    if len(folders) != 1:
        raise Failure("the build made no proper wheel: it has no single .dist-info folder")
    return folders.pop()


def retagged(wheel: bytes) -> bytes:
    lines = [
        line
        for line in wheel.decode("utf-8").splitlines()
        if line.strip() and not line.startswith(("Tag:", "Root-Is-Purelib:"))
    ]
    lines += ["Root-Is-Purelib: false", f"Tag: {TAG}"]
    return ("\n".join(lines) + "\n").encode("utf-8")


def write(path: Path, files: dict[str, bytes], info: str, date: int) -> None:
    """A wheel that is the same, byte for byte, whenever its files are."""
    record = []
    for name, data in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{quoted(name)},sha256={digest},{len(data)}")
    record.append(f"{quoted(info)}/RECORD,,")
    # The wheel's own description comes last, as the format asks.
    last = f"{info}/"
    ordered = sorted(files, key=lambda name: (name.startswith(last), name))
    stamp = time.gmtime(date)[:6]
    partial = path.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name in [*ordered, f"{info}/RECORD"]:
            data = files[name] if name in files else ("\n".join(record) + "\n").encode("utf-8")
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            wheel.writestr(entry, data)
    partial.replace(path)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name


def check(files: dict[str, bytes], extensions: list[str], exports: set[str]) -> None:
    """Whether each extension is of the sandbox's platform, and all that it calls is there."""
    modules = {}
    for name in extensions:
        if not files[name].startswith(MAGIC) or not name.endswith(SUFFIXES):
            raise Failure(
                f"{name} was built for this machine, not for the sandbox",
                "The package's build does not take CC and LDSHARED from the environment, or "
                "builds with a tool that is not known here; it needs a recipe.",
            )
        try:
            modules[name] = read_module(files[name])
        except NotWasm:
            raise Failure(f"{name} is not a module that can be read") from None
    exports = exports.union(LINKER, *(module.exports for module in modules.values()))
    for name, module in modules.items():
        if not module.is_dynamic:
            raise Failure(f"{name} is not a dynamic library", "It needs a recipe.")
        missing = sorted(
            symbol
            for source, symbol in module.imports - module.weak_imports
            if source in ("env", "GOT.mem", "GOT.func") and symbol not in exports
        )
        if missing:
            more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            raise Failure(
                f"{name} calls what the sandbox does not have: {', '.join(missing[:SHOWN])}{more}",
                "The package uses something that WASI lacks (threads, processes, signals), or a "
                "C library that is not in its source.",
            )
