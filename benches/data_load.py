"""Loads the servers of data.py: requests with a number, latencies, and who used the processor."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from databases import USERS, Postgres
from load import BenchError, Sample, find, parse, send
from memory import processor_seconds
from servers import BENCHES, Running

NUMBERS_LUA = BENCHES / "numbers.lua"
Found = dict[str, float]


@dataclass(frozen=True)
class Request:
    """What clients ask for: {n} in the path is a number from 1, another one in each request."""

    path: str
    # Whether the answer to a number is right.
    right: Callable[[Any, int], bool]
    numbers: int = USERS
    body: bytes | None = None
    method: str = "GET"
    # One that has to be refused with a 4xx.
    bad_path: str | None = None
    bad_body: bytes | None = None

    def to(self, number: int) -> str:
        return self.path.replace("{n}", str(number))


def with_moments(value: Any) -> Any:
    """JSON with what `created` is as a datetime: servers write moments in several ways."""
    if isinstance(value, list):
        return [with_moments(one) for one in value]
    if not isinstance(value, dict) or not isinstance(value.get("created"), str):
        return value
    moment = datetime.fromisoformat(value["created"])
    # SQLite knows no zones.
    return {**value, "created": moment if moment.tzinfo else moment.replace(tzinfo=UTC)}


def verify(request: Request, port: int) -> None:
    """Check some answers before measuring: a fast wrong one is worth nothing."""
    for number in sorted({1, max(1, request.numbers // 2), request.numbers}):
        path = request.to(number)
        status, kind, body = send(port, request.method, path, request.body)
        if status != 200 or not kind.startswith("application/json"):
            raise BenchError(f"{path} answered {status}, {kind!r}: {body[:200]!r}")
        if not request.right(with_moments(json.loads(body)), number):
            raise BenchError(f"{path} answered something else: {body[:200]!r}")
    if request.bad_path or request.bad_body:
        path = request.bad_path or request.to(1)
        status = send(port, request.method, path, request.bad_body or request.body)[0]
        if not 400 <= status < 500:
            raise BenchError(f"{path} let a wrong value pass: {status}")


def wrk(request: Request, port: int, connections: int, seconds: int, folder: Path) -> Found:
    """Run wrk once; a failed request anywhere in the run is an error."""
    url = f"http://127.0.0.1:{port}{request.to(1)}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
    command += ["-s", str(NUMBERS_LUA), url, "--", request.method, request.path]
    command.append(str(request.numbers))
    if request.body is not None:
        file = folder / "body"
        file.write_bytes(request.body)
        command.append(str(file))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 90, check=False
    )
    if done.returncode != 0:
        raise BenchError(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    sample: Sample = parse(done.stdout)
    if sample.non_2xx or sample.socket_errors:
        raise BenchError(
            f"{sample.requests} answers, {sample.non_2xx} of them not 2xx, "
            f"{sample.socket_errors} connection errors"
        )
    p95 = find(r"^  95% is (\d+) us", done.stdout, "95% latency")
    return {
        "requests": float(sample.requests),
        "rate": sample.requests_per_second,
        "p50": sample.p50_ms,
        "p95": int(p95[1]) / 1000,
        "p99": sample.p99_ms,
    }


def machine_seconds() -> float:
    """The processor time that anybody has used; and what the machine did not get."""
    tick = 100
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, _irq, _softirq, steal = map(int, fields[:8])
    return (user + nice + system + steal) / tick


def wait_for_others(cores: float, seconds: float) -> None:
    """Wait until nobody uses more than so many cores, at most that long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = machine_seconds()
        time.sleep(0.3)
        if (machine_seconds() - before) / 0.3 <= cores:
            return


def load_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(
    request: Request,
    running: Running,
    database: Postgres | None,
    connections: int,
    seconds: int,
    folder: Path,
) -> Found:
    """A run of wrk, and the processor time of a request: of the server, of Postgres; and how many
    cores neither they nor wrk have used, which is what disturbs."""

    def clocks() -> tuple[float, ...]:
        beside = database.seconds() if database else 0.0
        own = processor_seconds(running)
        return own, beside, load_seconds(), machine_seconds(), time.monotonic()

    before = clocks()
    found = wrk(request, running.port, connections, seconds, folder)
    own, beside, load, machine, took = (
        after - first for after, first in zip(clocks(), before, strict=True)
    )
    running.check()
    count = found["requests"]
    if not count:
        raise BenchError(f"no request was answered in {seconds} s")
    return {
        **found,
        "us": own * 1e6 / count,
        "database": beside * 1e6 / count,
        "others": max(0.0, machine - own - beside - load) / took,
    }
