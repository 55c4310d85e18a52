"""Stands in for a C compiler, a linker and an archiver that know the sandbox's platform.

It is run as a program: `driver.py SETTINGS TOOL ARGUMENTS...`, where SETTINGS is the file that
`c_toolchain` writes. Build systems call it as they would call gcc: what wasm has no word for is
left out, and libraries that the sandbox's Python brings are linked in place of the machine's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

# It is run alone, without the package's folder on the path.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from wheel_tool import casts  # noqa: E402

Settings = dict[str, Any]

SOURCES = (".c", ".cc", ".cpp", ".cxx", ".c++", ".S", ".s")
CPLUSPLUS = (".cc", ".cpp", ".cxx", ".c++")
# Arguments that are of another machine, or that wasm has no word for; a pattern for each.
DROPPED = re.compile(
    r"-m(arch|tune|cpu|fpu|fpmath|sse|avx|fma|popcnt|bmi|64|32|no-|macosx).*|-g\d?|-ggdb.*|-pthread"
    r"|--target=.*|-fstack-.*|-fcf-protection.*|-flto.*|-ffat-lto.*|-fno-semantic-interposition"
    r"|-fexceptions|-fuse-linker-plugin|-Wl,.*|-rdynamic|-bundle|-pie|-fPIE|-fpie|-no-pie|-s"
    r"|-Werror.*|-fno-strict-overflow|-specs=.*|-Wp,-D_FORTIFY.*|-D_FORTIFY_SOURCE.*"
)
# The same, with a value that follows.
DROPPED_PAIRS = ("-arch", "-isysroot", "-target", "-undefined", "-Xlinker", "-install_name")
# Libraries that are part of the sandbox's libc, or of its Python.
BUILT_IN = re.compile(r"-l(m|c|pthread|dl|rt|util|python3.*|stdc\+\+|c\+\+|c\+\+abi|gcc.*|atomic)")
# What the C library of WASI declares only for those who link its emulation.
EMULATED = ("SIGNAL", "GETPID", "PROCESS_CLOCKS", "MMAN")
# One module's functions must not stand in for another's: only what is marked as exported is seen.
COMPILE = ["-fPIC", "-fno-sanitize=all", "-fno-stack-protector", "-fvisibility=hidden"]
CPLUSPLUS_FLAGS = ["-fno-exceptions", "-fvisibility-inlines-hidden"]
SHARED = ["-shared", "--experimental-pic", "--no-entry", "--strip-debug", "--gc-sections"]


def main(settings_file: str, tool: str, arguments: list[str]) -> int:
    with open(settings_file, encoding="utf-8") as file:
        settings = json.load(file)
    arguments = with_response_files(arguments)
    if tool in ("ar", "ranlib"):
        return call([*settings[tool], *arguments])
    if tool == "rust-ld":
        return call([*settings["ld"], *rust_link(arguments, settings)])
    return compile_or_link(tool, arguments, settings)


def call(command: list[str]) -> int:
    return subprocess.run(command).returncode


def with_response_files(arguments: list[str]) -> list[str]:
    """The arguments, with those that are in files (`@file`, one a line)."""
    whole = []
    for argument in arguments:
        if argument.startswith("@") and os.path.isfile(argument[1:]):
            with open(argument[1:], encoding="utf-8") as file:
                whole += [line.strip().strip('"') for line in file if line.strip()]
        else:
            whole.append(argument)
    return whole


def compile_or_link(tool: str, arguments: list[str], settings: Settings) -> int:
    kept = for_target(arguments, settings)
    if "--version" in kept or "-v" in kept or not kept:
        return call([*settings["cc"], *kept])
    is_link = not any(a in ("-c", "-E", "-S", "-M", "-MM") or a.startswith("-print") for a in kept)
    has_cplusplus = tool == "c++" or any(a.endswith(CPLUSPLUS) for a in kept)
    compiler = compiler_call("c++" if has_cplusplus else "cc", settings)
    if not is_link:
        return compile_source(compiler, kept, settings)
    if "-shared" not in kept:
        # A program that a configure script tries; it is linked with the compiler's own libc.
        return call([*compiler, *(a for a in kept if not BUILT_IN.fullmatch(a))])
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for number, argument in enumerate(kept):
            if not argument.endswith(SOURCES):
                objects.append(argument)
                continue
            made = os.path.join(folder, f"{number}.o")
            flags = [a for a in kept if a.startswith(("-D", "-I", "-U", "-O", "-f", "-std="))]
            one = [*flags, "-c", argument, "-o", made]
            if code := compile_source(compiler, one, settings):
                return code
            objects.append(made)
        return call([*settings["ld"], *shared_link(objects, settings)])


def compile_source(compiler: list[str], arguments: list[str], settings: Settings) -> int:
    """Compile; where Python would call a function by another type, mend that and compile again."""
    command = [*compiler, *arguments, *casts.FLAGS]
    if "-c" not in arguments:
        return call([*compiler, *arguments])
    work = Path(settings["work"]).resolve()
    left: list[casts.Cast] = []
    for _ in range(2):
        done = subprocess.run(command, stderr=subprocess.PIPE)
        output = done.stderr.decode("utf-8", "replace")
        found = casts.wrong_casts(output, Path.cwd())
        left = casts.mend(found, work)
        if len(left) == len(found):
            break
        print(f"mended {len(found) - len(left)} casts of functions", file=sys.stderr)
    sys.stderr.write(output)
    for cast in left:
        # The build's log is searched for this.
        print(f"{casts.LEFT} {cast.file}:{cast.line}: {cast.type}", file=sys.stderr)
    return done.returncode


def compiler_call(tool: str, settings: Settings) -> list[str]:
    defines = [f"-D_WASI_EMULATED_{name}" for name in EMULATED]
    includes = [f"-I{settings['headers']}"]
    maps = [f"-ffile-prefix-map={settings['work']}=."]
    flags = settings["c++flags"] + CPLUSPLUS_FLAGS if tool == "c++" else []
    return [*settings[tool], *COMPILE, *flags, *defines, *maps, *includes]


def for_target(arguments: list[str], settings: Settings) -> list[str]:
    """The arguments without those that are of this machine."""
    kept = []
    rest = iter(arguments)
    for argument in rest:
        if argument in DROPPED_PAIRS:
            next(rest, None)
        elif argument in ("-I", "-isystem", "-idirafter", "-L"):
            path = next(rest, "")
            if is_target_path(path, settings):
                kept += [argument, path]
        elif argument.startswith(("-I", "-L")):
            if is_target_path(argument[2:], settings):
                kept.append(argument)
        elif not DROPPED.fullmatch(argument):
            kept.append(argument)
    return kept


def is_target_path(path: str, settings: Settings) -> bool:
    """Whether a folder of headers or libraries is not this machine's own."""
    if os.path.isfile(os.path.join(path, "Python.h")):
        return os.path.realpath(path) == os.path.realpath(str(settings["headers"]))
    system = ("/usr/include", "/usr/lib", "/usr/local", "/lib", "/opt/homebrew")
    return not os.path.abspath(path).startswith(system)


