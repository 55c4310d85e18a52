"""Where things are kept under the work folder, and how a folder is filled once."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wheel_tool.console import Failure, say

READY = ".ready"


@dataclass(frozen=True)
class Folders:
    """The work folder: `tools` is kept for the next run, `build` and `logs` are of this one."""

    work: Path

    @property
    def tools(self) -> Path:
        return self.work / "tools"

    @property
    def logs(self) -> Path:
        return self.work / "logs"

    @property
    def build(self) -> Path:
        return self.work / "build"

    def make(self) -> None:
        # Compilers are named to setuptools in variables that it splits at spaces.
        if any(c.isspace() for c in str(self.work)):
            raise Failure(
                f"the work folder's path has a space in it: {self.work}",
                "Name another one with --work.",
            )
        for folder in (self.tools, self.logs, self.build):
            folder.mkdir(parents=True, exist_ok=True)

    def lock(self) -> IO[str]:
        """Have the folder alone for as long as the file that is returned is open."""
        file = (self.work / "lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another build of wheels to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        return file

    def log(self, name: str) -> Path:
        """An empty log of this name."""
        path = self.logs / f"{name}.log"
        path.write_text("", encoding="utf-8")
        return path

    def once(self, name: str, fill: Callable[[Path], None]) -> Path:
        """The folder of this name under `tools`, filled by `fill` unless an earlier run did.

        The folder has its final path while it is filled: a virtual environment cannot be moved.
        A mark is written last, so that a run that was stopped is done again.
        """
        folder = self.tools / name
        if (folder / READY).is_file():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fill(folder)
        (folder / READY).write_text("", encoding="utf-8")
        return folder
