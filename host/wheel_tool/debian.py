"""Fetches packages of Debian and unpacks them into a folder, without being root.

apt does the fetching, so that signatures are checked and the machine's mirror is used; it keeps
its state under the work folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from wheel_tool.console import Failure, output_of, run

ADVICE = "The machine's apt must reach a mirror of Debian."


class Apt:
    """apt with its state in `folder`: with a release of its own, or the machine's sources."""

    def __init__(self, folder: Path, release: str | None, log: Path) -> None:
        self.folder = folder
        self.log = log
        for name in ("lists/partial", "cache/archives/partial", "state"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "state" / "status").touch()
        lines = [
            f'Dir::State "{folder}/state";',
            f'Dir::State::lists "{folder}/lists";',
            f'Dir::State::status "{folder}/state/status";',
            f'Dir::Cache "{folder}/cache";',
            'Acquire::Languages "none";',
            # Descriptions for graphical installers, half of what an update would load.
            'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
            'Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";',
        ]
        if os.geteuid() == 0:
            lines.append('APT::Sandbox::User "root";')
        if release is not None:
            sources = folder / "sources.list"
            sources.write_text(f"deb {mirror()} {release} main\n", encoding="utf-8")
            lines += [
                f'Dir::Etc::sourcelist "{sources}";',
                'Dir::Etc::sourceparts "/dev/null";',
            ]
        config = folder / "apt.conf"
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.env = {**os.environ, "APT_CONFIG": str(config)}

    def update(self) -> None:
        run(
            ["apt-get", "-q", "update"],
            self.log,
            "apt-get update failed",
            advice=ADVICE,
            env=self.env,
        )

    def dependencies(self, package: str, prefix: str) -> list[str]:
        """The packages that this one depends on whose names begin so."""
        shown = output_of(["apt-cache", "depends", "--important", package], self.env) or ""
        words = [line.split()[-1] for line in shown.splitlines() if "Depends:" in line]
        return [word for word in words if word.startswith(prefix)]

    def unpack(self, packages: Sequence[str], root: Path) -> None:
        """Download packages, exactly these, and unpack their files under `root`."""
        downloads = self.folder / "downloads"
        shutil.rmtree(downloads, ignore_errors=True)
        downloads.mkdir()
        root.mkdir(exist_ok=True)
        run(
            ["apt-get", "-q", "download", *packages],
            self.log,
            f"apt-get could not download {', '.join(packages)}",
            advice=ADVICE,
            env=self.env,
            cwd=downloads,
        )
        for package in sorted(downloads.glob("*.deb")):
            run(["dpkg-deb", "-x", package, root], self.log, f"{package.name} cannot be unpacked")
        shutil.rmtree(downloads)


def is_there() -> bool:
    """Whether this machine has apt with a mirror of Debian (not of another distribution)."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return False
    return mirror_or_none() is not None


def mirror() -> str:
    found = mirror_or_none()
    if found is None:
        raise Failure("apt has no mirror of Debian", ADVICE)
    return found


def mirror_or_none() -> str | None:
    """The address of the archive that has the machine's own release, in apt's settings."""
    fields = ("SITE", "REPO_URI", "ORIGIN", "COMPONENT", "RELEASE")
    lines = output_of(
        [
            *("apt-get", "indextargets", "--format", " ".join(f"$({f})" for f in fields)),
            "Created-By: Packages",
        ]
    )
    for line in (lines or "").splitlines():
        words = line.split()
        if len(words) != len(fields):
            continue
        _, address, origin, component, release = words
        # The archive of security updates has another layout.
        if origin == "Debian" and component == "main" and not release.endswith("-security"):
            return address
    return None
