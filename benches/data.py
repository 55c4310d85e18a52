#!/usr/bin/env python3
"""Measures databases and stores of keys: bolt-host and its peers over the same rows.

Processor time is that of all processes of a server, apart from that of Postgres: rates depend on
the client and on Postgres too, which share the cores.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import signal
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import databases
import environment
from data_cases import CASES, DataCase, Entry
from data_load import Found, measured, verify, wait_for_others, wrk
from data_servers import SERVERS, Place
from databases import Postgres
from environment import say
from load import BenchError
from report import table
from run import at_least_one, names
from servers import BOLT_HOST, Running, start
from streams import number

# Cores that others may use while something is measured.
QUIET = 0.15
# An entry of a case, and the connections.
Key = tuple[str, int]
Measured = dict[Key, list[Found]]


@dataclass
class Record:
    """What was found, by case, then by entry and connections: one for each round."""

    found: dict[str, Measured] = field(default_factory=dict)
    failed: dict[str, set[Key]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, text: str) -> None:
        say(f"  {text}")
        # Reports are for others too: no paths of this machine.
        self.left_out.append(text.replace(str(Path.home()), "~").splitlines()[0])

    def fail(self, case: DataCase, key: Key, why: str) -> None:
        """What failed once does not count at all."""
        self.failed[case.name].add(key)
        self.found[case.name].pop(key, None)
        self.leave_out(f"{case.name}, {key[0]} with {key[1]} connection(s): {why}")

    def disturbed(self) -> tuple[float, float]:
        """The cores that others used while what counts was measured: the median and the most."""
        rounds = (one for case in self.found.values() for each in case.values() for one in each)
        cores = [one["others"] for one in rounds] or [0.0]
        return median(cores), max(cores)


@dataclass(frozen=True)
class Plan:
    """How to measure."""

    binary: Path
    venv: Path
    seconds: int
    rounds: int
    # How often a figure is measured while others use the processor.
    tries: int
    # Seconds to wait for that they use it less.
    patience: float
    servers: tuple[str, ...] | None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--binary", type=Path, default=BOLT_HOST, help="the program to measure")
    add("--only", type=names(tuple(CASES)), metavar="CASE,...", help=", ".join(CASES))
    add("--servers", type=names(tuple(SERVERS)), metavar="NAME,...", help=", ".join(SERVERS))
    add("--seconds", type=at_least_one, default=4, metavar="S", help="of a measurement (4)")
    add("--rounds", type=at_least_one, default=3, metavar="R", help="default 3")
    add("--tries", type=at_least_one, default=2, metavar="N", help="if others disturb (2)")
    add("--patience", type=float, default=5, metavar="S", help="to wait for others (5)")
    add("--python", default=environment.default_python(), help="interpreter for the peers")
    add("--record", type=Path, metavar="FILE", help="write a report, for benches/runs")
    return parser.parse_args()


def guests(place: Place) -> int:
    with contextlib.closing(sqlite3.connect(place.file)) as connection:
        count: int = connection.execute("select count(*) from guests").fetchone()[0]
        return count


def once(
    case: DataCase, entry: Entry, running: Running, place: Place, connections: int, seconds: int
) -> Found:
    before = guests(place) if case.inserts else 0
    sessions = place.postgres.sessions() if place.postgres and case.sessions else 0
    found = measured(entry.request, running, place.postgres, connections, seconds, place.folder)
    if place.postgres and case.sessions:
        found["sessions"] = place.postgres.sessions() - sessions
    if case.inserts and guests(place) - before < found["requests"]:
        raise BenchError("not every guest is in the table")
    return found


def quiet(
    case: DataCase, entry: Entry, running: Running, place: Place, connections: int, plan: Plan
) -> Found:
    """Measure again if others had used the processor; the quietest counts."""
    tries: list[Found] = []
    while len(tries) < plan.tries:
        wait_for_others(QUIET, plan.patience)
        tries.append(once(case, entry, running, place, connections, plan.seconds))
        if tries[-1]["others"] <= QUIET:
            break
    return min(tries, key=lambda found: found["others"])


def turn(
    case: DataCase, name: str, entries: list[Entry], place: Place, plan: Plan, record: Record
) -> None:
    """One server's turn: start it, check its answers, and measure all that is asked of it."""
    server = SERVERS[name](place)
    why = server.missing()
    if why:
        raise BenchError(why)
    with start(server, plan.venv, environment.cache_folder()) as running:
        for entry in entries:
            verify(entry.request, running.port)
        for connections in case.connections:
            for entry in entries:
                key = (entry.label, connections)
                if key in record.failed[case.name] or connections not in entry.of(case):
                    continue
                try:
                    wrk(entry.request, running.port, connections, 1, place.folder)
                    found = quiet(case, entry, running, place, connections, plan)
                except BenchError as error:
                    said = running.log_tail()[-250:]
                    record.fail(case, key, f"{error}; its log: {said!r}")
                    running.check()
                    continue
                record.found[case.name].setdefault(key, []).append(found)
                heads = {**case.heads(), "others": "cores of others"}
                shown = (f"{title} {number(found[key])}" for key, title in heads.items())
                say(f"  {entry.label:18} {connections:3} {', '.join(shown)}")


