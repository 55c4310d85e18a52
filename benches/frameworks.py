#!/usr/bin/env python3
"""Measures apps of FastAPI, Flask and Django: sandboxed by bolt-host, and on their usual servers.

Processor time is that of all processes of a server. bolt-host needs a wheel of pydantic-core for
the sandbox: `bolt-host wheel pydantic-core==2.50.5 -o wheels`, then `--wheels wheels`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import environment
from cases import ORDER_ANSWER, ORDER_BODY
from data_load import Found, Request, measured, wait_for_others, wrk
from environment import say
from load import BenchError, send
from memory import total
from report import table
from run import at_least_one
from servers import APPS, BOLT_HOST, Server, start

QUIET = 0.15
CONNECTIONS = (1, 16, 64, 256)
HELLO = {"message": "hello", "n": 1}
FASTAPI = ("fastapi==0.165.0", "pydantic==2.14.4", "httpx==0.28.1")
# Packages that bolt-host installs for each app; the peers' versions are in peers.txt.
PACKAGES = {
    "fastapi_app": FASTAPI,
    "framework_fastapi_fresh": FASTAPI,
    "framework_flask": ("flask==3.1.3",),
    "framework_django": ("Django==5.2.19",),
}


@dataclass(frozen=True)
class Case:
    """What is asked of an app, and what it costs beside its usual server."""

    name: str
    app: str
    request: Request
    peer: str
    # How often its processor time must go into the peer's.
    wanted: float
    # Apps that bolt-host serves in another way than the peer.
    ours: str = ""


def is_hello(value: object, _: int) -> bool:
    return value == HELLO


def is_order(value: object, _: int) -> bool:
    return value == ORDER_ANSWER


ASYNC = Request("/async", is_hello)
GET = Request("/", is_hello)
POST = Request("/orders", is_order, body=ORDER_BODY, method="POST")
CASES = {
    case.name: case
    for case in (
        Case("fastapi-hello", "fastapi_app", ASYNC, "uvicorn", 1.5),
        Case("fastapi-order", "fastapi_app", POST, "uvicorn", 1.0),
        Case("fastapi-fresh", "fastapi_app", ASYNC, "uvicorn", 0.0, "framework_fastapi_fresh"),
        Case(
            "fastapi-order-fresh",
            "fastapi_app",
            POST,
            "uvicorn",
            0.0,
            "framework_fastapi_fresh",
        ),
        Case("flask-hello", "framework_flask", GET, "gunicorn", 2.0),
        Case("django-template", "framework_django", Request("/", lambda *_: True), "gunicorn", 1.0),
    )
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--binary", type=Path, default=BOLT_HOST, help="the program to measure")
    add("--wheels", type=Path, required=True, metavar="DIR", help="wheels for the sandbox")
    add(
        "--only",
        nargs="*",
        choices=CASES,
        default=list(CASES),
        metavar="CASE",
        help=", ".join(CASES),
    )
    add("--connections", nargs="*", type=int, default=CONNECTIONS, metavar="N")
    add("--seconds", type=at_least_one, default=3, metavar="S", help="of a measurement (3)")
    add("--rounds", type=at_least_one, default=3, metavar="R", help="default 3")
    add("--python", default=environment.default_python(), help="interpreter for the peers")
    add("--record", type=Path, metavar="FILE", help="write a report, for benches/runs")
    return parser.parse_args()


def ours(case: Case, args: argparse.Namespace, folder: Path) -> Server:
    """bolt-host with the app in a folder of its own, so that it has its own packages only."""
    app = case.ours or case.app
    for name in {app, case.app}:
        shutil.copy(APPS / f"{name}.py", folder)
    (folder / "requirements.txt").write_text("\n".join(PACKAGES[app]) + "\n")
    return Server(
        name="bolt-host",
        command=(
            *(str(args.binary.resolve()), "run", "--build=first", str(folder / f"{app}.py")),
            *("--wheels", str(args.wheels.resolve()), "--port", "{port}", "--workers", "2"),
            *("--log-format", "off"),
        ),
        note="this project: 1 process, 2 workers, otherwise defaults",
        processes=1,
    )


def peer(case: Case) -> Server:
    if case.peer == "uvicorn":
        flags = ("--workers", "2", "--no-access-log", "--log-level", "error")
        command = (
            "{venv}/bin/python",
            "-m",
            "uvicorn",
            f"{case.app}:app",
            "--port",
            "{port}",
            *flags,
        )
        note = "uvicorn[standard], 2 processes"
    else:
        flags = ("--workers", "2", "--log-level", "error", "--bind", "127.0.0.1:{port}")
        command = ("{venv}/bin/python", "-m", "gunicorn", f"{case.app}:app", *flags)
        note = "gunicorn, 2 sync workers"
    return Server(name=case.peer, command=command, note=note, needs_venv=True)


def check(case: Case, port: int) -> None:
    request = case.request
    status, kind, body = send(port, request.method, request.path, request.body)
    if status != 200:
        raise BenchError(f"{request.path} answered {status}: {body[:200]!r}")
    if kind.startswith("application/json") and not request.right(json.loads(body), 1):
        raise BenchError(f"{request.path} answered something else: {body[:200]!r}")


def slowly(case: Case, port: int) -> float:
    """The median time of a request at ten a second, in milliseconds."""
    times = []
    for _ in range(30):
        begun = time.monotonic()
        send(port, case.request.method, case.request.path, case.request.body)
        times.append((time.monotonic() - begun) * 1e3)
        time.sleep(0.1)
    return statistics.median(times)


def turn(case: Case, server: Server, args: argparse.Namespace, venv: Path) -> dict[int, Found]:
    """One server's turn: start it, check its answer, measure it with each number of connections."""
    found = {}
    with (
        tempfile.TemporaryDirectory(prefix="bolt-bench-") as folder,
        start(server, venv, environment.cache_folder()) as running,
    ):
        check(case, running.port)
        for connections in args.connections:
            # gunicorn's sync workers close each connection.
            wrk(case.request, running.port, connections, 1, Path(folder))
            wait_for_others(QUIET, 5)
            found[connections] = measured(
                case.request, running, None, connections, args.seconds, Path(folder)
            )
            found[connections]["memory"] = total(running).pss / 1024
        found[args.connections[0]]["slow"] = slowly(case, running.port)
    return found


