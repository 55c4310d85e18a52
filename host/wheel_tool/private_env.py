"""Virtual environments: the tool's own, and one for each package's build requirements."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from wheel_tool.console import Failure, run, say
from wheel_tool.folders import Folders

# Pinned, so that a wheel does not change with the day on which it is built.
TOOLS = ("ziglang==0.17.1", "zstandard==0.25.0", "packaging==26.4")
VENV_ADVICE = (
    "Building needs Python 3.10 or newer with its venv module (Debian: apt install python3-venv)."
)
INDEX_ADVICE = (
    "Building needs the Python package index; pip's own settings (a proxy, a mirror) hold."
)


def python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def site_packages(environment: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return environment / "lib" / version / "site-packages"


def make(environment: Path, requirements: Sequence[str], log: Path) -> None:
    """Create an environment and install into it; the pip is the one that runs this tool."""
    run(
        [sys.executable, "-m", "venv", "--without-pip", environment],
        log,
        "a Python environment could not be made",
        advice=VENV_ADVICE,
    )
    install(environment, requirements, log)


def install(environment: Path, requirements: Sequence[str], log: Path) -> None:
    if not requirements:
        return
    # This platform's wheels: nothing of the target may be in the variables.
    env = {k: v for k, v in os.environ.items() if not k.startswith("_PYTHON_")}
    run(
        [
            *(sys.executable, "-m", "pip", "--python", python_of(environment)),
            *("install", "--quiet", "--disable-pip-version-check", *requirements),
        ],
        log,
        f"{', '.join(requirements)} could not be installed",
        advice=INDEX_ADVICE,
        env=env,
    )


def tools_environment(folders: Folders) -> Path:
    """The tool's own environment, whose packages can be imported from here on."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(" ".join(TOOLS).encode()).hexdigest()[:8]

    def fill(folder: Path) -> None:
        say("installing the compiler for C and C++ from the package index (once)")
        make(folder, TOOLS, folders.log("tools"))

    environment = folders.once(f"python-{version}-{digest}", fill)
    packages = site_packages(environment)
    if not packages.is_dir():
        raise Failure(f"{environment} is not whole", f"Remove {environment} and try again.")
    sys.path.insert(0, str(packages))
    return environment


def zig_of(environment: Path) -> Path:
    return site_packages(environment) / "ziglang" / "zig"
