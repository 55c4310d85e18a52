"""Commands run as `python` runs them, and what they write is sent at once."""

import importlib.metadata
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bolt._command import app, program
from bolt._command.program import run_program
from bolt._streams import progress

SCRIPT = """
import sys
import beside
print(sys.argv, __name__, beside.HERE, file=sys.stderr)
sys.exit({code})
"""


def run(*words: str, folder: Path | str = "/nowhere") -> int:
    before = list(sys.path)
    try:
        return run_program(list(words), str(folder))
    finally:
        sys.path[:] = before


@pytest.mark.parametrize(
    ("code", "found"), [("", 0), ("None", 0), ("3", 3), ("257", 1), ("'no database'", 1)]
)
def test_a_script_runs_as_the_program(
    code: str, found: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/do.py").write_text(SCRIPT.replace("{code}", code))
    (tmp_path / "tools/beside.py").write_text("HERE = 1")
    assert run("tools/do.py", "--all", folder=tmp_path) == found
    said = capsys.readouterr().err
    assert said.startswith("['tools/do.py', '--all'] __main__ 1\n")
    assert ("no database" in said) == (code == "'no database'")
    del sys.modules["beside"]


def test_modules_and_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "command_of_tests.py").write_text("import sys; print(__name__, sys.argv[1:])")
    before = list(sys.path)
    sys.path.insert(0, str(tmp_path))
    try:
        assert run("-m", "command_of_tests", "a") == 0
    finally:
        sys.path[:] = before
    assert run("-c", "import sys; print(sys.argv)", "b") == 0
    assert capsys.readouterr().out == "__main__ ['a']\n['-c', 'b']\n"
    assert (run("-m"), run("-c")) == (1, 1)
    assert "-m needs an argument" in capsys.readouterr().err


def test_annotations_are_those_of_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-c", "def add(a: int): ...\nprint(add.__annotations__)") == 0
    assert capsys.readouterr().out == "{'a': <class 'int'>}\n"


def test_exceptions_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = sys.argv
    assert run("-c", "1 / 0") == 1
    assert capsys.readouterr().err.endswith("ZeroDivisionError: division by zero\n")
    assert sys.argv is arguments


def test_commands_of_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        print(sys.argv)
        return 4

    point = SimpleNamespace(load=lambda: main)
    named = {"name": "tool", "group": "console_scripts"}
    monkeypatch.setattr(
        program, "entry_points", lambda **wanted: [point] if wanted == named else []
    )
    assert importlib.metadata.entry_points is not program.entry_points
    assert run("tool", "up") == 4
    assert run("other") == 1
    said = capsys.readouterr()
    assert said.out == "['tool', 'up']\n"
    assert "other: the app has no such file" in said.err


class Host:
    """Takes chunks, and is full before every second one."""

    Taken = SimpleNamespace(MORE=0, PAUSE=1, FULL=2, GONE=3)

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.waits = 0
        self.is_full = False
        self.is_gone = False

    def write(self, request: int, chunk: str) -> int:
        assert request == 7
        assert len(chunk) <= 64 * 1024
        if self.is_gone:
            return 3
        self.is_full = not self.is_full
        if self.is_full:
            return 2
        self.sent.append(chunk)
        return 0

    def wait(self, request: int) -> None:
        self.waits += 1


@pytest.fixture
def host() -> Any:
    host = Host()
    progress.install(host, lambda: 7)
    yield host
    progress.install(None, int)


def parsed(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        kind, size = data[0], int.from_bytes(data[1:5], "big")
        found.append((kind, data[5 : 5 + size]))
        data = data[5 + size :]
    return found


def test_output_is_sent_in_frames(host: Host) -> None:
    code = """
import sys
print("ä\\ud800")
print("!", file=sys.stderr)
sys.stdout.buffer.write(b"\\xff")
print("x" * 100_000, end="")
print(repr(sys.stdin.read()))
raise SystemExit(9)
"""
    before = sys.stdout
    last = b"".join(app._frames(["-c", code]))
    assert sys.stdout is before
    assert parsed(last) == [(app.EXIT_CODE, b"\x09")]
    frames = parsed("".join(host.sent).encode("latin-1"))
    assert all(len(content) <= 64 * 1024 for _, content in frames)
    out = b"".join(content for kind, content in frames if kind == app.STDOUT)
    err = b"".join(content for kind, content in frames if kind == app.STDERR)
    assert out == "ä\\ud800\n".encode() + b"\xff" + b"x" * 100_000 + b"''\n"
    assert err == b"!\n"
    assert host.waits > 0


def test_a_command_whose_output_nobody_reads_ends(host: Host) -> None:
    host.is_gone = True
    assert parsed(b"".join(app._frames(["-c", "print(1)"]))) == [(app.EXIT_CODE, b"\x01")]
