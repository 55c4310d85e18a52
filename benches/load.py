"""Loads a server: runs wrk, and parses its output."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cases import Case

POST_LUA = Path(__file__).with_name("post.lua")
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}


class BenchError(Exception):
    """A server sent a wrong response, failed requests or stopped: its numbers do not count."""


@dataclass(frozen=True)
class Sample:
    """The results of one wrk run."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    requests: int
    non_2xx: int
    # Refused or broken connections, and requests over wrk's own two-second limit.
    socket_errors: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def find(pattern: str, text: str, what: str) -> re.Match[str]:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise BenchError(f"wrk printed no {what}:\n{text.strip()}")
    return match


def milliseconds(number: str, unit: str) -> float:
    return round(float(number) * UNITS_MS[unit], 4)


def parse(text: str) -> Sample:
    """Read the output of `wrk --latency`."""
    # wrk pads seconds with a space.
    latency = r"^\s+{}%\s+([\d.]+)(us|ms|s|m|h) *$"
    p50 = find(latency.format(50), text, "50% latency")
    p99 = find(latency.format(99), text, "99% latency")
    # Average, deviation and largest; only the largest is used.
    worst = find(r"^\s+Latency(?:\s+\S+){2}\s+([\d.]+)(us|ms|s|m|h)\s", text, "largest latency")
    rate = find(r"^Requests/sec:\s+([\d.]+)", text, "request rate")
    count = find(r"^\s+(\d+) requests in ", text, "request count")
    # wrk counts "Non-2xx or 3xx": 3xx responses pass here, but `verify` accepts
    # only 200 before the run, and no app here redirects.
    refused = re.search(r"^\s+Non-2xx or 3xx responses: (\d+)", text, re.MULTILINE)
    errors = re.search(
        r"^\s+Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)",
        text,
        re.MULTILINE,
    )
    return Sample(
        requests_per_second=float(rate[1]),
        p50_ms=milliseconds(p50[1], p50[2]),
        p99_ms=milliseconds(p99[1], p99[2]),
        max_ms=milliseconds(worst[1], worst[2]),
        requests=int(count[1]),
        non_2xx=int(refused[1]) if refused else 0,
        socket_errors=sum(map(int, errors.groups())) if errors else 0,
    )


def wrk(case: Case, port: int, seconds: int, body_file: Path) -> Sample:
    """Run wrk once; a failed request anywhere in the run is an error."""
    command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "--latency"]
    url = f"http://127.0.0.1:{port}{case.path}"
    if case.body is None:
        command.append(url)
    else:
        body_file.write_bytes(case.body)
        command += ["-s", str(POST_LUA), url, "--", str(body_file)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    if done.returncode != 0:
        raise BenchError(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    sample = parse(done.stdout)
    if sample.requests == 0:
        raise BenchError(f"no request was answered in {seconds} s")
    if sample.non_2xx:
        raise BenchError(f"{sample.non_2xx} of {sample.requests} answers were not 2xx")
    return sample


def send(
    port: int, method: str, path: str, body: bytes | None = None, timeout: float = 30.0
) -> tuple[int, str, bytes]:
    """Send one real request; returns its status, content type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    headers = {} if body is None else {"Content-Type": "application/json"}
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{method} {path} got no answer: {error!r}") from error
    finally:
        connection.close()


def verify(case: Case, port: int, validates: bool) -> None:
    """Check one response before measuring: a fast wrong response is worth nothing."""
    status, kind, body = send(port, case.method, case.path, case.body)
    if status != 200:
        raise BenchError(f"{case.method} {case.path} answered {status}: {body[:200]!r}")
    if not kind.startswith("application/json"):
        raise BenchError(f"{case.method} {case.path} answered with content type {kind!r}")
    try:
        value = json.loads(body)
    except ValueError as error:
        raise BenchError(f"{case.method} {case.path} answered no JSON: {body[:200]!r}") from error
    if value != case.answer:
        raise BenchError(f"{case.method} {case.path} answered something else: {body[:200]!r}")
    if not validates or (case.bad_path is None and case.bad_body is None):
        return
    # All servers must do the same work: one that skips validation and accepts
    # a wrong type would do less.
    status, _, body = send(port, case.method, case.bad_path or case.path, case.bad_body)
    if not 400 <= status < 500:
        raise BenchError(f"{case.path} let a wrong type pass: {status}, {body[:200]!r}")
