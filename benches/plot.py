#!/usr/bin/env python3
"""Draws the figures of the documentation, each from one run.

python3 benches/plot.py
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 760
# A figure has its own background, so it is readable on a page of any colour, even if the page does
# not pass the reader's colour scheme on to images.
STYLE = """\
.page { fill: #ffffff } .text { fill: #1f2328 } .note { fill: #59636e } .grid { stroke: #d1d9e0 }
.ours { fill: #0969da } .other { fill: #afb8c1 }
.text { stroke: #ffffff; stroke-width: 4px; paint-order: stroke }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } .text { fill: #f0f6fc } .note { fill: #9198a1 } .grid { stroke: #3d444d }
.ours { fill: #4493f8 } .other { fill: #59636e }
.text { stroke: #0d1117 }
}"""


def text(x: float, y: float, content: str, style: str = "text", more: str = "") -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}"{more}>{escape(content)}</text>'


def bar(x: float, y: float, width: float, height: float, is_ours: bool) -> str:
    style = "ours" if is_ours else "other"
    return (
        f'<rect class="{style}" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}"/>'
    )


def figure(title: str, height: int, parts: list[str]) -> str:
    """An SVG of these parts. Screen readers read its title."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
    ]
    return "\n".join([*lines, *parts, "</svg>", ""])


END = ' text-anchor="end"'
MIDDLE = ' text-anchor="middle"'

MODES = {
    "wasmtime-0.2": "wasmtime serve 0.2",
    "async fresh": "fresh, async def",
    "def fresh, one worker": "fresh, def, on one core",
    "def fresh": "fresh, def",
    "async concurrent": "concurrent: the default of async def",
    "def serial": "serial: the default of def",
}


def isolation(run: dict[str, Any]) -> str:
    """Requests per second in each mode, on a logarithmic axis."""
    left, row_height, least, most = 290, 34, 2, 5
    height = row_height * len(MODES) + 50

    def place(rate: float) -> float:
        share = (math.log10(rate) - least) / (most - least)
        return left + share * (WIDTH - left - 80)

    parts = []
    for power in range(least, most + 1):
        x = place(10.0**power)
        parts.append(f'<line class="grid" x1="{x:.0f}" x2="{x:.0f}" y1="8" y2="{height - 32}"/>')
        parts.append(text(x, height - 14, f"{10**power:,}", "note", MIDDLE))
    for row, (mode, name) in enumerate(MODES.items()):
        y = 10 + row * row_height
        samples = run["results"]["modes"]["rounds"][mode]
        rate = statistics.median(sample["requests_per_second"] for sample in samples)
        is_ours = not mode.startswith("wasmtime")
        parts.append(text(left - 10, y + 17, name, more=END))
        parts.append(bar(left, y + 3, place(rate) - left, 20, is_ours))
        parts.append(text(place(rate) + 6, y + 17, f"{rate:,.0f}"))
    return figure("Requests per second in each isolation mode", height, parts)


SERVERS = {
    "bolt-host": "bolt-host",
    "django-bolt": "Django-Bolt",
    "robyn": "Robyn",
    "granian": "Granian, bare ASGI",
    "fastapi": "FastAPI",
    "wasmtime-0.3": "wasmtime serve 0.3",
}
CASES = {
    "hello-sync": "hello, def",
    "hello-async": "hello, async def",
    "typed": "typed path and query",
    "post-1k": "1 KB JSON, validated",
    "rows-10k": "10 KB JSON reply",
    "sleep-10ms": "10 ms sleep, 1,000 clients",
}


def speed(run: dict[str, Any]) -> str:
    """Requests per second of each server: one panel per case, all on one linear scale."""
    left, panel_width, columns, row_height, head = 146, 203, 3, 19, 34
    panel_height = head + row_height * len(SERVERS) + 10
    height = panel_height * math.ceil(len(CASES) / columns) + 26
    results, errors = run["results"], run["errors"]
    shown = [
        sample["requests_per_second"]
        for case in CASES
        for sample in map(results[case].get, SERVERS)
        if sample
    ]
    scale = (panel_width - 66) / max(shown)
    parts = []
    for number, (case, title) in enumerate(CASES.items()):
        x = left + number % columns * panel_width
        top = number // columns * panel_height
        parts.append(text(x, top + 24, title, more=' font-weight="bold"'))
        for row, (server, name) in enumerate(SERVERS.items()):
            y = top + head + row * row_height
            if number % columns == 0:
                weight = ' font-weight="bold"' if row == 0 else ""
                parts.append(text(x - 8, y + 13, name, more=END + weight))
            if server in errors.get(case, {}) or server not in results[case]:
                parts.append(text(x + 2, y + 13, "failed", "note"))
                continue
            rate = results[case][server]["requests_per_second"]
            parts.append(bar(x, y + 2, max(rate * scale, 1), row_height - 5, row == 0))
            parts.append(text(x + rate * scale + 5, y + 13, f"{rate:,.0f}"))
    cores = run["facts"]["cores"]
    note = f"Requests per second on {cores} cores, {run['date']}. Longer is better."
    parts.append(text(left, height - 12, note, "note"))
    return figure("Requests per second of bolt-host and other servers", height, parts)


Draw = Callable[[dict[str, Any]], str]
# The run that each figure shows. The page with the figure links to the same run.
FIGURES: dict[str, tuple[str, Draw]] = {
    "isolation.svg": ("2026-11-22-2c-modes.json", isolation),
    "speed.svg": ("2026-11-21-2c.json", speed),
}


def main() -> None:
    for name, (source, draw) in FIGURES.items():
        run = json.loads((ROOT / "benches/runs" / source).read_text())
        (ROOT / "docs" / name).write_text(draw(run))


if __name__ == "__main__":
    main()
