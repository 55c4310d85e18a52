#!/usr/bin/env python3
"""The figure of docs/8-isolation.md, from a run of modes.py.

python3 benches/plot.py benches/runs/2026-11-21-2c-modes.json docs/isolation.svg
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

# What is shown, from the run's names.
BARS = {
    "wasmtime-0.2": "wasmtime serve 0.2: a new instance each time",
    "async fresh": "fresh, async def",
    "def fresh, one worker": "fresh, def, on one core",
    "def fresh": "fresh, def",
    "async concurrent": "concurrent: the default of async def",
    "def serial": "serial: the default of def",
}
WIDTH, LEFT, ROW = 760, 300, 34
LEAST, MOST = 100.0, 100_000.0


def place(rate: float) -> float:
    """Where a rate lies on the axis, which is logarithmic."""
    share = math.log(max(rate, LEAST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * (WIDTH - LEFT - 80)


def picture(rates: dict[str, float]) -> str:
    """An SVG of the bars."""
    height = ROW * len(rates) + 50
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for power in range(2, 6):
        x = place(10.0**power)
        lines.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="8" y2="{height - 32}" stroke="#ddd"/>')
        text = f"{10**power:,}"
        lines.append(
            f'<text x="{x:.0f}" y="{height - 14}" text-anchor="middle" fill="#666">{text}</text>'
        )
    for row, (name, rate) in enumerate(rates.items()):
        y = 10 + row * ROW
        colour = "#c44" if name.startswith("wasmtime") else "#47a"
        lines.append(f'<text x="{LEFT - 10}" y="{y + 17}" text-anchor="end">{BARS[name]}</text>')
        lines.append(
            f'<rect x="{LEFT}" y="{y + 3}" width="{place(rate) - LEFT:.0f}" height="20" '
            f'fill="{colour}"/>'
        )
        lines.append(f'<text x="{place(rate) + 6:.0f}" y="{y + 17}">{rate:,.0f}</text>')
    return "\n".join([*lines, "</svg>", ""])


def rates_of(run: dict[str, Any]) -> dict[str, float]:
    """Requests a second of what is shown."""
    rounds = run["results"]["modes"]["rounds"]
    rate = {name: [one["requests_per_second"] for one in found] for name, found in rounds.items()}
    return {name: statistics.median(rate[name]) for name in BARS if name in rate}


def main() -> None:
    source, target = sys.argv[1:]
    run = json.loads(Path(source).read_text())
    Path(target).write_text(picture(rates_of(run)))


if __name__ == "__main__":
    main()
