"""Finds the C headers of CPython 3.14, and makes the target's pyconfig.h.

The headers are the same on every platform but for pyconfig.h, whose names come from the one that
is found and whose values come from the target's `_sysconfigdata` module.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from wheel_tool import debian
from wheel_tool.component_libs import ComponentLibs
from wheel_tool.console import Failure, output_of, say
from wheel_tool.folders import Folders

VERSION = "3.14"
# The first release of Debian with CPython 3.14. It stays on the mirrors when a newer one is out.
DEBIAN_RELEASE = "forky"
ASK_INCLUDE = (
    "import sysconfig as s; print(s.get_path('include')); print(s.get_config_h_filename())"
)
ADVICE = (
    "Install Python 3.14 with its headers (`uv python install 3.14`, `brew install python@3.14`, "
    "pyenv, or a package such as python3.14-dev) so that `python3.14` runs, or name the folder "
    "that has Python.h with --headers."
)
DEFINITION = re.compile(
    r"#\s*define\s+(?P<defined>[A-Za-z_]\w*)\b|/\*\s*#\s*undef\s+(?P<undefined>[A-Za-z_]\w*)\s*\*/"
)


def python_headers(folders: Folders, libs: ComponentLibs, named: Path | None) -> Path:
    """A folder with Python.h and the target's pyconfig.h."""
    source, config = find(folders, named)
    name = f"headers-{VERSION}-{libs.folder.name}"
    if named is not None:
        name += "-named"
        shutil.rmtree(folders.tools / name, ignore_errors=True)

    def fill(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        (folder / "pyconfig.h").unlink(missing_ok=True)
        variables = libs.build_time_vars()
        template = config.read_text(encoding="utf-8")
        (folder / "pyconfig.h").write_text(target_config(template, variables), encoding="utf-8")

    return folders.once(name, fill)


def find(folders: Folders, named: Path | None) -> tuple[Path, Path]:
    """A folder of headers and a pyconfig.h that names what can be defined."""
    if named is not None:
        if is_version(named):
            return named, named / "pyconfig.h"
        raise Failure(f"{named} has no Python.h of CPython {VERSION}", ADVICE)
    shown = output_of([f"python{VERSION}", "-I", "-c", ASK_INCLUDE])
    if shown:
        include, config = (Path(line) for line in shown.splitlines())
        if is_version(include) and config.is_file():
            say(f"headers of CPython {VERSION}: {include}")
            return include, config
    return from_debian(folders)


def from_debian(folders: Folders) -> tuple[Path, Path]:
    if not debian.is_there():
        raise Failure(f"this machine has no C headers of CPython {VERSION}", ADVICE)

    def fill(folder: Path) -> None:
        say(f"fetching the C headers of CPython {VERSION} from Debian {DEBIAN_RELEASE} (once)")
        apt = debian.Apt(folder / "apt", DEBIAN_RELEASE, folders.log("headers"))
        apt.update()
        apt.unpack([f"libpython{VERSION}-dev"], folder / "root")
        shutil.rmtree(folder / "apt")

    try:
        root = folders.once(f"debian-headers-{VERSION}", fill) / "root"
    except Failure as failure:
        raise Failure(str(failure), ADVICE, failure.log) from failure
    # The one under the architecture's folder has the definitions, the other one chooses.
    configs = sorted(root.glob(f"usr/include/*/python{VERSION}/pyconfig.h"))
    include = root / "usr/include" / f"python{VERSION}"
    if not configs or not is_version(include):
        raise Failure(f"Debian's package of CPython {VERSION} has no headers", ADVICE)
    return include, configs[0]


def is_version(include: Path) -> bool:
    level = include / "patchlevel.h"
    if not (include / "Python.h").is_file() or not level.is_file():
        return False
    version = re.search(r'define\s+PY_VERSION\s+"([\d.]+)', level.read_text(encoding="utf-8"))
    return version is not None and version[1].startswith(f"{VERSION}.")


def target_config(template: str, variables: dict[str, object]) -> str:
    """The template with the target's values."""
    lines = []
    for line in template.splitlines():
        match = DEFINITION.match(line.strip())
        name = (match["defined"] or match["undefined"]) if match else None
        # sysconfig records names that begin with a capital letter; the others are the same
        # everywhere, or are chosen by the compiler's own macros.
        if name is None or not name[0].isupper() or name == "WORDS_BIGENDIAN":
            lines.append(line)
            continue
        value = variables.get(name, 0)
        # Absent and zero are one to sysconfig; HAVE_DECL_... is defined either way.
        if value in (0, "") and not name.startswith("HAVE_DECL_"):
            lines.append(f"/* {name} is not defined */")
        else:
            lines.append(f"#define {name} {value}")
    return "\n".join(lines) + "\n"
