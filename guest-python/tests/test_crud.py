"""`crud`: the operations in Python over a fake host, and what the manifest tells the host."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from crudfake import send
from sqlfake import SqlHost, host

from bolt import BoltAPI, sql

__all__ = ["host"]

HERE = Path(__file__).parent
# They are replayed against the real host as well: by Python, and by the host alone.
CASES: list[dict[str, Any]] = json.loads((HERE / "crud_cases.json").read_text())


def fixture() -> ModuleType:
    """The module of the shared fixture that serves the tables of the cases."""
    file = HERE.parents[1] / "tests" / "fixture" / "items.py"
    spec = importlib.util.spec_from_file_location("items", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["items"] = made
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def items(host: SqlHost) -> BoltAPI:
    api = BoltAPI()
    api.include_router(fixture().items)
    assert send(api, "POST", "/crud/setup")[0] == 200
    return api


@pytest.mark.parametrize("path", ["/crud/python", "/crud/native"])
def test_cases(items: BoltAPI, path: str) -> None:
    for number, case in enumerate(CASES):
        told = f"case {number}: {case['about']}: {case['method']} {case['path']}"
        asked = (items, case["method"], path + case["path"], case.get("body", ...))
        if case["status"] == 500:
            with pytest.raises(sql.ProgrammingError):
                send(*asked)
            continue
        status, answer = send(*asked)
        assert status == case["status"], (told, answer)
        if "json" in case:
            assert answer == case["json"], told
            assert json.dumps(answer) == json.dumps(case["json"]), told
        if "loc" in case:
            assert answer["detail"][0]["loc"] == case["loc"], told
