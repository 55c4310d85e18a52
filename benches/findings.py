"""The results of modes.py: samples, goals and tables, as Markdown and JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from cases import Case
from environment import say
from load import BenchError, Sample, verify, wrk
from report import Results, table
from servers import Running

NO_BODY = Path(os.devnull)


@dataclass(frozen=True)
class Goal:
    """A target for a measurement, and the result."""

    case: str
    wanted: str
    found: str
    met: bool


@dataclass(frozen=True)
class Section:
    """One case in the report: a description and a table."""

    says: str
    head: tuple[str, ...]
    rows: list[list[str]]
    # Results other than wrk samples, which `Results` has.
    values: dict[str, Any] = field(default_factory=dict)


@dataclass
class Findings:
    """All results of one run. `results` has the wrk samples by case and label, and errors."""

    results: Results
    sections: dict[str, Section] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)

    def goal(self, case: str, wanted: str, found: str, met: bool) -> None:
        self.goals.append(Goal(case, wanted, found, met))

    def measure(self, case: str, label: str, running: Running, asked: Case) -> None:
        """Warm up, measure and keep the sample; a label that fails does not stop the others."""
        settings = self.results.settings
        if label in self.results.errors.get(case, {}):
            return  # disqualified in an earlier round
        try:
            verify(asked, running.port, validates=False)
            wrk(asked, running.port, settings["warmup"], NO_BODY)
            sample = wrk(asked, running.port, settings["seconds"], NO_BODY)
            running.check()
        except BenchError as error:
            self.results.fail(case, label, str(error))
            say(f"  {label:24} FAILED: {error}")
            running.check()
            return
        self.add(case, label, sample)

    def add(self, case: str, label: str, sample: Sample) -> None:
        self.results.add(case, label, sample)
        say(
            f"  {label:24} {sample.requests_per_second:10,.1f}/s  p50 {sample.p50_ms:8.2f} ms"
            f"  p99 {sample.p99_ms:8.2f} ms  max {sample.max_ms:8.2f} ms"
        )

    def ratio(self, case: str, label: str, other: str) -> float | None:
        """label / other in requests per second: the median of the rounds' ratios."""
        counted = self.results.counted
        pairs = zip(counted(case, label), counted(case, other), strict=False)
        found = [one.requests_per_second / two.requests_per_second for one, two in pairs]
        return median(found) if found else None

    def ratio_text(self, case: str, label: str, other: str) -> str:
        found = self.ratio(case, label, other)
        return "-" if found is None else f"{found:.3g}"

    def rate_row(self, case: str, label: str, *, worst: bool = False) -> list[str]:
        """The label, then requests per second, p50 and p99 in ms; the median of the rounds.

        worst: add the longest of all rounds.
        """
        results = self.results
        samples = results.counted(case, label)
        if not samples:
            failed = label in results.errors.get(case, {})
            return [label, *["failed" if failed else "-"] * (4 if worst else 3)]
        rate = median(sample.requests_per_second for sample in samples)
        row = [label, f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"]
        row.append(f"{median(sample.p50_ms for sample in samples):.2f}")
        row.append(f"{median(sample.p99_ms for sample in samples):.2f}")
        if worst:
            row.append(f"{max(sample.max_ms for sample in samples):.2f}")
        return row

    def problems(self) -> list[str]:
        """What failed, the errors that wrk saw, and what could not run here."""
        found = [
            f"- {case}, {label}: {why.splitlines()[0]}"
            for case, labels in self.results.errors.items()
            for label, why in labels.items()
        ]
        for case, by_label in self.results.samples.items():
            for label, samples in by_label.items():
                count = sum(sample.socket_errors for sample in samples)
                if count:
                    found.append(f"- {case}, {label}: {count} connection errors or timeouts")
        return found + [f"- {text}" for text in self.results.skipped]


def goal_table(goals: Iterable[Goal]) -> str:
    return table(
        ["case", "wanted", "found", "met"],
        [[goal.case, goal.wanted, goal.found, "yes" if goal.met else "NO"] for goal in goals],
    )


def markdown(findings: Findings) -> str:
    results = findings.results
    settings, facts = results.settings, results.facts
    parts = [f"# Isolation modes, waiting and computing, {results.date}\n"]
    parts.append(
        f"{facts['cores']} cores ({facts['cpu']}), {facts['kernel']}. wrk -t1, "
        f"{settings['seconds']} s after {settings['warmup']} s of warm-up, median of "
        f"{settings['rounds']} round(s) where nothing else is said. Load generators run on the "
        "same machine and take their share of the cores.\n"
    )
    if findings.goals:
        parts += ["## Goals\n", goal_table(findings.goals), ""]
    for case, section in findings.sections.items():
        parts += [f"## {case}\n", f"{section.says}\n", table(section.head, section.rows), ""]
    problems = findings.problems()
    if problems:
        parts += ["## What went wrong or was left out\n", *problems, ""]
    parts += ["## Versions\n", *(f"- {name}: {value}" for name, value in facts.items())]
    return "\n".join(parts) + "\n"


def as_json(findings: Findings) -> dict[str, Any]:
    results = findings.results
    cases: Sequence[str] = list(dict.fromkeys([*findings.sections, *results.samples]))
    return {
        "date": results.date,
        "settings": results.settings,
        "facts": results.facts,
        "skipped": results.skipped,
        "errors": results.errors,
        "goals": [asdict(goal) for goal in findings.goals],
        "results": {
            case: {
                "rounds": {
                    label: [sample.as_json() for sample in samples]
                    for label, samples in results.samples.get(case, {}).items()
                },
                **(findings.sections[case].values if case in findings.sections else {}),
            }
            for case in cases
        },
    }


def write(findings: Findings, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(markdown(findings))
    path.with_suffix(".json").write_text(json.dumps(as_json(findings), indent=2) + "\n")
    return path
