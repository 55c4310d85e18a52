"""`TestClient`: runs an application in its sandbox and sends it requests over loopback.

    from bolt.testing import TestClient


    def test_hello():
        with TestClient("app.py") as client:
            assert client.get("/").json() == {"message": "hello"}

Handlers are plain functions, so a unit test may also call them directly.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from ._app.application import BoltAPI

__all__ = ["ServerError", "TestClient"]


class ServerError(RuntimeError):
    """The application could not be built or served. The text is the output of bolt-host."""


class TestClient(httpx.Client):
    """An httpx client of an application, which is served as long as the client is open.

    app: a file, "app.py" or "app.wasm", or the BoltAPI object of an imported module. The
        `dependency_overrides` of an object also apply in the sandbox; the dependency and its
        override must be functions or classes at the top level of a module that the sandbox can
        import, so not of the test file itself.
    flags: flags of `bolt-host run`, such as "--allow-http=api.example". By default one worker
        serves: all `def` handlers share the globals of one interpreter, and all `async def`
        handlers those of another.
    options: those of `httpx.Client`.

    The program is `bolt-host` in PATH, or the one that the variable BOLT_HOST names. It serves the
    source; with the flag "--build=first" it builds the application, which takes about 10 seconds.
    """

    __test__ = False  # pytest would collect a class whose name begins with "Test"

    def __init__(
        self, app: str | Path | BoltAPI, *, flags: Sequence[str] = (), **options: Any
    ) -> None:
        self._place = contextlib.ExitStack()
        self._log: list[str] = []
        try:
            address = self._start(app, flags)
        except BaseException:
            self._place.close()
            raise
        options.setdefault("base_url", address)
        super().__init__(**options)

    @property
    def log(self) -> str:
        """The output of the server so far: tracebacks, prints and the access log."""
        return "\n".join(self._log)

    def close(self) -> None:
        """Close the client and stop the server."""
        super().close()
        self._place.close()

    def __exit__(self, *exc: Any) -> None:
        super().__exit__(*exc)
        self._place.close()

    def _start(self, app: str | Path | BoltAPI, flags: Sequence[str]) -> str:
        chosen = [
            default
            for default in ("--workers=1", "--instances=1", "--build=never")
            if not any(flag.startswith(default.partition("=")[0]) for flag in flags)
        ]
        # The server ends with this process, even when the process is killed: then the pipe closes.
        ends = "--exit-on-stdin-close"
        command = [_program(), "run", *self._source(app), "--port=0", ends, *chosen, *flags]
        server = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._place.callback(_end, server)
        output: Any = server.stdout
        for line in output:
            self._log.append(line.rstrip("\n"))
            if line.startswith("listening on "):
                # The server would block on a full pipe, so a thread drains it.
                reader = threading.Thread(target=self._read, args=(output,), daemon=True)
                reader.start()
                return str(line.removeprefix("listening on ").strip())
        raise ServerError(self.log)

    def _read(self, output: Any) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in output:
                self._log.append(line.rstrip("\n"))

    def _source(self, app: str | Path | BoltAPI) -> list[str]:
        if not isinstance(app, BoltAPI):
            return [str(app)]
        module, attribute = _found(app)
        if not app.dependency_overrides and "." not in module.__name__:
            return [str(_file(module)), f"--app={module.__name__}:{attribute}"]
        return self._wrapped(app, module, attribute)

    def _wrapped(self, app: BoltAPI, module: Any, attribute: str) -> list[str]:
        """A module that imports the app and sets overrides, in a copy of the app's folder."""
        root = _file(module).parents[module.__name__.count(".")]
        place = Path(self._place.enter_context(tempfile.TemporaryDirectory())) / "app"
        shutil.copytree(root, place, ignore=shutil.ignore_patterns(".*", "__pycache__", "venv"))
        lines = [f"import {module.__name__}", f"api = {module.__name__}.{attribute}"]
        for dependency, other in app.dependency_overrides.items():
            old, new = _reference(dependency), _reference(other)
            lines += [f"import {old[0]}", f"import {new[0]}"]
            lines.append(f"api.dependency_overrides[{'.'.join(old)}] = {'.'.join(new)}")
        (place / "bolt_under_test.py").write_text("\n".join(lines) + "\n")
        return [str(place / "bolt_under_test.py")]


def _program() -> str:
    program = os.environ.get("BOLT_HOST") or shutil.which("bolt-host")
    if program is None:
        raise ServerError("bolt-host is not in PATH, and the variable BOLT_HOST does not name it")
    return program


def _end(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdin is not None:
        server.stdin.close()


def _found(app: BoltAPI) -> tuple[Any, str]:
    """The module that defines an application, and the application's name in it."""
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items() if module is not None else ()):
            # A module that only imports the application does not define its handlers.
            if value is app and any(
                vars(module).get(route.handler.__name__) is route.handler
                for route in app.routes
                if hasattr(route.handler, "__name__")
            ):
                return module, name
    raise ServerError("no imported module defines the application: give the path of its file")


def _file(module: Any) -> Path:
    path = getattr(module, "__file__", None)
    if path is None:
        raise ServerError(f"the module {module.__name__} has no file")
    return Path(path)


def _reference(thing: Any) -> tuple[str, str]:
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", "<")
    if module is None or not name.isidentifier():
        raise ServerError(
            f"{thing!r} cannot be named in the sandbox: an override is a function or a class "
            "at the top level of a module"
        )
    return module, name
