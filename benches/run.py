#!/usr/bin/env python3
"""Measures bolt-host and its peers in one run; `--gate FILE` is the short check for CI."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import environment
import memory
import report
from cases import ALL_NAMES, CASES, MEMORY
from environment import say
from load import BenchError, verify, wrk
from report import OURS, Results
from servers import BENCHES, SERVERS, Server, bolt_command, start

GATE_SERVERS = ("hyper", OURS)


@dataclass(frozen=True)
class Plan:
    """What to measure, and for how long."""

    cases: tuple[str, ...]
    servers: tuple[Server, ...]
    seconds: int
    warmup: int
    rounds: int
    python: str


def names(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    """An argparse type: a comma-separated choice of known names."""

    def split(text: str) -> tuple[str, ...]:
        chosen = tuple(name.strip() for name in text.split(",") if name.strip())
        wrong = [name for name in chosen if name not in known]
        if wrong or not chosen:
            raise argparse.ArgumentTypeError(f"{text!r}: choose from {', '.join(known)}")
        return chosen

    return split


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--only", type=names(ALL_NAMES), metavar="CASE,...", help=", ".join(ALL_NAMES))
    add("--servers", type=names(tuple(SERVERS)), metavar="NAME,...", help=", ".join(SERVERS))
    add("--duration", type=at_least_one, metavar="S", help="seconds of each wrk run (default 8)")
    add("--quick", action="store_true", help="3 seconds instead of 8")
    add("--rounds", type=at_least_one, default=3, metavar="R", help="default 3")
    add("--python", default=environment.default_python(), help="interpreter for the peers")
    add("--output", type=Path, default=BENCHES / "runs", metavar="DIR", help="default benches/runs")
    add("--gate", type=Path, metavar="FILE", help="only compare bolt-host/hyper with this file")
    return parser.parse_args()


def thresholds(file: Path) -> dict[str, float]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"{file}: {error}")
    if not isinstance(found, dict) or not found or not set(found) <= set(CASES):
        sys.exit(f"{file} must map some of the cases {', '.join(CASES)} to ratios")
    return {case: float(ratio) for case, ratio in found.items()}


def make_plan(args: argparse.Namespace, gate: dict[str, float]) -> Plan:
    quick = args.quick or bool(gate)
    seconds = args.duration or (3 if quick else 8)
    chosen = GATE_SERVERS if gate else args.servers or tuple(SERVERS)
    cases = tuple(gate) if gate else args.only or ALL_NAMES
    return Plan(
        cases=cases,
        servers=tuple(SERVERS[name] for name in chosen),
        seconds=seconds,
        # Time for servers that compile hot code late.
        warmup=max(1, seconds // 4),
        rounds=args.rounds,
        python=args.python,
    )


def usable(plan: Plan, results: Results) -> list[Server]:
    """The servers that can run here; reports why the others cannot."""
    found = []
    for server in plan.servers:
        why = server.missing()
        if why:
            say(why)
            results.skipped.append(why)
        else:
            found.append(server)
    return found


def turn(plan: Plan, server: Server, venv: Path, results: Results) -> None:
    """One server's turn in one round: start it, measure every case, stop it."""
    cases = [CASES[name] for name in plan.cases if name != MEMORY]
    with tempfile.TemporaryDirectory(prefix="bolt-bench-") as folder:
        body = Path(folder) / "body"
        with start(server, venv, environment.cache_folder()) as running:
            for case in cases:
                if case.only is not None and server.name not in case.only:
                    continue
                if server.name in results.errors.get(case.name, {}):
                    continue  # disqualified in an earlier round
                try:
                    verify(case, running.port, server.validates)
                    wrk(case, running.port, plan.warmup, body)
                    sample = wrk(case, running.port, plan.seconds, body)
                    running.check()
                except BenchError as error:
                    results.fail(case.name, server.name, str(error))
                    say(f"  {server.name:14} {case.name:12} FAILED: {error}")
                    running.check()
                    continue
                results.add(case.name, server.name, sample)
                say(
                    f"  {server.name:14} {case.name:12} {sample.requests_per_second:10,.0f}/s"
                    f"  p50 {sample.p50_ms:8.2f} ms  p99 {sample.p99_ms:8.2f} ms"
                )


