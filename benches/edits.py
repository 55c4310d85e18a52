#!/usr/bin/env python3
"""Measures the time from an edit of an app to its answer, under `bolt-host dev`.

Each edit changes what the app answers, so no answer of old code can count. The app of FastAPI needs
a wheel of pydantic-core for the sandbox: see frameworks.py.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import environment
from environment import say
from load import BenchError, send
from report import table
from run import at_least_one
from servers import BOLT_HOST, free_port

PLAIN = """\
from bolt import BoltAPI

api = BoltAPI()


@api.get("/")
def number() -> int:
    return 0
"""
FASTAPI = """\
from fastapi import FastAPI
from pydantic import BaseModel


class Item(BaseModel):
    name: str
    price: float


app = FastAPI()


@app.post("/items")
def order(item: Item) -> Item:
    return item


@app.get("/")
def number() -> int:
    return 0
"""
CASES: tuple[tuple[str, str, list[str], list[str]], ...] = (
    ("an app of bolt", PLAIN, [], []),
    ("FastAPI and pydantic", FASTAPI, ["fastapi==0.165.0", "pydantic==2.14.4"], []),
    (
        "FastAPI and pydantic, --import-again",
        FASTAPI,
        ["fastapi==0.165.0", "pydantic==2.14.4"],
        ["--import-again"],
    ),
)
# Seconds for a start that builds an interpreter, and for one that is built in the background.
PATIENCE = 600.0


def command(app: Path, port: int, wheels: str, packages: list[str], flags: list[str]) -> list[str]:
    words = [str(BOLT_HOST), "dev", str(app), "--port", str(port), "--log-format", "off", *flags]
    for package in packages:
        words += ["--with", package]
    return [*words, *(["--wheels", wheels] if packages else [])]


@contextlib.contextmanager
def dev(words: list[str], port: int, log: Path) -> Iterator[None]:
    """A started host, from its first answer on."""
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait(lambda: process.poll() is not None or is_up(port), log)
        if process.poll() is not None:
            raise BenchError(f"bolt-host ended: {log.read_text()[-1500:]}")
        yield
    finally:
        process.terminate()
        process.wait()


def is_up(port: int) -> bool:
    with contextlib.suppress(BenchError):
        return send(port, "GET", "/", timeout=PATIENCE)[0] == 200
    return False


def wait(is_done: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_done():
        if time.monotonic() > deadline:
            raise BenchError(f"nothing happened in {PATIENCE} s: {log.read_text()[-1500:]}")
        time.sleep(0.1)


def has_built(log: Path) -> bool:
    """Whether no interpreter is being built: what was begun is followed by its compilation."""
    _, begun, after = log.read_text().rpartition("building a runner with")
    return not begun or bool(re.search(r"MB component in .*MB in ", after, re.DOTALL))


def edits(app: Path, source: str, port: int, count: int) -> list[float]:
    """Seconds from each edit to its answer."""
    times = []
    for number in range(1, count + 1):
        start = time.monotonic()
        app.write_text(source.replace("return 0", f"return {number}"))
        status, _, body = send(port, "GET", "/", timeout=PATIENCE)
        times.append(time.monotonic() - start)
        if (status, body) != (200, str(number).encode()):
            raise BenchError(f"edit {number} was answered by {status}: {body[:500]!r}")
    return times


def measure(
    source: str, packages: list[str], flags: list[str], args: argparse.Namespace
) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="bolt-edits-") as folder:
        app, log, port = Path(folder) / "app.py", Path(folder) / "log", free_port()
        app.write_text(source)
        words = command(app, port, args.wheels, packages, flags)
        with dev(words, port, log):
            time.sleep(1)
            wait(lambda: has_built(log), log)
        with dev(words, port, log):
            return edits(app, source, port, args.edits)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", default="wheels", help="folder with a wheel of pydantic-core")
    parser.add_argument("--edits", type=at_least_one, default=10, help="edits of each app")
    parser.add_argument("--record", type=Path, help="write a page with the figures here")
    args = parser.parse_args()
    args.wheels = str(Path(args.wheels).absolute())
    facts, rows = environment.load_before(), []
    for name, source, packages, flags in CASES:
        try:
            times = [1000 * seconds for seconds in measure(source, packages, flags, args)]
        except BenchError as error:
            sys.exit(f"{name}: {error}")
        rows.append([name, *(f"{of(times):.0f}" for of in (statistics.median, min, max))])
        say("  " + "  ".join(rows[-1]))
    text = table(["app", "ms from an edit to its answer, median", "least", "most"], rows)
    say(text)
    if args.record:
        facts |= environment.describe(None)
        cores, cpu, kernel = (facts[key] for key in ("cores", "cpu", "kernel"))
        parts = [
            f"# Edits under `dev`, {datetime.date.today().isoformat()}\n",
            f"{cores} cores ({cpu}), {kernel}. `python3 benches/edits.py --wheels wheels --edits "
            f"{args.edits}`: each app was edited {args.edits} times, and asked at once for what "
            "the edit had changed. The interpreter with its packages was there.\n",
            text,
            "\n## Versions\n",
            *(f"- {name}: {value}" for name, value in facts.items()),
        ]
        args.record.write_text("\n".join(parts) + "\n")
        say(f"written: {args.record}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
