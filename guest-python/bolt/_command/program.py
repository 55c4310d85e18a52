"""`run_program`: runs what `python` and the commands of packages run, in this interpreter."""

from __future__ import annotations

import os
import runpy
import sys
from importlib.metadata import entry_points
from types import ModuleType

from .._runtime.tracebacks import app_traceback

__all__ = ["run_program"]


def run_program(words: list[str], folder: str) -> int:
    """Run a command to its end; returns its exit code. What it raises is written to `sys.stderr`.

    words: `manage.py migrate`, `-m module ARGUMENTS`, `-c CODE` or `alembic upgrade head`.
    folder: where scripts are looked for.
    """
    before = sys.argv
    try:
        _run(words, folder)
    except SystemExit as end:
        return _exit_code(end.code)
    except BaseException as exc:
        sys.stderr.write(app_traceback(exc))
        return 1
    finally:
        sys.argv = before
    return 0


def _run(words: list[str], folder: str) -> None:
    first, rest = words[0], words[1:]
    if first in ("-m", "-c") and not rest:
        raise SystemExit(f"{first} needs an argument")
    if first == "-m":
        # `runpy` puts the file of the module in the place of the first one.
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        _run_code(rest[0], "<string>")
    elif os.path.isfile(script := os.path.join(folder, first)):
        sys.argv = words
        # As Python does: its imports begin beside it.
        sys.path.insert(0, os.path.dirname(script))
        with open(script, "rb") as file:
            _run_code(file.read(), script)
    else:
        _run_console_script(words)


def _run_code(source: str | bytes, file: str) -> None:
    """Run it as the module `__main__`, where `pickle` and others look for it."""
    main = ModuleType("__main__")
    main.__file__ = file
    before = sys.modules.get("__main__")
    sys.modules["__main__"] = main
    try:
        # Without the `__future__` of this file.
        exec(compile(source, file, "exec", dont_inherit=True), main.__dict__)
    finally:
        if before is not None:
            sys.modules["__main__"] = before


def _run_console_script(words: list[str]) -> None:
    """Run what a package would have put into the folder `bin`."""
    found = list(entry_points(group="console_scripts", name=words[0]))
    if not found:
        raise SystemExit(
            f"{words[0]}: the app has no such file, and none of its packages has such a command"
        )
    sys.argv = words
    raise SystemExit(found[0].load()())


def _exit_code(code: object) -> int:
    """As Python does with the argument of `sys.exit`."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1
