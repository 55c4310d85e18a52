"""The door of `tempfile`: files without a name are in memory if there is no folder for them.

Frameworks keep an uploaded file of more than a megabyte in one. What it takes is bounded by the
memory of the sandbox. `NamedTemporaryFile` and `mkstemp` need a folder, for others open their file.
"""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

__all__ = ["open_door"]


def open_door(module: ModuleType) -> None:
    """Change `TemporaryFile` and `SpooledTemporaryFile`."""
    tempfile: Any = module
    on_disk, roll = tempfile.TemporaryFile, tempfile.SpooledTemporaryFile.rollover

    def has_folder() -> bool:
        try:
            tempfile.gettempdir()
        except FileNotFoundError:
            return False
        return True

    def temporary_file(
        mode: str = "w+b",
        buffering: int = -1,
        encoding: str | None = None,
        newline: str | None = None,
        suffix: str | None = None,
        prefix: str | None = None,
        dir: str | None = None,
        *,
        errors: str | None = None,
    ) -> Any:
        if dir is not None or has_folder():
            place = (suffix, prefix, dir)
            return on_disk(mode, buffering, encoding, newline, *place, errors=errors)
        if "b" in mode:
            return io.BytesIO()
        return io.TextIOWrapper(io.BytesIO(), encoding, errors, newline)

    def rollover(self: Any) -> None:
        if self._rolled or self._TemporaryFileArgs["dir"] is not None or has_folder():
            roll(self)
        else:
            # It stays where it is, and does not ask again.
            self._max_size = 0

    tempfile.TemporaryFile = temporary_file
    tempfile.SpooledTemporaryFile.rollover = rollover
