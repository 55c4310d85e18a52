"""The environment of a run: the peers' virtual environment, and the versions of everything."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from servers import APPS, BENCHES, BOLT_HOST, ROOT

REQUIREMENTS = BENCHES / "peers.txt"
WASI = APPS / "wasi_http"
WORLDS = {"0.2": ("p2", "p2_app"), "0.3": ("p3", "p3_app")}
# The folders of WASI's interface definitions in the source of `cargo install wasmtime-cli`.
DEFINITIONS = {"0.2": "wit/deps", "0.3": "src/p3/wit/deps"}
WORLD = """package bench:wasi;

world p2 {{
  import wasi:clocks/monotonic-clock@{version};
  export wasi:http/incoming-handler@{version};
}}
"""
WORLD_3 = """package bench:wasi;

world p3 {{
  import wasi:clocks/monotonic-clock@{version};
  export wasi:http/handler@{version};
}}
"""


def wasi_definitions(version: str) -> Path | None:
    """The folder of WASI's .wit files of one version; None if wasmtime was not built here."""
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    found = sorted(home.glob(f"registry/src/*/wasmtime-wasi-http-*/{DEFINITIONS[version]}"))
    return found[-1] if found else None


def write_world(version: str, folder: Path) -> None:
    """Write a .wit folder for componentize-py: our world, and the definitions that it uses."""
    definitions = wasi_definitions(version)
    if definitions is None:
        raise FileNotFoundError("WASI's definitions come with `cargo install wasmtime-cli`")
    shutil.copytree(definitions, folder / "deps")
    http = (definitions / "http.wit").read_text()
    match = re.search(r"package wasi:http@([0-9.]+);", http)
    exact = match[1] if match else f"{version}.0"
    world = WORLD if version == "0.2" else WORLD_3
    (folder / "world.wit").write_text(world.format(version=exact))


def say(text: str) -> None:
    print(text, flush=True)


def output(*command: str) -> str:
    """The output of a command, or nothing if it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # `wrk --version` exits with 1 even on success.
    return (done.stdout or done.stderr).strip()


def wrk_missing() -> str | None:
    if shutil.which("wrk"):
        return None
    return "wrk is missing: install the Debian package wrk (apt-get install wrk)"


def raise_file_limit(wanted: int = 4096) -> None:
    """A thousand connections need a thousand file descriptors, here and in the servers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        top = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "bolt-host"


def peers_venv(python: str) -> Path:
    """The peers' venv: another requirements file or interpreter gets another folder."""
    key = REQUIREMENTS.read_text() + output(python, "-VV")
    return cache_folder() / f"bench-venv-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def install_peers(python: str) -> Path:
    """Install the peers once; later runs reuse them."""
    venv = peers_venv(python)
    # Written last, so that an interrupted installation is not taken for a complete one.
    done = venv / "installed"
    if done.exists():
        return venv
    shutil.rmtree(venv, ignore_errors=True)
    say(f"making the peers' environment with {output(python, '-V')} (once; about a minute) ...")
    subprocess.run([python, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)]
    subprocess.run(pip, check=True)
    done.touch()
    say("the peers are installed")
    return venv


def build_component(version: str, venv: Path) -> Path:
    """Compile the wasi:http bench app of one version with componentize-py, unless done before."""
    world, app = WORLDS[version]
    built = cache_folder() / f"bench-{version}.wasm"
    sources = [*WASI.glob("*.py"), REQUIREMENTS]
    if built.exists() and built.stat().st_mtime > max(file.stat().st_mtime for file in sources):
        return built
    say(f"building the wasi:http {version} component ...")
    with tempfile.TemporaryDirectory(prefix="bolt-bench-wit-") as folder:
        write_world(version, Path(folder))
        subprocess.run(
            [
                *(str(venv / "bin/componentize-py"), "-d", folder, "-w", world),
                *("componentize", app, "-p", str(WASI), "-o", str(built)),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return built


def locked_version(crate: str) -> str:
    """The version of a crate in Cargo.lock, which was built."""
    try:
        text = (ROOT / "Cargo.lock").read_text()
    except OSError:
        return "unknown"
    match = re.search(rf'^name = "{crate}"\nversion = "([^"]+)"', text, re.MULTILINE)
    return match[1] if match else "unknown"


def peer_versions(venv: Path | None) -> dict[str, str]:
    if venv is None:
        return {}
    python = str(venv / "bin/python")
    listed = output(python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check")
    installed = {package["name"].lower(): package["version"] for package in json.loads(listed)}
    wanted = re.findall(r"^([A-Za-z0-9_-]+)", REQUIREMENTS.read_text(), re.MULTILINE)
    versions = {name.lower(): installed.get(name.lower(), "missing") for name in wanted}
    return {"python of the peers": output(python, "-V").removeprefix("Python "), **versions}


def cpu_model() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def cores() -> int:
    return len(os.sched_getaffinity(0))


def load_before() -> dict[str, str]:
    """The load of the machine before anything is measured; a busy machine spoils a run."""
    load = os.getloadavg()[0]
    if load > 0.5:
        say(f"the machine is busy (load {load:.1f}): the numbers will be worth little")
    return {"load before the run": f"{load:.2f}"}


def describe(venv: Path | None) -> dict[str, str]:
    """The machine and the versions of everything, for the report."""
    facts = {
        "cpu": cpu_model(),
        "cores": str(cores()),
        "kernel": f"{platform.system()} {platform.release()}",
        "commit": output("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "bolt-host": output(str(BOLT_HOST), "--version").removeprefix("bolt-host "),
        "hyper": locked_version("hyper"),
        "tokio": locked_version("tokio"),
        "wasmtime (crate)": locked_version("wasmtime"),
        "wasmtime (tool)": output("wasmtime", "--version").removeprefix("wasmtime "),
        "rustc": output("rustc", "--version").removeprefix("rustc "),
        "wrk": (output("wrk", "--version").splitlines() or [""])[0].split(" Copyright")[0],
        "python of the harness": platform.python_version(),
        **peer_versions(venv),
    }
    if "fatal:" in facts["commit"]:
        facts["commit"] = ""
    return {name: value for name, value in facts.items() if value}


def default_python() -> str:
    return sys.executable
