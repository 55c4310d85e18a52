"""The hint below a traceback: what to write instead, for what people know from elsewhere."""

import asyncio
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bolt import BoltAPI
from bolt._runtime import hint_texts, hints, hints_of_data
from bolt._runtime.app_loader import LoadError, import_app
from bolt._runtime.hints import hint
from bolt._runtime.tracebacks import app_traceback

# The tests' own Python may have these. In the sandbox they are missing.
MISSING = (
    "fastapi",
    "starlette",
    "pydantic",
    "uvicorn",
    "requests",
    "numpy",
    "pg8000",
    "psycopg2",
    "httpx",
    "yaml",
    "jinja2",
    "mmap",
    "ctypes",
    "resource",
    "dotenv",
)


def failure(source: str, folder: Path) -> BaseException:
    """What a module with this source raises, as the loader sees it: with its lines."""
    file = folder / "module.py"
    file.write_text(source)
    try:
        exec(compile(source, str(file), "exec"), {"__name__": "module"})
    except BaseException as exc:
        return exc
    raise AssertionError(f"nothing was raised by {source}")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("from fastapi import FastAPI", "from bolt import ..."),
        ("import fastapi", "from bolt import ..."),
        ("from fastapi.responses import JSONResponse", "from bolt.responses import ..."),
        ("from fastapi.security import HTTPBearer", "from bolt.security import ..."),
        ("from starlette.requests import Request", "from bolt.requests import ..."),
        ("from fastapi.testclient import TestClient", "from bolt.testclient import ..."),
        ("from fastapi.middleware.cors import CORSMiddleware", '@api.middleware("http")'),
        ("from starlette.middleware.base import BaseHTTPMiddleware", '@api.middleware("http")'),
        ("from starlette.middleware.sessions import SessionMiddleware", "bolt.sessions import"),
        ("from bolt import SessionMiddleware", "from bolt.sessions import SessionMiddleware"),
        ("from bolt import Router\nRouter().add_middleware(int)", '@api.middleware("http")'),
        ("from fastapi.staticfiles import StaticFiles", "--files /static=FOLDER"),
        ("from starlette.routing import Route", "from bolt import APIRouter"),
        ("import starlette.applications", "run its apps as they are"),
        ("try:\n    import yaml\nexcept ImportError:\n    import fastapi", "from bolt import"),
        ("from pydantic import BaseModel", "class Item(Struct)"),
        ("from pydantic_settings import BaseSettings", "os.environ"),
        ("import uvicorn", "leave it and `uvicorn.run(...)` out"),
        ("import requests", "http.sync.get(url)"),
        ("import httpx", "`pip install --target . httpx`"),
        ("import numpy as np", "compiled extensions do not load"),
        ("import psycopg2", "pg8000"),
        ("import pg8000", "--allow-tcp HOST:PORT"),
        ("import yaml", "`pip install --target . yaml`"),
        ("import ctypes", "has no module ctypes"),
        ("import resource", "has no module resource"),
        ("import mmap", "has no module mmap"),
        ("import sse_starlette", "from bolt.sse import EventSourceResponse"),
        ("from starlette.websockets import WebSocket", "from bolt.websockets import ..."),
        ("from fastapi.sse import EventSourceResponse", "from bolt.sse import ..."),
        ("from bolt import ORJSONResponse", "return the record or dict itself"),
        ("from bolt.responses import ORJSONResponse", "return the record or dict itself"),
        ("from bolt import BaseModel", "class Item(Struct)"),
        ("from bolt.middleware.cors import CORSMiddleware", '@api.middleware("http")'),
        ("import bolt\nbolt.ORJSONResponse", "return the record or dict itself"),
        ("from bolt import BoltAPI\nBoltAPI().add_middleware(int)", '@api.middleware("http")'),
        ('from bolt import BoltAPI\n@BoltAPI().on_event("startup")\ndef f(): ...', "lifespan=f"),
        ("from bolt import BoltAPI\nBoltAPI(on_startup=[])", "lifespan=f"),
        ("from bolt import BoltAPI\nBoltAPI(debug=True)", "bolt-host dev app.py"),
        ("from bolt import Struct\nclass A(Struct): ...\nA().dict()", "record.model_dump()"),
        ("from bolt import Struct\nclass A(Struct): ...\nA.parse_obj({})", "Item(**values)"),
        ("import os\ndel os.fork\nos.fork()", "no processes"),
        ('raise RuntimeError("can\'t start new thread")', "no threads"),
        ('raise OSError(58, "wasi does not support processes.")', "no processes"),
        ('open("/nowhere/at/all")', "its own folder"),
        ('open("not-there.txt")', "its own folder"),
        ('import sqlite3\nsqlite3.connect("/nowhere/x.db").execute("")', "`--write /data=FOLDER`"),
        (
            "raise ImportError(\"cannot import name 'InterpreterPoolExecutor' from 'x' (x.py)\")",
            "to_thread(f)",
        ),
        ('import sqlite3\nraise sqlite3.OperationalError("database is locked")', "short"),
        ('raise KeyError("No time zone found with key Europe/Berlin")', "tzdata"),
        # Deeper causes count, and so do the parts of a group.
        (
            "try:\n    import requests\nexcept ImportError as e:\n    raise ValueError from e",
            "http.",
        ),
        (
            "try:\n    import uvicorn\nexcept ImportError as e:\n    raise ExceptionGroup('', [e])",
            "uvicorn",
        ),
    ],
)
def test_a_mistake_gets_a_hint(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        # Other tests may have imported parts of them.
        if name.partition(".")[0] in MISSING:
            monkeypatch.delitem(sys.modules, name)
    for name in MISSING:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(os, "fork", getattr(os, "fork", None), raising=False)
    exc = failure(source, tmp_path)
    found = hint(exc)
    assert found is not None and said in found, found
    assert app_traceback(exc).endswith(f"\nhint: {found}\n")


@pytest.mark.parametrize(
    "source",
    [
        "raise ValueError(1)",
        "{}['x']",
        "object().add_middleware",
        "class requests: ...\nrequests.get",
        # The app's own modules of these names exist, and lack something.
        "from own_requests import nothing",
        "raise MemoryError",
        "import bolt.nothing_of_this_name",
        "from bolt import nothing_of_this_name",
        "from bolt import Struct\nclass A(Struct): ...\nA().colour",
        "try:\n    import fastapi\nexcept ImportError:\n    raise ValueError from None",
    ],
)
def test_other_errors_have_none(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_requests.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    exc = failure(source, tmp_path)
    assert hint(exc) is None
    assert "hint:" not in app_traceback(exc)


def test_whatever_fails_inside_a_module_for_processes_gets_its_hint() -> None:
    with pytest.raises(FileNotFoundError) as raised:
        subprocess.run(["no-program-of-this-name"], check=False)
    assert hint(raised.value) == hint_texts.PROCESSES
    with pytest.raises(socket.gaierror) as unresolved:
        raise socket.gaierror(-4, "Non-recoverable error")
    assert hint(unresolved.value) == hint_texts.SOCKETS


def test_a_file_that_is_missing_in_a_folder_that_is_there_is_just_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.txt", "/0/templates/page.html"):
        assert hint(FileNotFoundError(errno.ENOENT, "No such file", str(path))) is None
    assert hint(PermissionError(errno.EPERM, "Operation not permitted", "/data/x")) == (
        hint_texts.READ_ONLY
    )


def test_an_exception_that_cannot_be_shown_harms_nothing() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert hint(Broken()) is None
    looping, other = ValueError(), ValueError()
    looping.__cause__, other.__cause__ = other, looping
    assert hint(looping) is None


def test_an_app_that_cannot_be_imported_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken_from_fastapi.py").write_text("from fastapi import FastAPI\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(LoadError) as raised:
        import_app("taken_from_fastapi", "api")
    lines = str(raised.value).splitlines()
    assert lines[-1].startswith("hint: write `from bolt import ...` instead"), lines
    assert lines[-2].startswith("ModuleNotFoundError: "), lines


def test_another_server_is_told_that_it_is_not_the_one() -> None:
    call: Any = BoltAPI()
    with pytest.raises(TypeError, match="bolt-host is its server"):
        asyncio.run(call({"type": "http"}, None, None))


def sentences() -> list[str]:
    found: list[str] = []
    for name in hint_texts.__all__:
        value = getattr(hint_texts, name)
        if isinstance(value, dict):
            found += value.values()
        elif isinstance(value, str):
            found.append(value)
    return [*found, *hints_of_data.SENTENCES]


def test_every_hint_is_one_sentence_and_names_what_exists() -> None:
    assert len(sentences()) > 60
    for text in sentences():
        assert text.endswith(".") and "\n" not in text and len(text) < 250, text
    for part in hint_texts.SAME_PARTS:
        __import__(f"bolt.{part}")
    for owner, names in hints._OWNERS:
        assert not [name for name in names if hasattr(owner, name)], owner
    import bolt

    assert not [name for name in hint_texts.NAMES if hasattr(bolt, name)]