def compare(case: DataCase, server: Postgres | None, plan: Plan, record: Record) -> None:
    """Measure all servers of a case in turn, in each round from the other end."""
    say(f"{case.name}: {case.says}")
    record.found[case.name] = {}
    record.failed[case.name] = set()
    by_server: dict[str, list[Entry]] = {}
    for entry in case.entries:
        if plan.servers is None or entry.server in plan.servers:
            by_server.setdefault(entry.server, []).append(entry)
    for round_ in range(plan.rounds):
        for name in list(by_server) if round_ % 2 == 0 else list(by_server)[::-1]:
            with tempfile.TemporaryDirectory(prefix="bolt-bench-") as folder:
                place = Place(plan.binary, Path(folder), server if case.postgres else None)
                for part in ("sql", "kv"):
                    (place.folder / part).mkdir()
                if not case.postgres:
                    databases.make_sqlite(place.file)
                try:
                    turn(case, name, by_server[name], place, plan, record)
                except (BenchError, OSError, ValueError) as error:
                    for entry in by_server.pop(name):
                        for connections in case.connections:
                            record.fail(case, (entry.label, connections), str(error))


def rows(case: DataCase, record: Record) -> list[list[str]]:
    """Medians of the rounds; of the rate and of processor time also the least and the most."""
    made = []
    # In the order of the case, whoever came first in a round.
    for connections in case.connections:
        for entry in case.entries:
            key = (entry.label, connections)
            rounds = record.found[case.name].get(key, [])
            row = [entry.label, str(connections)]
            if not rounds:
                if key in record.failed[case.name]:
                    made.append([*row, "failed", *["-"] * (len(case.heads()) - 1)])
                continue
            for figure in case.heads():
                values = [found[figure] for found in rounds]
                text = number(median(values))
                if figure in ("rate", "us") and len(values) > 1:
                    text += f" ({number(min(values))} to {number(max(values))})"
                row.append(text)
            made.append(row)
    return made


def goals(record: Record) -> str:
    lines = []
    for name, results in record.found.items():
        for goal in CASES[name].goals:
            value = goal.value(results)
            if value is None:
                lines.append([name, goal.says, goal.wanted, "not measured", ""])
            else:
                verdict = "met" if goal.met(value) else "missed"
                lines.append([name, goal.says, goal.wanted, number(value), verdict])
    return table(["case", "at 64 connections", "wanted", "found", ""], lines)


def tables(record: Record) -> list[str]:
    parts = ["## Wanted and found\n", goals(record), ""]
    for name in record.found:
        case = CASES[name]
        head = ["", "connections", *case.heads().values()]
        parts += [f"## {name}\n", f"{case.says}\n", table(head, rows(case, record)), ""]
    if record.left_out:
        parts += ["## What failed or was left out\n", *(f"- {text}" for text in record.left_out)]
    return parts


def report(record: Record, plan: Plan, facts: dict[str, str]) -> str:
    others, most = record.disturbed()
    parts = [f"# Databases, {datetime.date.today().isoformat()}\n"]
    parts.append(
        f"{facts['cores']} cores ({facts['cpu']}), {facts['kernel']}; wrk and Postgres are on the "
        f"same machine. `{facts.pop('command')}`\n\n"
        f"{plan.seconds} s for each measurement after 1 s of warm-up. Medians of {plan.rounds} "
        "rounds, in which the servers took turns; in parentheses the least and the most. "
        f"While they were measured, other programs used {others:.2f} cores (median; at most "
        f"{most:.2f}).\n"
    )
    parts += tables(record)
    place = Place(plan.binary, Path(), None)
    used = {entry.server for name in record.found for entry in CASES[name].entries}
    parts += ["", "## Servers\n"]
    parts += [f"- {name}: {make(place).note}" for name, make in SERVERS.items() if name in used]
    options = ", ".join(f"{name}={value}" for name, value in databases.SETTINGS.items())
    parts.append(f"- Postgres: over a socket of a folder, {options}")
    parts += ["", "## Versions\n", *(f"- {name}: {value}" for name, value in facts.items())]
    return "\n".join(parts) + "\n"


def main() -> int:
    args = arguments()
    # Servers have sessions of their own: end them with this program.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    chosen = [CASES[name] for name in args.only or CASES]
    record = Record()
    facts = environment.load_before()
    missing = environment.wrk_missing()
    if missing:
        sys.exit(missing)
    environment.raise_file_limit()
    try:
        venv = environment.install_peers(args.python)
    except subprocess.CalledProcessError as error:
        sys.exit(f"preparing the peers failed: {error}")
    plan = Plan(
        binary=args.binary.resolve(),
        venv=venv,
        seconds=args.seconds,
        rounds=args.rounds,
        tries=args.tries,
        patience=args.patience,
        servers=args.servers,
    )
    with contextlib.ExitStack() as stack:
        server = None
        if any(case.postgres for case in chosen):
            why = databases.missing()
            if why:
                record.leave_out(f"all cases with Postgres are left out: {why}")
                chosen = [case for case in chosen if not case.postgres]
            else:
                server = stack.enter_context(databases.postgres())
                facts["postgres"] = server.version()
        try:
            for case in chosen:
                compare(case, server, plan, record)
        except (KeyboardInterrupt, SystemExit):
            record.leave_out("what is not there: the run was ended early")
    say("")
    say("\n".join(tables(record)))
    if args.record:
        # Without the paths of this machine.
        flags = [f"--{name}={getattr(args, name)}" for name in ("seconds", "rounds")]
        flags += [f"--{name}={getattr(args, name)}" for name in ("tries", "patience")]
        facts["command"] = " ".join(["python3 benches/data.py", *flags])
        facts |= environment.describe(venv)
        version = environment.output(str(args.binary), "--version")
        facts["bolt-host"] = version.removeprefix("bolt-host ")
        args.record.write_text(report(record, plan, facts))
        say(f"written: {args.record}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