def measure_memory(plan: Plan, server: Server, venv: Path, results: Results) -> None:
    cache = environment.cache_folder()
    with start(server, venv, cache) as running:
        # Both workers must have answered before their memory is read.
        wrk(CASES["hello-sync"], running.port, 2, Path(os.devnull))
        processes = [found.as_json() for found in memory.workers(running)]
    results.memory[server.name] = {"processes": processes}
    say(f"  {server.name:14} {MEMORY:12} {[found['rss'] // 1024 for found in processes]} MiB RSS")
    if server.name == OURS:
        command = bolt_command(1, "--instances", str(memory.INSTANCES))
        with start(server, venv, cache, command) as running:
            grown = memory.per_instance(running)
        results.memory[server.name]["instances"] = grown
        say(
            f"  {server.name:14} {MEMORY:12} for each further instance "
            f"{grown['private_per_instance_kib']:,.0f} KiB private, "
            f"{grown['pss_per_instance_kib']:,.0f} KiB PSS"
        )


def measure(plan: Plan, servers: list[Server], venv: Path, results: Results) -> None:
    if plan.cases != (MEMORY,):
        for number in range(1, plan.rounds + 1):
            say(f"round {number} of {plan.rounds}")
            for server in servers:
                try:
                    turn(plan, server, venv, results)
                except BenchError as error:
                    # It did not start, or died: all its cases count as failed.
                    for case in (name for name in plan.cases if name != MEMORY):
                        results.fail(case, server.name, str(error))
                    say(f"  {server.name:14} FAILED: {error}")
    if MEMORY in plan.cases:
        say("memory")
        for server in servers:
            try:
                measure_memory(plan, server, venv, results)
            except BenchError as error:
                results.fail(MEMORY, server.name, str(error))
                say(f"  {server.name:14} {MEMORY:12} FAILED: {error}")


def judge(results: Results, gate: dict[str, float]) -> int:
    """Print each ratio and its threshold; returns 1 if any is below it or is missing."""
    low = 0
    for case, wanted in gate.items():
        ratio = results.ratio(case, "hyper")
        enough = ratio is not None and ratio >= wanted
        low += not enough
        shown = "not measured" if ratio is None else f"{ratio:.3f}"
        verdict = "ok" if enough else "TOO LOW"
        say(f"{case}: bolt-host/hyper {shown}, wanted {wanted:.3f}: {verdict}")
    return 1 if low else 0


def main() -> int:
    args = arguments()
    gate = thresholds(args.gate) if args.gate else {}
    plan = make_plan(args, gate)
    missing = environment.wrk_missing()
    if missing:
        sys.exit(missing)
    environment.raise_file_limit()
    results = Results(
        date=datetime.date.today().isoformat(),
        settings={"seconds": plan.seconds, "warmup": plan.warmup, "rounds": plan.rounds},
        facts=environment.load_before(),
        notes={server.name: server.note for server in plan.servers},
    )
    servers = usable(plan, results)
    if not servers or (gate and len(servers) < len(plan.servers)):
        sys.exit("nothing to measure" if not servers else "the gate needs both servers")
    venv = None
    try:
        if any(server.needs_venv for server in servers):
            venv = environment.install_peers(plan.python)
            for server in servers:
                if server.component:
                    environment.build_component(server.component, venv)
    except subprocess.CalledProcessError as error:
        sys.exit(f"preparing the peers failed: {error}")
    measure(plan, servers, venv or Path(), results)
    if gate:
        return judge(results, gate)
    results.facts |= environment.describe(venv)
    # A run that leaves something out must not take the place of the day's full one.
    whole = plan.cases == ALL_NAMES and len(plan.servers) == len(SERVERS) and plan.seconds >= 8
    name = f"{results.date}-{environment.cores()}c" + ("" if whole else "-part")
    path = report.write(results, args.output, name)
    say(f"written: {path} and {path.with_suffix('.json').name}")
    # A server that was named explicitly must not be skipped.
    return 1 if results.errors or (args.servers and results.skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
