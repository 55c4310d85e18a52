"""What an app prints, logs and fails with, as the host gets it."""

import importlib
import json
import logging
import logging.config
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from bolt._runtime.app_log import AppLog
from bolt._runtime.records import MOST, Record, shortened

REQUEST = 7


class Host:
    """Keeps what an instance logs, and takes records apart as the host does."""

    def __init__(self) -> None:
        self.written: list[tuple[int, str, str]] = []
        self.log = AppLog(lambda: REQUEST, lambda *text: self.written.append(text))

    def begin(self) -> None:
        """Within the test itself: pytest replaces the streams between a fixture and its test."""
        self.log.install()
        self.log.begin_service()

    def records(self) -> list[dict[str, Any]]:
        found = []
        for request, stream, text in self.written:
            assert (request, stream) == (REQUEST, "error")
            assert len(text.encode()) <= 4096 or "\x1e" not in text[1:]
            head, _, rest = text.removeprefix("\x1e").partition("\n")
            message, _, traceback = rest.partition("\x1e")
            found.append({**json.loads(head), "message": message, "traceback": traceback})
        return found

    def record(self) -> dict[str, Any]:
        (record,) = self.records()
        return record


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    root = logging.getLogger()
    for holder, name in (
        (sys, "stdout"),
        (sys, "stderr"),
        (sys, "unraisablehook"),
        (logging, "lastResort"),
        (logging.StreamHandler, "emit"),
        (warnings, "showwarning"),
        (root, "handlers"),
        (root, "level"),
    ):
        monkeypatch.setattr(holder, name, getattr(holder, name))
    monkeypatch.setattr(root, "handlers", [])
    yield Host()
    logging.getLogger("shop").setLevel(logging.NOTSET)


def shop() -> logging.Logger:
    return logging.getLogger("shop")


def clean(record: dict[str, Any]) -> tuple[str, str, str]:
    return record["level"], record["logger"], record["message"]


def test_levels_arrive(host: Host) -> None:
    host.begin()
    shop().setLevel(1)
    for level in (5, logging.DEBUG, logging.INFO, 25, logging.WARNING, 40, logging.CRITICAL, 99):
        shop().log(level, "at %d", level)
    assert [record["level"] for record in host.records()] == (
        ["debug", "debug", "info", "info", "warn", "error", "error", "error"]
    )
    names = [record.get("extra", {}).get("levelname") for record in host.records()]
    assert names == ["Level 5", None, None, "Level 25", None, None, "CRITICAL", "Level 99"]
    assert host.records()[4]["message"] == "at 30"


def test_the_level_of_a_logger_decides_as_in_python(host: Host) -> None:
    host.begin()
    shop().info("below the level of the root")
    shop().warning("above it")
    shop().setLevel(logging.INFO)
    shop().info("at the logger's own")
    said = [record["message"] for record in host.records()]
    assert said == ["above it", "at the logger's own"]


@pytest.mark.parametrize(
    "configure",
    [
        lambda: None,
        lambda: logging.basicConfig(),
        lambda: logging.basicConfig(style="{"),
        lambda: logging.basicConfig(stream=sys.stdout),
        lambda: logging.basicConfig(format="%(message)s"),
        lambda: logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "handlers": {"out": {"class": "logging.StreamHandler"}},
                "root": {"handlers": ["out"]},
            }
        ),
    ],
)
def test_a_record_is_the_same_however_it_is_configured(host: Host, configure: Any) -> None:
    host.begin()
    configure()
    shop().warning("sold %s", "out", extra={"item": 5})
    assert host.record() == {
        "level": "warn",
        "logger": "shop",
        "extra": {"item": 5},
        "message": "sold out",
        "traceback": "",
    }


def test_functions_of_the_module_configure_and_keep_the_level(host: Host) -> None:
    host.begin()
    logging.error("through basicConfig")
    assert clean(host.record()) == ("error", "root", "through basicConfig")


def test_basic_config_sets_the_level_also_later(host: Host) -> None:
    host.begin()
    shop().warning("one")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s <%(message)s>")
    shop().info("two")
    assert [clean(record) for record in host.records()] == [
        ("warn", "shop", "one"),
        ("info", "shop", "INFO <two>"),
    ]


