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
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from ._app.application import BoltAPI
from ._testing.errors import HandlerError, ServerError
from ._testing.sandboxed import applications, arguments, is_plain, write_app
from ._testing.server_log import ServerLog
from ._testing.websocket_session import WebSocketDenialResponse, WebSocketTestSession

__all__ = [
    "HandlerError",
    "ServerError",
    "TestClient",
    "WebSocketDenialResponse",
    "WebSocketTestSession",
]


# What pytest shows is what an app's author imports.
HandlerError.__module__ = ServerError.__module__ = __name__
WebSocketDenialResponse.__module__ = __name__


class TestClient(httpx.Client):
    """An httpx client of an application, which is served as long as the client is open.

    app: a file, "app.py" or "app.wasm", or the BoltAPI object of an imported module. The
        `dependency_overrides` of an object also apply in the sandbox. An override may be a function
        of the test file, and use what the sandbox can have: modules of the app's folder, functions
        and classes of the test file, plain values. When they change, the next request begins with
        a new server.
    flags: flags of `bolt-host run`, such as "--allow-http=api.example". By default one worker
        serves: all `def` handlers share the globals of one interpreter, and all `async def`
        handlers those of another. Without "--sql" and "--kv" the app has a database and a store of
        this client, which are new and are removed with it.
    raise_server_exceptions: raise HandlerError with the traceback if a handler raises an exception
        that becomes a 500; False gives the response.
    options: those of `httpx.Client`. Redirects are followed, unless `follow_redirects=False`.

    The program is `bolt-host` in PATH, or the one that the variable BOLT_HOST names. It serves the
    source; with the flag "--build=first" it builds the application first.
    """

    __test__ = False  # pytest would collect a class whose name begins with "Test"

    def __init__(
        self,
        app: str | Path | BoltAPI,
        *,
        flags: Sequence[str] = (),
        raise_server_exceptions: bool = True,
        **options: Any,
    ) -> None:
        self._app = app
        self._flags = flags
        self._raises = raise_server_exceptions
        self._log = ServerLog()
        self._place = contextlib.ExitStack()
        self._data = tempfile.TemporaryDirectory(prefix="bolt-test-", ignore_cleanup_errors=True)
        self._has_own_url = "base_url" in options
        address = self._started()
        options.setdefault("base_url", address)
        options.setdefault("follow_redirects", True)
        super().__init__(**options)

    @property
    def log(self) -> str:
        """The output of the server so far: tracebacks, prints and the access log."""
        return str(self._log)

    def build_request(self, *args: Any, **options: Any) -> httpx.Request:
        """Build a request; see httpx. Overrides that have changed since the start apply to it."""
        if self._overrides() != self._served:
            self._place.close()
            address = self._started()
            if not self._has_own_url:
                self.base_url = httpx.URL(address)
        return super().build_request(*args, **options)

    def send(
        self, request: httpx.Request, *, stream: bool = False, **options: Any
    ) -> httpx.Response:
        """Send a request; see httpx.

        Raises HandlerError unless `raise_server_exceptions=False`. A response that breaks off while
        it is read, after `stream`, raises httpx.RemoteProtocolError.
        """
        before = len(self._log)
        response = super().send(request, stream=True, **options)
        if self._raises and response.status_code == 500:
            self._raise_failure(response, before)
        if stream:
            return response
        try:
            response.read()
        except httpx.RemoteProtocolError:
            response.close()
            if self._raises:
                self._raise_failure(response, before)
            raise
        except BaseException:
            response.close()
            raise
        return response

    def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **options: Any
    ) -> WebSocketTestSession:
        """A WebSocket, which is connected by `with`. It has the methods of Starlette's.

        url: a path.
        subprotocols: those to offer.
        options: `headers`, `params`, `cookies` and others of `httpx.Client.get`.

        `with` raises WebSocketDenialResponse if it is refused, which is a WebSocketDisconnect and
        an httpx.Response. Whatever waits for the server has the timeout of the client.
        """
        if url.startswith(("ws:", "wss:")):
            url = url.replace("ws", "http", 1)
        request = self.build_request("GET", url, **options)
        if subprotocols is not None:
            request.headers["sec-websocket-protocol"] = ", ".join(subprotocols)
        before = len(self._log)

        def raise_failure(response: httpx.Response) -> None:
            if self._raises:
                self._raise_failure(response, before)

        return WebSocketTestSession(request, self.timeout.read, raise_failure)

    def _raise_failure(self, response: httpx.Response, before: int) -> None:
        """Raise HandlerError if the log has a failure of this response."""
        sent = response.request
        path = sent.url.raw_path.partition(b"?")[0].decode("ascii")
        failure = self._log.failure(sent.method, path, before, response.status_code)
        if failure is not None:
            response.close()
            raise HandlerError(f"{sent.method} {path}: {failure.rstrip()}", response)

    def close(self) -> None:
        """Close the client and stop the server."""
        super().close()
        self._place.close()
        self._data.cleanup()

    def __exit__(self, *exc: Any) -> None:
        super().__exit__(*exc)
        self._place.close()
        self._data.cleanup()

    def _overrides(self) -> list[tuple[Any, ...]]:
        if not isinstance(self._app, BoltAPI):
            return []
        return [
            (id(one), *pair)
            for one in applications(self._app)
            for pair in one.dependency_overrides.items()
        ]

    def _started(self) -> str:
        """The address of a new server."""
        self._served = self._overrides()
        self._place = contextlib.ExitStack()
        try:
            return self._start()
        except BaseException:
            self._place.close()
            raise

    def _start(self) -> str:
        chosen = [
            default
            for default in ("--workers=1", "--instances=1", "--build=never")
            if not any(flag.startswith(default.partition("=")[0]) for flag in self._flags)
        ]
        # Tests must not find, or change, what a developer has.
        if not any(flag.startswith(("--sql", "--database-url")) for flag in self._flags):
            chosen.append(f"--sql=main=sqlite:{self._data.name}/test.db")
        if not any(flag.startswith("--kv") for flag in self._flags):
            chosen.append(f"--kv=main={self._data.name}/test.kv")
        # The server ends with this process, even when the process is killed: then the pipe closes.
        ends = "--exit-on-stdin-close"
        command = [_program(), "run", *self._source(), "--port=0", ends, *chosen, *self._flags]
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
        before = len(self._log)
        for line in output:
            self._log.add(line.rstrip("\n"))
            if line.startswith("listening on "):
                # The server would block on a full pipe, so a thread drains it.
                reader = threading.Thread(target=self._read, args=(output,), daemon=True)
                reader.start()
                return str(line.removeprefix("listening on ").strip())
        raise ServerError("\n".join(self.log.splitlines()[before:]))

    def _read(self, output: Any) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in output:
                self._log.add(line.rstrip("\n"))

    def _source(self) -> list[str]:
        if not isinstance(self._app, BoltAPI):
            return [str(self._app)]
        if is_plain(self._app):
            return arguments(self._app)
        place = Path(self._place.enter_context(tempfile.TemporaryDirectory())) / "app"
        return write_app(self._app, place)


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
