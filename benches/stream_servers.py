"""The servers of streams.py: how to start each one, and what a bolt-host cannot do yet."""

from __future__ import annotations

import re
from pathlib import Path

import environment
from servers import APPS, Server, bolt_command

UVICORN = ("{venv}/bin/python", "-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}")
GRANIAN = ("{venv}/bin/granian", "--host", "127.0.0.1", "--port", "{port}", "--loop", "uvloop")
QUIET = ("--no-access-log", "--log-level", "error")
# More than the default of 10,000, so that no client is refused while others are still leaving.
STREAMS = ("--max-streams", "100000", "--concurrency", "100000", "--connections", "100000")


def bolt_host(binary: Path, app: str, workers: int) -> Server:
    command = bolt_command(workers, *STREAMS, app=app)
    return Server(
        name="bolt-host",
        command=(str(binary), *command[1:]),
        note=f"this project: {workers} worker(s)",
        processes=1,
        needs=str(binary),
        advice="cargo build --release",
    )


PEERS = {
    server.name: server
    for server in (
        Server(
            name="fastapi",
            command=(*UVICORN, *QUIET, "stream_fastapi:app"),
            note="FastAPI on uvicorn[standard], 1 process; the topic is a queue for each client",
            processes=1,
            needs_venv=True,
        ),
        Server(
            name="django-bolt",
            command=(
                *("{venv}/bin/python", "manage.py", "runbolt", "--host", "127.0.0.1"),
                *("--port", "{port}", "--processes", "1", "--no-admin"),
            ),
            cwd=APPS / "django_bolt",
            env={"DJANGO_SETTINGS_MODULE": "stream_settings"},
            note="Django-Bolt, 1 process; the topic is a queue for each client",
            processes=1,
            needs_venv=True,
            ends=False,
        ),
        Server(
            name="uvicorn",
            command=(
                *(*UVICORN, *QUIET, "--loop", "uvloop"),
                *("--ws", "websockets-sansio", "stream_asgi:app"),
            ),
            note="uvicorn with websockets-sansio and uvloop, a bare ASGI function, 1 process",
            processes=1,
            needs_venv=True,
        ),
        Server(
            name="granian-rsgi",
            command=(*GRANIAN, *QUIET, "--interface", "rsgi", "stream_rsgi:app"),
            note="Granian, a bare RSGI function, 1 worker",
            processes=1,
            needs_venv=True,
        ),
        Server(
            name="granian-asgi",
            command=(*GRANIAN, *QUIET, "--interface", "asginl", "stream_asgi:app"),
            note="Granian, a bare ASGI function, 1 worker",
            processes=1,
            needs_venv=True,
        ),
        Server(
            name="robyn",
            command=("{venv}/bin/python", "stream_robyn.py", "--log-level", "WARN"),
            env={"PORT": "{port}"},
            note="Robyn, 1 process",
            processes=1,
            needs_venv=True,
            ends=False,
        ),
    )
}


def lacking(binary: Path, names: tuple[str, ...]) -> str | None:
    """Why this bolt-host cannot run an app that imports these names, or None."""
    folder = environment.output(str(binary), "sdk")
    known = ""
    for module in ("__init__", "sse", "websockets"):
        file = Path(folder) / "bolt" / f"{module}.py"
        if folder and file.exists():
            known += file.read_text()
    missing = [name for name in names if not re.search(rf"\b{name}\b", known)]
    return f"this bolt-host has no {', '.join(missing)}" if missing else None
