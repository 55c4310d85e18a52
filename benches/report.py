"""The report: medians, ratios, and the tables as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from cases import CASES, MEMORY
from load import Sample
from servers import ROOT

OURS = "bolt-host"


@dataclass
class Results:
    """All results of one run of the harness."""

    date: str
    settings: dict[str, int]
    facts: dict[str, str]
    notes: dict[str, str]
    skipped: list[str] = field(default_factory=list)
    # samples[case][server]: one for each round.
    samples: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)
    # errors[case][server]: why this server's numbers do not count.
    errors: dict[str, dict[str, str]] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)

    def add(self, case: str, server: str, sample: Sample) -> None:
        self.samples.setdefault(case, {}).setdefault(server, []).append(sample)

    def fail(self, case: str, server: str, why: str) -> None:
        # Reports are committed to the repository: readers have no use for
        # paths of this machine.
        for folder, short in ((ROOT, "."), (Path.home(), "~")):
            why = why.replace(str(folder), short)
        self.errors.setdefault(case, {}).setdefault(server, why)

    def counted(self, case: str, server: str) -> list[Sample]:
        """The samples that count: none for a server that failed in any round."""
        if server in self.errors.get(case, {}):
            return []
        return self.samples.get(case, {}).get(server, [])

    def middle(self, case: str, server: str, value: Callable[[Sample], float]) -> float | None:
        found = [value(sample) for sample in self.counted(case, server)]
        return median(found) if found else None

    def rate(self, case: str, server: str) -> float | None:
        return self.middle(case, server, lambda sample: sample.requests_per_second)

    def ratio(self, case: str, peer: str) -> float | None:
        """bolt-host / peer: the median of the rounds' ratios.

        Taken within each round: if a shared machine slows down for a while, both
        slow down, and their ratio hardly changes.
        """
        pairs = zip(self.counted(case, OURS), self.counted(case, peer), strict=False)
        ratios = [ours.requests_per_second / theirs.requests_per_second for ours, theirs in pairs]
        return median(ratios) if ratios else None

    def measured_cases(self) -> list[str]:
        return [case for case in CASES if case in self.samples or case in self.errors]

    def measured_servers(self) -> list[str]:
        seen = {
            server
            for found in (self.samples, self.errors)
            for case in found.values()
            for server in case
        }
        return [server for server in self.notes if server in seen or server in self.memory]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def by_case(
    results: Results, servers: Sequence[str], cell: Callable[[str, str], str | None]
) -> str:
    """One row for each case, one column for each server."""

    def text(case: str, server: str) -> str:
        if server in results.errors.get(case, {}):
            return "failed"
        return cell(case, server) or "-"

    cases = results.measured_cases()
    return table(
        ["case", *servers], [[case, *(text(case, server) for server in servers)] for case in cases]
    )


def mebibytes(kib: float) -> str:
    return f"{kib / 1024:.1f} MiB"


def memory_tables(memory: dict[str, Any]) -> list[str]:
    rows = []
    for server, found in memory.items():
        processes = found.get("processes", [])
        if processes:
            rows.append(
                [server, str(len(processes))]
                + [
                    mebibytes(median(process[kind] for process in processes))
                    for kind in ("rss", "pss", "private")
                ]
            )
    parts = [
        "## Memory\n",
        "One process that answers requests, after a short load "
        "(the median where there are several).\n",
        table(["server", "processes", "RSS", "PSS", "private"], rows),
    ]
    extra = memory.get(OURS, {}).get("instances")
    if extra:
        parts.append(
            f"\nbolt-host, one worker, from 1 to {extra['instances']} instances at work, "
            f"for each further one: **{extra['private_per_instance_kib']:,.0f} KiB** of private "
            f"memory, {extra['pss_per_instance_kib']:,.0f} KiB of PSS "
            "(which also counts, once, the pages that the instances share)."
        )
    return parts


def spread(results: Results) -> str:
    """The widest spread between rounds, so that a reader can judge small differences."""
    worst, where = 0.0, ""
    for case in results.measured_cases():
        for server in results.notes:
            rates = [sample.requests_per_second for sample in results.counted(case, server)]
            if len(rates) > 1 and (width := (max(rates) - min(rates)) / median(rates)) > worst:
                worst, where = width, f"{server} in {case}"
    if not where:
        return ""
    return f"\nWidest spread between the rounds: {worst:.0%} ({where})."


def socket_errors(results: Results) -> list[str]:
    lines = []
    for case in results.measured_cases():
        for server in results.notes:
            count = sum(sample.socket_errors for sample in results.counted(case, server))
            if count:
                lines.append(f"- {server}, {case}: {count} connection errors or timeouts")
    return lines


def markdown(results: Results) -> str:
    servers = results.measured_servers()
    peers = [server for server in servers if server != OURS]

    def rate(case: str, server: str) -> str | None:
        found = results.rate(case, server)
        return None if found is None else f"{found:,.0f}"

    def latency(case: str, server: str) -> str | None:
        p50 = results.middle(case, server, lambda sample: sample.p50_ms)
        p99 = results.middle(case, server, lambda sample: sample.p99_ms)
        return None if p50 is None or p99 is None else f"{p50:.2f} / {p99:.2f}"

    def ratio(case: str, server: str) -> str | None:
        found = results.ratio(case, server)
        return None if found is None else f"{found:.2f}"

    settings = results.settings
    parts = [f"# Benchmark of {results.date}\n"]
    parts.append(
        f"{results.facts['cores']} cores ({results.facts['cpu']}), {results.facts['kernel']}. "
        f"wrk -t1, {settings['seconds']} s after {settings['warmup']} s of warm-up, "
        f"median of {settings['rounds']} rounds. wrk runs on the same machine and takes its "
        "share of the cores, so the numbers compare servers and say little about a server alone.\n"
    )
    if results.measured_cases():
        parts += ["## Requests per second\n", by_case(results, servers, rate), spread(results)]
        if OURS in servers and peers:
            parts += ["\n## bolt-host / each server\n"]
            parts += ["Above 1: bolt-host answered more.\n", by_case(results, peers, ratio)]
        parts += ["\n## Latency, p50 / p99 in ms\n", by_case(results, servers, latency), ""]
    if results.memory:
        parts += [*memory_tables(results.memory), ""]
    parts.append("## Servers\n")
    parts += [f"- {name}: {results.notes[name]}" for name in servers]
    problems = [
        f"- {server}, {case}: {why.splitlines()[0]}"
        for case, found in results.errors.items()
        for server, why in found.items()
    ]
    problems += socket_errors(results)
    problems += [f"- {text}" for text in results.skipped]
    if problems:
        parts += ["\n## What went wrong or was left out\n", *problems]
    parts += ["\n## Versions\n"]
    parts += [f"- {name}: {value}" for name, value in results.facts.items()]
    return "\n".join(parts) + "\n"


def as_json(results: Results) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for case in results.measured_cases():
        found[case] = {}
        for server in results.notes:
            samples = results.counted(case, server)
            if samples:
                found[case][server] = {
                    "requests_per_second": results.rate(case, server),
                    "bolt_host_ratio": results.ratio(case, server),
                    "rounds": [sample.as_json() for sample in samples],
                }
    return {
        "date": results.date,
        "settings": results.settings,
        "facts": results.facts,
        "servers": results.notes,
        "skipped": results.skipped,
        "errors": results.errors,
        "results": found,
        MEMORY: results.memory,
    }


def write(results: Results, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(markdown(results))
    path.with_suffix(".json").write_text(json.dumps(as_json(results), indent=2) + "\n")
    return path