def compare(case: Case, args: argparse.Namespace, venv: Path) -> list[list[str]]:
    say(f"{case.name}")
    found: dict[str, dict[int, list[Found]]] = {}
    with tempfile.TemporaryDirectory(prefix="bolt-bench-app-") as folder:
        servers = [ours(case, args, Path(folder)), peer(case)]
        for round_ in range(args.rounds):
            for server in servers if round_ % 2 == 0 else servers[::-1]:
                for connections, one in turn(case, server, args, venv).items():
                    found.setdefault(server.name, {}).setdefault(connections, []).append(one)
    rows = []
    for connections in args.connections:
        own, other = (
            {
                key: statistics.median([one[key] for one in found[server.name][connections]])
                for key in found[server.name][connections][0]
            }
            for server in servers
        )
        ratio = other["us"] / own["us"]
        for server, figures in zip(servers, (own, other), strict=True):
            rows.append(
                [
                    case.name,
                    server.name,
                    str(connections),
                    f"{figures['us']:.1f}",
                    f"{ratio:.2f} (wanted {case.wanted})" if figures is own else "",
                    f"{figures['rate']:.0f}",
                    *(f"{figures[key]:.2f}" for key in ("p50", "p99")),
                    f"{figures['slow']:.2f}" if "slow" in figures else "",
                    f"{figures['memory']:.0f}",
                    f"{figures['others']:.2f}",
                ]
            )
            say("  " + "  ".join(rows[-1][1:]))
    return rows


HEAD = [
    *(
        "case",
        "server",
        "connections",
        "µs of processor time a request",
        "peer's / ours",
        "a second",
    ),
    *("p50 ms", "p99 ms", "p50 ms at 10 a second", "MiB after it", "cores of others"),
]


def main() -> int:
    args = arguments()
    facts = environment.load_before()
    missing = environment.wrk_missing()
    if missing:
        sys.exit(missing)
    try:
        venv = environment.install_peers(args.python)
    except subprocess.CalledProcessError as error:
        sys.exit(f"preparing the peers failed: {error}")
    rows = []
    for name in args.only:
        try:
            rows += compare(CASES[name], args, venv)
        except BenchError as error:
            rows.append([name, f"failed: {error}", *[""] * (len(HEAD) - 2)])
            say(f"  failed: {error}")
    text = table(HEAD, rows)
    say(text)
    if args.record:
        facts |= environment.describe(venv)
        cores, cpu, kernel = (facts[key] for key in ("cores", "cpu", "kernel"))
        parts = [
            f"# Frameworks, {datetime.date.today().isoformat()}\n",
            f"{cores} cores ({cpu}), {kernel}; wrk is on the same machine. "
            f"`python3 benches/frameworks.py --wheels wheels --seconds {args.seconds} "
            f"--rounds {args.rounds}`: {args.seconds} s for each measurement after 1 s of "
            f"warm-up, medians of {args.rounds} rounds in which the servers took turns.\n",
            text,
            "\n## Versions\n",
            *(f"- {name}: {value}" for name, value in facts.items()),
        ]
        args.record.write_text("\n".join(parts) + "\n")
        say(f"written: {args.record}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
