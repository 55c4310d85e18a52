#!/usr/bin/env python3
"""Measures how long requests wait under load: handlers that compute, and a neighbour beside them.

With C connections that always have a request open, the mean wait is C / rate. A tail that is much
longer means that equal requests do not wait equally long.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import environment
from cases import Case
from clients import paced, percentile
from environment import say
from load import BenchError, send, wrk
from report import OURS
from servers import APPS, BOLT_HOST, SERVERS, Running, bolt_command, free_port, start

HANDLERS = {"rows": ("bolt_app.py", "/rows"), "fib(18)": ("compute_app.py", "/fib")}
CONNECTIONS = (16, 64, 256)
HOST_FILE = """
[server]
listen = ["127.0.0.1:PORT"]
workers = 2
[app.slow]
source = "{apps}/compute_app.py"
prefix = "/slow"
[app.hello]
source = "{apps}/bolt_app.py"
"""


def alone(binary: Path, handler: str, rounds: int, seconds: int) -> list[str]:
    app, path = HANDLERS[handler]
    command = (str(binary), *bolt_command(2, app=app)[1:])
    rates: dict[int, list[float]] = {count: [] for count in CONNECTIONS}
    tails: dict[int, list[float]] = {count: [] for count in CONNECTIONS}
    lines = []
    with start(SERVERS[OURS], Path(), environment.cache_folder(), command) as running:
        for round_ in range(rounds + 1):
            for count in CONNECTIONS:
                case = Case(handler, path, None, connections=count)
                sample = wrk(case, running.port, seconds if round_ else 1, Path("/dev/null"))
                if round_:
                    rates[count].append(sample.requests_per_second)
                    tails[count].append(sample.p99_ms * sample.requests_per_second / count / 1000)
    for count in CONNECTIONS:
        rate, tail = median(rates[count]), median(tails[count])
        mean = count / rate * 1000
        lines.append(
            f"| {handler} | {count} | {rate:.0f} | {mean:.1f} | {tail * mean:.1f} | {tail:.2f} "
            f"| {rate / median(rates[16]):.2f} |"
        )
        say("  " + lines[-1])
    return lines


def tail(port: int, rounds: int, seconds: int) -> float:
    """The median over rounds of the p99 of hello, asked 100 times a second, in ms."""
    return median(percentile(paced(port, "/", 100, seconds), 99) for _ in range(rounds))


def beside(binary: Path, rounds: int, seconds: int) -> list[str]:
    """Hello of one app, alone and beside fib(25) of another."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        file = Path(folder) / "host.toml"
        file.write_text(HOST_FILE.format(apps=APPS).replace("PORT", str(port)))
        log = Path(folder) / "log"
        command = (str(binary), "serve", str(file), "--log-format", "off")
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True
            )
        running = Running(SERVERS[OURS], port, process, log)
        try:
            running.wait_until_ready()
            while (status := send(port, "GET", "/slow/fib25")[0]) == 503:
                time.sleep(0.2)
            if status != 200:
                raise BenchError(f"/slow/fib25 answered {status}")
            lines.append(f"| hello, alone | {tail(port, rounds, seconds):.2f} |")
            say("  " + lines[-1])
            load = ["wrk", "-t1", "-c64", f"-d{seconds * rounds + 2}s"]
            with subprocess.Popen(
                [*load, "--timeout", "30s", f"http://127.0.0.1:{port}/slow/fib25"],
                stdout=subprocess.DEVNULL,
            ):
                time.sleep(1)
                late = tail(port, rounds, seconds)
            lines.append(f"| hello, beside 64 connections of fib(25) | {late:.2f} |")
            say("  " + lines[-1])
        finally:
            running.stop()
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, default=BOLT_HOST, help="the program to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="length of a round")
    args = parser.parse_args()
    today = datetime.date.today().isoformat()
    text = [f"{today}, 2 cores; python3 benches/fair.py\n"]
    text += [
        "| handler | connections | requests/s | mean ms | p99 ms | p99 / mean | rate / rate at 16 |"
    ]
    text += ["|---|---:|---:|---:|---:|---:|---:|"]
    for handler in HANDLERS:
        text += alone(args.binary, handler, args.rounds, args.seconds)
    text += ["", "| request | p99 ms |", "|---|---:|"]
    text += beside(args.binary, args.rounds, args.seconds)
    print("\n".join(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
