"""Says what happens, and runs programs whose output goes to a log."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# What a person reads first when a build fails; the whole output stays in the log.
TAIL_LINES = 40
# Most bytes of a log that are read for its last lines.
TAIL_BYTES = 64 * 1024


class Failure(Exception):
    """Something that the user is told, with what can be done about it."""

    def __init__(self, message: str, advice: str = "", log: Path | None = None) -> None:
        super().__init__(message)
        self.advice = advice
        self.log = log


def say(text: str) -> None:
    """Print a line of progress. Standard output is for the wheels' paths alone."""
    print(text, file=sys.stderr, flush=True)


def report(failure: Failure) -> None:
    """Print a failure: what, the last lines of the log, where the log is, what to do."""
    if failure.log is not None:
        for line in last_lines(failure.log):
            say(f"  | {line}")
    say(f"error: {failure}")
    if failure.log is not None:
        say(f"  the whole log: {failure.log}")
    if failure.advice:
        say(f"  {failure.advice}")


def last_lines(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - TAIL_BYTES))
        text = file.read().decode("utf-8", "replace")
    return text.splitlines()[-TAIL_LINES:]


def run(
    command: Sequence[str | Path],
    log: Path,
    what: str,
    *,
    advice: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a program, its output appended to `log`; a failure says `what` could not be done."""
    words = [str(word) for word in command]
    with log.open("a", encoding="utf-8") as file:
        file.write(f"\n$ {' '.join(words)}\n")
        file.flush()
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env, cwd=cwd
            )
        except OSError as error:
            raise Failure(f"{what}: {words[0]} cannot be started: {error}", advice) from error
    if done.returncode != 0:
        raise Failure(f"{what} (exit status {done.returncode})", advice, log)


def output_of(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str | None:
    """What a program prints, or None when it is not there or fails."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            text=True,
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
