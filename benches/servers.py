"""The servers: how to start each one, wait for it and stop it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from load import BenchError, send

BENCHES = Path(__file__).resolve().parent
ROOT = BENCHES.parent
APPS = BENCHES / "apps"
BOLT_HOST = ROOT / "target/release/bolt-host"
BARE_HYPER = ROOT / "target/release/bare_hyper"

# A first start may have to build something (bolt-host compiles the app).
START_SECONDS = 120
STOP_SECONDS = 10


def bolt_command(workers: int = 2, *more: str, app: str = "bolt_app.py") -> tuple[str, ...]:
    """The command line of bolt-host, which only this function knows."""
    flags = ("--port", "{port}", "--workers", str(workers), "--log-format", "off")
    return (str(BOLT_HOST), "run", "--build=first", str(APPS / app), *flags, *more)


@dataclass(frozen=True)
class Server:
    """One server. `start` fills in `{port}` and `{venv}` in its command and environment."""

    name: str
    command: tuple[str, ...]
    note: str
    cwd: Path = APPS
    env: dict[str, str] = field(default_factory=dict)
    # The number of processes that answer requests, for the memory case.
    processes: int = 2
    # Whether it refuses wrong types; checked before measuring.
    validates: bool = True
    needs_venv: bool = False
    # A required file or program on PATH, and what to do if it is missing.
    needs: str = ""
    advice: str = ""
    # The wasi:http version of the component that it needs.
    component: str = ""
    # Whether it ends when it is terminated; others are killed at once.
    ends: bool = True

    def missing(self) -> str | None:
        """Why this server cannot run here, or None."""
        if not self.needs or shutil.which(self.needs):
            return None
        return f"{self.name} is left out: there is no {Path(self.needs).name} ({self.advice})"


def wasmtime_serve(version: str, world_flag: str) -> Server:
    return Server(
        name=f"wasmtime-{version}",
        command=(
            *("wasmtime", "serve", world_flag, "--addr", "127.0.0.1:{port}"),
            f"{{cache}}/bench-{version}.wasm",
        ),
        note=f"`wasmtime serve` running a componentize-py component for wasi:http {version}; "
        "stdlib json, input checked by hand; 2 runtime threads",
        # As many threads as other servers have workers.
        env={"TOKIO_WORKER_THREADS": "2"},
        processes=1,
        needs_venv=True,
        needs="wasmtime",
        advice="install the wasmtime command-line tool",
        component=version,
    )


SERVERS = {
    server.name: server
    for server in (
        Server(
            name="hyper",
            command=(str(BARE_HYPER), "--port", "{port}", "--threads", "2"),
            note="hyper alone, 2 threads, bytes made beforehand: no Python, no checks; the ceiling",
            processes=1,
            validates=False,
            needs=str(BARE_HYPER),
            advice="cargo build --release --workspace --bin bare_hyper",
        ),
        Server(
            name="bolt-host",
            command=bolt_command(),
            note="this project: 1 process, 2 workers, Struct for the order",
            processes=1,
            needs=str(BOLT_HOST),
            advice="cargo build --release",
        ),
        Server(
            name="fastapi",
            command=(
                *("{venv}/bin/python", "-m", "uvicorn", "fastapi_app:app"),
                *("--host", "127.0.0.1", "--port", "{port}", "--workers", "2"),
                *("--no-access-log", "--log-level", "error"),
            ),
            note="FastAPI on uvicorn[standard], 2 processes, pydantic for the order",
            needs_venv=True,
        ),
        Server(
            name="django-bolt",
            command=(
                *("{venv}/bin/python", "manage.py", "runbolt", "--host", "127.0.0.1"),
                *("--port", "{port}", "--processes", "2", "--no-admin"),
            ),
            cwd=APPS / "django_bolt",
            note="Django-Bolt, 2 processes, msgspec Struct for the order, logging off",
            needs_venv=True,
        ),
        Server(
            name="robyn",
            command=(
                *("{venv}/bin/python", "robyn_app.py"),
                *("--processes", "2", "--log-level", "WARN", "--disable-openapi"),
            ),
            env={"PORT": "{port}"},
            note="Robyn, 2 processes, its pydantic support for the order, logging off",
            needs_venv=True,
        ),
        Server(
            name="granian",
            command=(
                *("{venv}/bin/granian", "--interface", "asginl", "--loop", "uvloop"),
                *("--host", "127.0.0.1", "--port", "{port}", "--workers", "2"),
                *("--no-access-log", "--log-level", "error", "asgi_app:app"),
            ),
            note="Granian with a bare ASGI function, 2 processes, msgspec; no framework",
            needs_venv=True,
        ),
        wasmtime_serve("0.2", "-Scli"),
        wasmtime_serve("0.3", "-Scommon"),
    )
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Running:
    """A started server. It leads its own session, so that its children can be found."""

    server: Server
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        if self.process.poll() is not None:
            raise BenchError(
                f"{self.server.name} ended with code {self.process.returncode}: {self.log_tail()}"
            )

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-1500:].strip() or "(it printed nothing)"

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.check()
            with contextlib.suppress(BenchError):
                if send(self.port, "GET", "/", timeout=5)[0] == 200:
                    break
            if time.monotonic() > deadline:
                raise BenchError(
                    f"{self.server.name} did not answer in {START_SECONDS} s: {self.log_tail()}"
                )
            time.sleep(0.05)
        if self.server.processes > 1:
            # One process answers; give the others time to start too.
            time.sleep(1)

    def stop(self) -> None:
        if self.server.ends:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        # Some leave workers behind when they are terminated; the next server
        # must not share the machine with them.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def start(
    server: Server, venv: Path, cache: Path, command: tuple[str, ...] | None = None
) -> Iterator[Running]:
    """Start a server on a free port, yield it once it answers, and stop it afterwards."""
    port = free_port()

    def fill(text: str) -> str:
        return (
            text.replace("{port}", str(port))
            .replace("{venv}", str(venv))
            .replace("{cache}", str(cache))
        )

    env = os.environ | {name: fill(value) for name, value in server.env.items()}
    # Measuring must not leave files beside the apps.
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    with tempfile.TemporaryDirectory(prefix="bolt-bench-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [fill(part) for part in command or server.command],
                cwd=server.cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        running = Running(server, port, process, log)
        try:
            running.wait_until_ready()
            yield running
        finally:
            running.stop()