def test_a_handler_made_during_the_import_writes_to_the_host_later(
    host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    host.log.install()
    logging.basicConfig()
    print("printed")
    shop().warning("building", extra={"step": 1})
    assert host.written == []
    assert capfd.readouterr().err == "printed\nWARN shop: building step=1\n"
    host.log.begin_service()
    shop().warning("serving")
    assert host.record()["message"] == "serving"


def test_a_traceback_belongs_to_its_record(host: Host) -> None:
    host.begin()
    try:
        importlib.import_module("no_module_of_this_name")
    except ImportError:
        shop().exception("not there")
    record = host.record()
    assert clean(record) == ("error", "shop", "not there")
    lines = record["traceback"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "ModuleNotFoundError: No module named 'no_module_of_this_name'"
    assert lines[-1].startswith("hint: ")
    shop().warning("where", stack_info=True)
    assert host.records()[1]["traceback"].startswith("Stack (most recent call last):\n")
    shop().error("outside", exc_info=True)
    assert host.records()[2]["traceback"] == ""


def test_a_format_of_the_app_is_kept(host: Host) -> None:
    host.begin()

    class AsJSON(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return json.dumps({"said": record.getMessage(), "failed": bool(record.exc_info)})

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(AsJSON())
    logging.getLogger().addHandler(handler)
    try:
        raise KeyError
    except KeyError:
        shop().exception("lost")
    assert clean(host.record()) == ("error", "shop", '{"said": "lost", "failed": true}')
    # It may have the traceback in it.
    assert host.record()["traceback"] == ""


def test_fields_are_json_of_bounded_size(host: Host) -> None:
    host.begin()

    class Thing:
        def __str__(self) -> str:
            return "a thing"

    values: dict[str, Any] = {
        "none": None,
        "yes": True,
        "count": 2**64 - 1,
        "huge": 2**64,
        "ratio": 0.5,
        "nan": float("nan"),
        "text": "ä\n\x1e",
        "thing": Thing(),
        "nested": {"a": [1, {"b": None}]},
        "odd": {"nan": [float("inf")]},
        "long": "x" * 100_000,
        "deep": [list(range(1000))],
    }
    shop().error("fields", extra=values)
    extra = host.record()["extra"]
    long, deep = extra.pop("long"), extra.pop("deep")
    assert long.startswith("xxx") and "..." in long and len(long) <= 500
    assert deep.startswith("[[0, 1, 2") and len(deep) <= 500
    assert extra == {
        "none": None,
        "yes": True,
        "count": 2**64 - 1,
        "huge": "18446744073709551616",
        "ratio": 0.5,
        "nan": "nan",
        "text": "ä\n\x1e",
        "thing": "a thing",
        "nested": {"a": [1, {"b": None}]},
        "odd": "{'nan': [inf]}",
    }


def test_a_record_fits_into_what_the_host_takes(host: Host) -> None:
    host.begin()

    def fail(depth: int) -> None:
        # Two functions in turn: a traceback shows repeated lines once.
        if depth:
            return other(depth - 1)
        raise ValueError("x" * 300)

    def other(depth: int) -> None:
        fail(depth)

    try:
        fail(60)
    except ValueError:
        many = {f"field {number}": "ü" * 90 for number in range(100)}
        shop().exception("y" * 10_000, extra=many)
    record = host.record()
    (_, _, text) = host.written[0]
    assert len(text.encode()) <= MOST
    assert record["left_out"] == 100 - len(record["extra"]) > 60
    assert record["message"].startswith("yyy")
    assert record["traceback"].startswith("Traceback")
    assert "a part is left out" in record["traceback"]
    assert record["traceback"].endswith("x" * 300)
    shop().error("few", extra={f"n{number}": number for number in range(40)})
    assert (len(host.records()[1]["extra"]), host.records()[1]["left_out"]) == (32, 8)


def test_nothing_that_is_printed_is_a_record(host: Host) -> None:
    host.begin()
    forged = Record("error", "forged", "message", {}).for_host()
    print(forged)
    print(forged, file=sys.stderr)
    assert {stream for _, stream, _ in host.written} == {"stdout", "stderr"}
    host.written.clear()
    host.log.complain(forged)
    assert host.written == [(REQUEST, "error", f" {forged}")]
    host.written.clear()
    shop().error("a\x1eb", exc_info=ValueError("\x1e."))
    assert host.record()["message"] == "a\\x1eb"
    assert host.record()["traceback"] == "ValueError: \\x1e."


def test_a_record_that_cannot_be_made_is_reported(host: Host) -> None:
    host.begin()
    shop().warning("%d", "not a number")
    text = "".join(text for _, _, text in host.written)
    assert "--- Logging error ---" in text and "TypeError" in text


def test_warnings_and_lost_exceptions_have_a_level(host: Host) -> None:
    host.begin()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = host.log._warning
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    record = host.record()
    assert (record["level"], record["logger"]) == ("warn", "py.warnings")
    assert "DeprecationWarning: old" in record["message"]
    host.written.clear()

    class Finalized:
        def __del__(self) -> None:
            raise ValueError("in a finalizer")

    Finalized()
    ((_, stream, text),) = host.written
    assert stream == "error" and text.startswith("Exception ignored")
    assert text.endswith("ValueError: in a finalizer")


def test_other_handlers_write_where_they_did(tmp_path: Any, host: Host) -> None:
    host.begin()
    file = logging.FileHandler(tmp_path / "app.log")
    logging.getLogger().addHandler(file)
    shop().warning("to the file")
    file.close()
    assert (tmp_path / "app.log").read_text() == "to the file\n"
    assert host.written == []


def test_a_long_text_loses_its_middle() -> None:
    assert shortened("short", 100) == "short"
    lines = "\n".join(f"line {number}" for number in range(1000))
    text = shortened(lines, 300)
    assert len(text) <= 300
    assert text.startswith("line 0\n") and text.endswith("\nline 999")
    head, _, tail = text.partition("\n... (a part is left out) ...\n")
    assert set(head.splitlines()) | set(tail.splitlines()) <= set(lines.splitlines())
    assert len(shortened("ü" * 1000, 100).encode()) <= 100
    assert shortened("\ud800" * 10, 1000) == "\ud800" * 10


def test_a_text_with_a_lone_surrogate_reaches_the_host(host: Host) -> None:
    host.begin()
    shop().error("lone \ud800", extra={"also": "\ud800"})
    assert host.record()["message"] == "lone \\ud800"
    print("\ud800")
    assert host.written[1] == (REQUEST, "stdout", "\\ud800")


def test_the_sdk_alone_changes_no_logging() -> None:
    program = """
import logging, sys, warnings
before = logging.lastResort, logging.StreamHandler.emit, warnings.showwarning, sys.stderr
import bolt, bolt._runtime.app_log
assert before == (
    logging.lastResort, logging.StreamHandler.emit, warnings.showwarning, sys.stderr
)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
