"""What an app takes from the outside while it is imported, and the sentences about it."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bolt._runtime.frozen import ImportWatch

APP = """
import datetime as dt
import os
import random
import secrets
import time as clock
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from os import environ, getenv
from random import choice
from time import time
from typing import TYPE_CHECKING

import others
import vendored

ONE = os.environ["FROZEN_ONE"]                      # variable FROZEN_ONE
TWO = getenv("FROZEN_TWO", "x")                     # variable FROZEN_TWO
THREE = "FROZEN_THREE" in environ                   # variable FROZEN_THREE
FOUR = os.environ.get("FROZEN_GIVEN")
# What pydantic reads for each of the app's models says nothing about the app.
PYDANTICS = getenv("PYDANTIC_DISABLE_PLUGINS")
FIVE = vendored.read("FROZEN_FIVE")                 # variable FROZEN_FIVE
SIX = others.read("FROZEN_SIX")
ALL = dict(os.environ)                              # variable ?
os.environ["FROZEN_SET"] = "x"

NOW = datetime.now()                                # clock datetime.now
DAY = date.today()                                  # clock date.today
STAMP = [clock.time(), time()]                      # clock clock.time, clock time
UTC = dt.datetime.now(dt.UTC)                       # clock dt.datetime.now
TOKEN = secrets.token_hex()                         # random secrets.token_hex
ID = str(uuid.uuid4())                              # random uuid.uuid4
DRAWN = random.randint(1, 6) + choice([1])          # random random.randint, random choice
PARSED = datetime.fromisoformat("2024-01-02")
NAMED = uuid.uuid5(uuid.NAMESPACE_DNS, "x")
GENERATOR = random.Random(3)
THEN = clock.gmtime(0)


@dataclass
class Item:
    made: datetime = datetime.now()                 # clock datetime.now
    fine: datetime = field(default_factory=datetime.now)


def handler(at: float = clock.monotonic(), also=lambda: clock.time()):  # clock clock.monotonic
    return datetime.now(), os.environ.get("FROZEN_LATE"), at


class Own:
    def now(self):
        return 1


own = Own()
MINE = own.now()

if TYPE_CHECKING:
    NEVER = datetime.now()
if __name__ == "__main__":
    NEVER = datetime.now()
"""
OTHERS = """
import os


def read(name):
    return os.environ.get(name)  # read here
"""
VENDORED = """
import os

ITSELF = os.environ.get("FROZEN_LIBRARY")


def read(name):
    return os.environ.get(name)
"""


def expected() -> set[tuple[str, str, str, int]]:
    found = {("variable", "FROZEN_SIX", "others.py", 6)}
    for number, line in enumerate(APP.splitlines(), 1):
        for one in line.partition("  # ")[2].split(", "):
            if one.split(" ")[0] in ("variable", "clock", "random"):
                kind, name = one.split(" ")
                found.add((kind, "" if name == "?" else name, "frozen_app.py", number))
    return found


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, text in (("frozen_app", APP), ("others", OTHERS), ("vendored", VENDORED)):
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "vendored-1.0.dist-info").mkdir()
    (tmp_path / "vendored-1.0.dist-info" / "RECORD").write_text(
        "vendored.py,sha256=x,1\nvendored-1.0.dist-info/RECORD,,\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FROZEN_ONE", "1")
    yield tmp_path
    for name in ("frozen_app", "others", "vendored"):
        sys.modules.pop(name, None)
    for name in ("FROZEN_SET", "FROZEN_GIVEN"):
        os.environ.pop(name, None)


def test_what_the_build_fixes_is_found_with_its_place(app: Path) -> None:
    plain = type(os.environ)
    watch = ImportWatch(str(app), {"FROZEN_GIVEN": "given"})
    with watch:
        module = importlib.import_module("frozen_app")
    assert type(os.environ) is plain and module.environ is os.environ
    assert module.ONE == "1" and module.FOUR == "given"
    found = watch.findings()
    assert {(one.kind, one.name, one.file, one.line) for one in found} == expected()
    # Once each, and no more for what handlers do later.
    assert len(found) == len(expected())
    module.handler()
    assert watch.findings() == found


def test_the_sentences_say_what_to_do(app: Path) -> None:
    watch = ImportWatch(str(app), {})
    with watch:
        importlib.import_module("frozen_app")
    texts = {one.name: one.as_json()["text"] for one in watch.findings()}
    lines = APP.splitlines()
    line = 1 + next(number for number, one in enumerate(lines) if one.startswith("ONE"))
    assert texts["FROZEN_ONE"] == (
        f"frozen_app.py:{line} reads the variable FROZEN_ONE while the app is imported, so the "
        "build fixes what it gets, and `--env FROZEN_ONE=...` does not change it: give it with "
        "`--build-env FROZEN_ONE=...`, or read it in a handler or in the lifespan"
    )
    assert "reads all variables" in texts[""] and "`--env NAME=...`" in texts[""]
    assert "FROZEN_GIVEN" in texts
    assert texts["date.today"].endswith(
        "calls date.today() while the app is imported, so every interpreter of the built app has "
        "the time of the build: call it in a handler or in the lifespan"
    )
    assert "has the same value: call it in" in texts["secrets.token_hex"]


def test_an_import_that_fails_leaves_the_environment_as_it_was(app: Path) -> None:
    plain = type(os.environ)
    with pytest.raises(KeyError), ImportWatch(str(app), {}):
        os.environ["FROZEN_MISSING"]
    assert type(os.environ) is plain
    assert "FROZEN_MISSING" not in os.environ and list(os.environ)
