"""Writes the page that lets pip take a folder of wheels from a static web server."""

from __future__ import annotations

import hashlib
import html
import urllib.parse
from pathlib import Path


def write_index(folder: Path) -> Path:
    """`index.html` with a link to each wheel, with its hash: what `pip --find-links` reads."""
    links = []
    for wheel in sorted(folder.glob("*.whl")):
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        target = f"{urllib.parse.quote(wheel.name)}#sha256={digest}"
        links.append(f'<a href="{html.escape(target)}">{html.escape(wheel.name)}</a><br>')
    page = folder / "index.html"
    partial = folder / "index.html.part"
    partial.write_text(
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8"><title>Wheels</title></head>\n<body>\n'
        + "\n".join(links)
        + "\n</body></html>\n",
        encoding="utf-8",
    )
    partial.replace(page)
    return page
