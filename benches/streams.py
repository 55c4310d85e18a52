#!/usr/bin/env python3
"""Measures streams, server-sent events and WebSockets of bolt-host and of its peers.

Processor time is that of all processes of the server, and comes before the rate: rates depend on
the client, which shares the cores. Memory is what no file holds, without the kernel's buffers.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import environment
from environment import say
from holders import file_limit, most_connections
from load import BenchError
from report import OURS, table
from run import at_least_one, names
from servers import BOLT_HOST, Server, start
from stream_cases import CASES, QUICK, Found, Ground, Sizes, StreamCase
from stream_servers import PEERS, bolt_host, lacking


@dataclass
class Record:
    """What was found, by case and server: one for each round."""

    found: dict[str, dict[str, list[Found]]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, text: str) -> None:
        say(f"  {text}")
        # Reports are for others too: no paths of this machine.
        self.left_out.append(text.replace(str(Path.home()), "~").splitlines()[0])

    def rows(self, case: StreamCase) -> list[list[str]]:
        """Medians of the rounds; of processor time also the least and the most."""
        rows = []
        for server, rounds in self.found.get(case.name, {}).items():
            row = [server]
            for key in case.columns:
                values = [found[key] for found in rounds]
                text = number(median(values))
                if key == "us" and len(values) > 1:
                    text += f" ({number(min(values))} to {number(max(values))})"
                row.append(text)
            rows.append(row)
        return rows


def number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def arguments() -> argparse.Namespace:
    known = (OURS, *PEERS)
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--binary", type=Path, default=BOLT_HOST, help="the program to measure")
    add("--only", type=names(tuple(CASES)), metavar="CASE,...", help=", ".join(CASES))
    add("--servers", type=names(known), metavar="NAME,...", help=", ".join(known))
    add("--quick", action="store_true", help="200 clients and short measurements, in 2 rounds")
    add("--rounds", type=at_least_one, metavar="R", help="default 3")
    add("--clients", type=at_least_one, metavar="N", help="clients of events (default up to 10000)")
    add("--sockets", type=at_least_one, metavar="N", help="idle WebSockets (default up to 10000)")
    add("--python", default=environment.default_python(), help="interpreter for the peers")
    add("--record", type=Path, metavar="FILE", help="write a report, for benches/runs")
    return parser.parse_args()


def sizes_of(args: argparse.Namespace) -> Sizes:
    """The sizes that were asked for, or as many of the default as the open files allow."""
    sizes: Sizes = QUICK if args.quick else Sizes()
    # Servers inherit the limit.
    files = file_limit()
    most = most_connections(files)
    clients = args.clients or min(sizes.clients, most)
    sockets = args.sockets or min(sizes.sockets, most)
    if max(clients, sockets) > most:
        sys.exit(f"with {files:,} open files (ulimit -Hn), bolt-host keeps {most:,} connections")
    return dataclasses.replace(sizes, clients=clients, sockets=sockets)


def servers_of(case: StreamCase, args: argparse.Namespace, record: Record) -> list[Server]:
    """The servers that can run a case; none if bolt-host is wanted and cannot."""
    ours = bolt_host(args.binary, case.app, case.workers)
    servers = [
        server
        for server in (ours, *(PEERS[name] for name in case.peers))
        if args.servers is None or server.name in args.servers
    ]
    why = ours.missing() or lacking(args.binary, case.needs) if ours in servers else None
    if why:
        record.leave_out(f"{case.name} is left out: {why}")
        return []
    return servers


def measure(case: StreamCase, server: Server, venv: Path, sizes: Sizes) -> Found:
    with start(server, venv, environment.cache_folder()) as running:
        try:
            found = case.measure(Ground(running, sizes, venv))
            running.check()
        except (BenchError, OSError) as error:
            raise BenchError(f"{error}; its log: {running.log_tail()[-300:]!r}") from error
    return found


def compare(
    case: StreamCase, servers: list[Server], venv: Path, sizes: Sizes, rounds: int, record: Record
) -> None:
    """Measure all servers in turn, in each round from the other end."""
    say(f"{case.name}: {case.says.format(**dataclasses.asdict(sizes))}")
    results = record.found.setdefault(case.name, {server.name: [] for server in servers})
    for round_ in range(rounds):
        for server in servers if round_ % 2 == 0 else servers[::-1]:
            if server.name not in results:
                continue  # failed in an earlier round
            try:
                found = measure(case, server, venv, sizes)
            except BenchError as error:
                del results[server.name]
                record.leave_out(f"{case.name}, {server.name}: {error}")
                continue
            results[server.name].append(found)
            shown = (f"{title}: {number(found[key])}" for key, title in case.columns.items())
            say(f"  {server.name:13} {', '.join(shown)}")


def tables(record: Record, sizes: Sizes) -> list[str]:
    parts = []
    for name in record.found:
        case = CASES[name]
        head = ["server", *case.columns.values()]
        says = case.says.format(**dataclasses.asdict(sizes))
        parts += [f"## {name}\n", f"{says}\n", table(head, record.rows(case)), ""]
    if record.left_out:
        parts += ["## What failed or was left out\n", *(f"- {text}" for text in record.left_out)]
    return parts


def report(record: Record, sizes: Sizes, rounds: int, facts: dict[str, str]) -> str:
    parts = [f"# Streams and WebSockets, {datetime.date.today().isoformat()}\n"]
    parts.append(
        f"{facts['cores']} cores ({facts['cpu']}), {facts['kernel']}; clients are on the same "
        f"machine. Medians of {rounds} round(s), in which the servers took turns; in parentheses "
        "the least and the most.\n"
    )
    parts += tables(record, sizes)
    notes = [f"- {server.name}: {server.note}" for server in PEERS.values()]
    parts += ["", "## Servers\n", *notes]
    parts += ["", "## Versions\n", *(f"- {name}: {value}" for name, value in facts.items())]
    return "\n".join(parts) + "\n"


def main() -> int:
    args = arguments()
    # Servers have sessions of their own: end them with this program.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    args.binary = args.binary.resolve()
    sizes = sizes_of(args)
    rounds = args.rounds or (2 if args.quick else 3)
    facts = environment.load_before()
    try:
        # Also for bolt-host alone: the load of ws-echo is there.
        venv = environment.install_peers(args.python)
    except subprocess.CalledProcessError as error:
        sys.exit(f"preparing the peers failed: {error}")
    record = Record()
    for name in args.only or CASES:
        servers = servers_of(CASES[name], args, record)
        if servers:
            compare(CASES[name], servers, venv, sizes, rounds, record)
    say("")
    say("\n".join(tables(record, sizes)))
    if args.record:
        facts |= environment.describe(venv)
        version = environment.output(str(args.binary), "--version")
        facts["bolt-host"] = version.removeprefix("bolt-host ")
        args.record.write_text(report(record, sizes, rounds, facts))
        say(f"written: {args.record}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