def shared_link(arguments: list[str], settings: Settings) -> list[str]:
    """What wasm-ld is told for an extension of Python."""
    kept = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "-o":
            kept += ["-o", next(rest)]
        elif argument in ("-I", "-D", "-isystem"):
            next(rest, None)
        elif argument == "-L":
            kept.append("-L" + next(rest))
        elif argument.startswith("-l"):
            if not BUILT_IN.fullmatch(argument):
                kept.append(argument)
        elif argument.startswith("-L") or not argument.startswith("-"):
            kept.append(argument)
    return [*SHARED, *kept, f"-L{settings['libraries']}", *libraries(settings)]


def libraries(settings: Settings) -> list[str]:
    names = ["python3.14", "c", "c++", "c++abi"]
    names += [f"wasi-emulated-{n.lower().replace('_', '-')}" for n in EMULATED]
    return [*(f"-l{name}" for name in names), settings["builtins"]]


def rust_link(arguments: list[str], settings: Settings) -> list[str]:
    """What rustc tells the linker, for a dynamic library of which only the module is seen."""
    kept = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "-flavor":
            next(rest, None)
        elif argument == "--export":
            name = next(rest, "")
            if name.startswith("PyInit_"):
                kept += ["--export", name]
        else:
            kept.append(argument)
    # First, so that what it defines is not looked for in the standard library.
    first = [*SHARED, settings["rust-stand-ins"]]
    return [*first, *kept, f"-L{settings['libraries']}", *libraries(settings)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
