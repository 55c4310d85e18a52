#!/usr/bin/env python3
"""Measures the cost of isolation, and how waiting and computing requests affect others."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import environment
import memory
from cases import HELLO, Case
from clients import answered, crowd, loop_of, occupy, paced, percentile, upstream
from environment import say
from findings import NO_BODY, Findings, Section, write
from load import BenchError, verify, wrk
from report import OURS, Results
from run import names
from servers import BENCHES, SERVERS, Running, bolt_command, start

MODES = {
    "def serial": "/",
    "async concurrent": "/async",
    "async serial": "/serial-async",
    "def fresh": "/fresh",
    "async fresh": "/fresh-async",
}
WASMTIME = "wasmtime-0.2"
ONE = "def fresh, one worker"
# The results of the handlers of compute_app.py.
COMPUTED = {"fib": 2584, "json": 100, "sort": 5000, "regex": 28, "hello": 1}
RATES = ("requests/s", "p50 ms", "p99 ms")
# More rounds of a loop than fit into any run.
ENDLESS = 10**15


@dataclass(frozen=True)
class Bench:
    """How much to measure, where the peers are, and where results go."""

    quick: bool
    seconds: int
    rounds: int
    venv: Path
    findings: Findings


def bolt(
    workers: int = 2, *flags: str, app: str = "bolt_app.py"
) -> AbstractContextManager[Running]:
    command = bolt_command(workers, *flags, app=app)
    return start(SERVERS[OURS], Path(), environment.cache_folder(), command)


def modes(bench: Bench, name: str) -> Section:
    findings = bench.findings
    why = SERVERS[WASMTIME].missing()
    if why:
        say(f"  {why}")
        findings.results.skipped.append(why)
    for _ in range(bench.rounds):
        with bolt() as running:
            for label, path in MODES.items():
                findings.measure(name, label, running, Case(label, path, HELLO, connections=16))
        if not why:
            with start(SERVERS[WASMTIME], bench.venv, environment.cache_folder()) as running:
                findings.measure(
                    name, WASMTIME, running, Case(WASMTIME, "/", HELLO, connections=16)
                )
    ratio = findings.ratio(name, "def fresh", WASMTIME)
    if ratio is not None:
        found = f"{ratio:.2f}"
        findings.goal(name, f"`def` fresh / {WASMTIME} at least 14", found, ratio >= 14)
    with bolt(1) as running:
        case = Case(ONE, MODES["def fresh"], HELLO, connections=16)
        for _ in range(bench.rounds):
            findings.measure(name, ONE, running, case)
    second = findings.ratio(name, "def fresh", ONE)
    if second is not None:
        wanted = "`def` fresh: two workers at least 1.6 times one"
        findings.goal(name, wanted, f"{second:.2f}", second >= 1.6)
    labels = [*MODES, ONE] if why else [*MODES, ONE, WASMTIME]
    compared = [(findings.ratio_text(name, label, "def serial"), label) for label in labels]
    return Section(
        "Hello in each mode, 2 workers, wrk -c16. `wasmtime serve` makes a new instance for each "
        "request, as fresh does.",
        ("mode", *RATES, "/ def serial", f"/ {WASMTIME}"),
        [
            [*findings.rate_row(name, label), ratio, findings.ratio_text(name, label, WASMTIME)]
            for ratio, label in compared
        ],
    )


def ten_a_second(bench: Bench, name: str) -> Section:
    seconds = 3 if bench.quick else 20
    times: dict[str, list[float]] = {}
    with bolt() as running:
        for label in ("def fresh", "async fresh", "def serial"):
            times[label] = paced(running.port, MODES[label], 10, seconds)
            middle, late = (percentile(times[label], part) for part in (50, 99))
            say(f"  {label:24} p50 {middle:.2f} ms  p99 {late:.2f} ms")
        running.check()
    found = percentile(times["def fresh"], 50)
    bench.findings.goal(name, "`def` fresh: p50 under 1.5 ms", f"{found:.2f} ms", found < 1.5)
    return Section(
        f"Hello from a Python client, 10 requests a second for {seconds} s on one connection; "
        "the client's own time is in it.",
        ("mode", "p50 ms", "p99 ms", "max ms"),
        [
            [label, *(f"{percentile(found, part):.2f}" for part in (50, 99, 100))]
            for label, found in times.items()
        ],
        {"milliseconds": {label: [round(t, 4) for t in found] for label, found in times.items()}},
    )


def waiting(bench: Bench, name: str) -> Section:
    count, wait = (1000, 2) if bench.quick else (10_000, 5)
    environment.raise_file_limit(count + 1000)
    flags = ("--connections", str(count + 100), "--header-timeout", "60s")
    path = f"/wait?ms={wait * 1000}"
    with bolt(1, *flags) as running:
        verify(Case(name, "/wait?ms=1", {"waited": 1}), running.port, validates=False)
        time.sleep(0.5)
        before = memory.total(running)
        found = asyncio.run(
            crowd(running.port, path, count, wait, lambda: memory.total(running)),
        )
        running.check()
    good = found.statuses.get(200, 0)
    if not found.waiting:
        raise BenchError(f"no request was waiting when memory was read: {found.statuses}")
    whole, alone = (
        (found.during.private - base.private) * 1024 / found.waiting
        for base in (before, found.connected)
    )
    say(f"  {good:,} of {count:,} answered 200 within {found.seconds:.1f} s")
    say(f"  {found.waiting:,} waiting at once: {whole:,.0f} bytes each, {alone:,.0f} for the wait")
    goal = bench.findings.goal
    goal(name, f"all of {count:,} answered 200", f"{good:,}", good == count)
    said = f"{whole:,.0f} ({alone:,.0f} without it)"
    goal(name, "under 20,000 bytes for each, its connection included", said, whole < 20_000)
    return Section(
        f"{count:,} connections to one worker, then a request on each that sleeps {wait} s. "
        f"{good:,} were answered 200, the last {found.seconds:.1f} s after the first was sent; "
        f"{found.waiting:,} were certainly waiting when memory was read.",
        ("private memory of the server", "KiB", "bytes for each waiting request since then"),
        [
            ["before the connections", f"{before.private:,}", f"{whole:,.0f}"],
            ["with idle connections", f"{found.connected.private:,}", f"{alone:,.0f}"],
            ["while all wait", f"{found.during.private:,}", ""],
        ],
        {"before": before.as_json(), **found.as_json()},
    )


def upstream_calls(bench: Bench, name: str) -> Section:
    findings = bench.findings
    counts = (1, 16, 128)
    servers = {OURS: SERVERS[OURS], "fastapi": SERVERS["fastapi"]}
    with upstream(bench.venv / "bin/python") as port:
        commands = {OURS: bolt_command(2, "--allow-http", f"127.0.0.1:{port}")}
        alone = wrk(Case("alone", "/", {}, connections=3 * counts[-1]), port, 2, NO_BODY)
        say(f"  the upstream alone answers {alone.requests_per_second:,.0f}/s")
        for _ in range(bench.rounds):
            for server in servers.values():
                command = commands.get(server.name)
                cache = environment.cache_folder()
                with start(server, bench.venv, cache, command) as running:
                    for count in counts:
                        case = Case(name, f"/gather?port={port}", {"total": 21}, count)
                        findings.measure(name, f"{server.name} -c{count}", running, case)
    first = findings.results.middle(name, f"{OURS} -c1", lambda sample: sample.p50_ms)
    if first is not None:
        findings.goal(name, "p50 under 25 ms at -c1", f"{first:.2f} ms", first < 25)
    ratio = findings.ratio(name, f"{OURS} -c16", "fastapi -c16")
    if ratio is not None:
        findings.goal(name, "1.5 × FastAPI at -c16", f"{ratio:.2f} ×", ratio >= 1.5)
    return Section(
        "A handler awaits 3 requests to an upstream at once, each answered after 20 ms. FastAPI "
        "on 2 uvicorn processes, with one httpx.AsyncClient in each. At -c16 no server can pass "
        "800 requests/s, as 20 ms have to go by. The upstream alone answers "
        f"{alone.requests_per_second:,.0f} requests/s over {3 * counts[-1]} connections.",
        ("server", *RATES, "/ fastapi"),
        [
            [
                *findings.rate_row(name, f"{server} -c{count}"),
                findings.ratio_text(name, f"{server} -c{count}", f"fastapi -c{count}"),
            ]
            for count in counts
            for server in servers
        ],
        {"upstream_alone": alone.as_json()},
    )


def timers(bench: Bench, name: str) -> Section:
    warm_at, wanted = (10_000, 50_000) if bench.quick else (100_000, 1_000_000)
    case = Case(name, "/wait?ms=1", {"waited": 1}, connections=256)
    steps: list[tuple[int, memory.Usage]] = []
    done, warm = 0, -1
    with bolt(2, "--instances", "4") as running:
        verify(case, running.port, validates=False)
        while done < wanted:
            sample = wrk(case, running.port, 1 if warm < 0 else 1 + bench.seconds, NO_BODY)
            running.check()
            done += sample.requests
            # By then the connections of the load are closed.
            time.sleep(0.5)
            steps.append((done, memory.total(running)))
            say(f"  {done:>10,} requests  {steps[-1][1].rss:>9,} KiB resident")
            if warm < 0 and done >= warm_at:
                warm = len(steps) - 1
                # At least one more step, however fast the first one was.
                wanted = max(wanted, done + 1)
    growth = steps[-1][1].rss / steps[warm][1].rss - 1
    private = steps[-1][1].private / steps[warm][1].private - 1
    found = f"{growth:+.2%} (private {private:+.2%})"
    wish = f"resident memory within 2 % from {warm_at:,} requests on"
    bench.findings.goal(name, wish, found, abs(growth) <= 0.02)
    return Section(
        f"At least {wanted:,} async requests that sleep 1 ms, 2 workers with 4 instances, wrk "
        f"-c256. Growth since the first {steps[warm][0]:,}: {found}.",
        ("requests", "resident KiB", "private KiB"),
        [[f"{count:,}", f"{use.rss:,}", f"{use.private:,}"] for count, use in steps],
        {"steps": [{"requests": count, **use.as_json()} for count, use in steps]},
    )


def beside_computing(bench: Bench, name: str) -> Section:
    findings = bench.findings
    seconds = 2 if bench.quick else 3
    hello = Case(name, "/", HELLO, connections=8)
    busy: list[socket.socket] = []
    # Handlers must run for longer than the case, and end soon when the server is stopped.
    with bolt(2, "--deadline", "300s", "--drain", "1s") as running:
        wrk(hello, running.port, 1, NO_BODY)
        for count in (0, 1, 2, 4, 8):
            while len(busy) < count:
                busy.append(occupy(running.port, f"/compute?rounds={ENDLESS}"))
            time.sleep(0.5)
            sample = wrk(hello, running.port, seconds, NO_BODY)
            running.check()
            if answered(busy):
                raise BenchError(f"{answered(busy)} of {count} computing handlers ended")
            findings.add(name, f"{count} computing", sample)
        for connection in busy:
            connection.close()
    labels = list(findings.results.samples[name])
    one = findings.results.samples[name]["1 computing"][0]
    said = f"{one.max_ms:.1f} ms (p99 {one.p99_ms:.1f} ms)"
    findings.goal(name, "no delay over 10 ms beside one", said, one.max_ms <= 10)
    return Section(
        f"Hello, 2 workers, wrk -c8, {seconds} s, once each, while so many endless loops run in "
        "other handlers.",
        ("handlers", *RATES, "max ms"),
        [findings.rate_row(name, label, worst=True) for label in labels],
    )


def two_cores(bench: Bench, name: str) -> Section:
    findings = bench.findings
    rounds = 0
    for _ in range(bench.rounds):
        for workers in (1, 2):
            label = f"{workers} worker{'s' * (workers > 1)}"
            with bolt(workers) as running:
                rounds = rounds or loop_of(running.port, 0.1)
                case = Case(name, f"/compute?rounds={rounds}", {"done": rounds}, connections=4)
                findings.measure(name, label, running, case)
    ratio = findings.ratio_text(name, "2 workers", "1 worker")
    say(f"  2 workers / 1 worker: {ratio}")
    return Section(
        f"A `def` handler with a loop of {rounds:,} rounds, about 100 ms alone; wrk -c4. "
        f"2 workers / 1 worker: **{ratio}**.",
        ("workers", *RATES),
        [findings.rate_row(name, label) for label in ("1 worker", "2 workers")],
        {"loop_rounds": rounds},
    )


def linking(bench: Bench, name: str) -> Section:
    """The same handlers in a flattened component, and in a linked one."""
    findings = bench.findings
    kinds = ("flat", "linked")
    # Both run all the time and take turns: the machine's speed changes within seconds.
    with (
        bolt(1, app="compute_app.py") as flat,
        bolt(1, "--no-flatten", app="compute_app.py") as linked,
    ):
        for _ in range(bench.rounds):
            for work, found in COMPUTED.items():
                path = "/" if work == "hello" else f"/{work}"
                case = Case(name, path, {"found": found}, connections=4)
                for kind, running in zip(kinds, (flat, linked), strict=True):
                    findings.measure(name, f"{work}, {kind}", running, case)
    ratios = {work: findings.ratio(name, f"{work}, flat", f"{work}, linked") for work in COMPUTED}
    computing = [ratio for work, ratio in ratios.items() if ratio is not None and work != "hello"]
    if computing:
        middle, least = median(computing), min(computing)
        goal = findings.goal
        goal(name, "computing: the median at least 1.05", f"{middle:.3f}", middle >= 1.05)
        goal(name, "nothing slower", f"{least:.3f}", least >= 1)
    return Section(
        "One worker, wrk -c4; flat / linked in requests per second.",
        ("handler", *RATES, "flat / linked"),
        [
            [
                *findings.rate_row(name, f"{work}, {kind}"),
                findings.ratio_text(name, f"{work}, flat", f"{work}, linked"),
            ]
            for work in COMPUTED
            for kind in kinds
        ],
    )


CASES: dict[str, Callable[[Bench, str], Section]] = {
    "modes": modes,
    "ten-a-second": ten_a_second,
    "waiting": waiting,
    "upstream": upstream_calls,
    "timers": timers,
    "beside-computing": beside_computing,
    "two-cores": two_cores,
    "linking": linking,
}


def prepare(chosen: tuple[str, ...], python: str) -> Path | None:
    """Install what the chosen cases need besides bolt-host; None if they need nothing."""
    component = "modes" in chosen and not SERVERS[WASMTIME].missing()
    if not component and "upstream" not in chosen:
        return None
    try:
        venv = environment.install_peers(python)
        if component:
            environment.build_component(SERVERS[WASMTIME].component, venv)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        sys.exit(f"preparing the peers failed: {error}")
    return venv


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--only", type=names(tuple(CASES)), metavar="CASE,...", help=", ".join(CASES))
    add("--quick", action="store_true", help="one short round and fewer requests")
    add("--python", default=environment.default_python(), help="interpreter for the peers")
    add("--output", type=Path, default=BENCHES / "runs", metavar="DIR", help="default benches/runs")
    args = parser.parse_args()
    missing = environment.wrk_missing() or SERVERS[OURS].missing()
    if missing:
        sys.exit(missing)
    chosen: tuple[str, ...] = args.only or tuple(CASES)
    seconds, warmup, rounds = (2, 1, 1) if args.quick else (8, 2, 3)
    results = Results(
        date=datetime.date.today().isoformat(),
        settings={"seconds": seconds, "warmup": warmup, "rounds": rounds},
        facts=environment.load_before(),
        notes={},
    )
    environment.raise_file_limit()
    venv = prepare(chosen, args.python)
    findings = Findings(results)
    bench = Bench(args.quick, seconds, rounds, venv or Path(), findings)
    for name in chosen:
        say(name)
        try:
            findings.sections[name] = CASES[name](bench, name)
        except BenchError as error:
            results.fail(name, "the whole case", str(error))
            say(f"  FAILED: {error}")
    for goal in findings.goals:
        say(f"{goal.case}: {goal.wanted}: {goal.found}: {'ok' if goal.met else 'MISSED'}")
    results.facts |= environment.describe(venv)
    # A partial run must not replace the day's full one.
    part = "-part" if args.quick or args.only else ""
    file = f"{results.date}-{environment.cores()}c-modes{part}"
    path = write(findings, args.output, file)
    say(f"written: {path} and {path.with_suffix('.json').name}")
    return 1 if results.errors else 0


if __name__ == "__main__":
    sys.exit(main())
