"""The component's side of the contract: what the host calls, and the calls to it.

Only this module imports generated bindings, so `import bolt` works in plain CPython. Nothing may
raise out of `Handlers`: an exception at the boundary would end the interpreter.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from marshal import loads
from typing import Any

import componentize_py_async_support as support
import componentize_py_runtime as runtime
from componentize_py_types import Err, Ok
from wit_world.imports import host
from wit_world.imports import http as host_http

from . import http, uploads
from .app import BoltAPI
from .background import Exits, pending
from .encode import encode_exception, encode_reply
from .errors import BuildError, HTTPException, RequestValidationError
from .library import Library
from .lifespan import Lifespan
from .loading import LoadError, import_app, keep_sources, without_our_frames
from .loop import BoltLoop
from .manifest import manifest
from .output import Output
from .refusals import refusals
from .rehearsal import rehearse
from .responses import PlainText
from .samples import Rehearsed, prepare_records, rehearsed
from .snapshot import fill_holes, immortalize

__all__ = ["Handlers", "Loader", "load", "load_runner"]

# The host looks for this in front of what a failed build says.
_ERROR_MARK = "bolt-build-error:"
_INTERNAL = {"detail": "Internal Server Error"}
# Where the app's folder is, while it is built or loaded.
APP_FOLDER = "/0"
_SDK_FOLDER = __file__.rpartition("/bolt/")[0]
# The first that the host opens.
_APP_FOLDER_NUMBER = 3
_WAIT = 2
_SUBTASK = 1
_RETURNED = 2

_request: ContextVar[int] = ContextVar("bolt_request", default=0)
_routes: list[tuple[Callable[[tuple[Any, ...]], Any], int, bool]] = []
_tasks: dict[int, asyncio.Task[Any]] = {}
_manifest = ""
_lifespans: list[Lifespan] = []
# What the app's imports left set; each request starts from a copy.
_base = Context()


# Output.


def _log(request: int, level: host.Level, text: str) -> None:
    # A lone surrogate cannot cross the boundary.
    host.log(request, level, text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _current() -> int:
    return _request.get() or _loop.serving_now


# Lists, and looked at here: code that asks an `Output` would write into itself each time.
_open_out: list[int] = []
_open_err: list[int] = []
_stdout = Output(_current, lambda at, text: _log(at, host.Level.STDOUT, text), _open_out)
_stderr = Output(_current, lambda at, text: _log(at, host.Level.STDERR, text), _open_err)


def _complain(text: str) -> None:
    _log(_current(), host.Level.ERROR, text)


# Replies.


def _failed(exc: BaseException) -> str:
    """The reply for an exception. An HTTPException is an answer; anything else is a logged 500."""
    if isinstance(exc, HTTPException):
        try:
            return encode_exception(exc)
        except Exception as unencodable:
            exc = unencodable
    if isinstance(exc, RequestValidationError):
        return encode_reply(422, {"detail": exc.errors()})
    text = without_our_frames(exc)
    _complain(text)
    return encode_reply(500, PlainText(text, 500) if _show_errors else _INTERNAL)


def _see_to_the_rest(request: int) -> None:
    """Have done, after the reply, what the reply that was just encoded left to be done."""
    for exits in pending:
        host.linger(request, False)
        _loop.call_later(0, _begin_rest, request, exits)
    pending.clear()
    _loop.rouse()


def _begin_rest(request: int, exits: Exits) -> None:
    task = asyncio.Task(_rest(request, exits), loop=_loop)
    _afterwards.add(task)
    task.add_done_callback(_afterwards.discard)


async def _rest(request: int, exits: Exits) -> None:
    _request.set(request)
    try:
        await exits.run(lambda exc: _complain(without_our_frames(exc)))
    finally:
        _forget(request)
        host.linger(request, True)


_afterwards: set[asyncio.Task[None]] = set()


def _begin_leaving() -> None:
    task = asyncio.Task(_leave(), loop=_loop)
    _afterwards.add(task)


async def _leave() -> None:
    """Leave the lifespans of the app, the last one entered first."""
    for life in reversed(_lifespans):
        try:
            await life.leave()
        except Exception as exc:
            _complain(without_our_frames(exc))
    _forget(0)
    host.linger(0, True)


def _forget(request: int) -> None:
    if _open_out or _open_err:
        _stdout.end(request)
        _stderr.end(request)


# `def` handlers.


def _run(status: int, invoke: Callable[[tuple[Any, ...]], Any], args: bytes) -> str:
    try:
        reply = encode_reply(status, invoke(loads(args)))
    except BaseException as exc:
        return _failed(exc)
    if pending:
        _see_to_the_rest(_loop.serving_now)
    return reply


# `async def` handlers.

_loop = BoltLoop(host.alarm, _complain, _request, host.serving)  # type: ignore[abstract]
_starting = 0
_early = ""


def _start(request: int, status: int, coroutine: Coroutine[Any, Any, Any]) -> str:
    """Run a handler up to its first wait. Returns its reply, or "" when it waits."""
    global _starting, _early
    _starting, _early = request, ""
    answer = _answer(request, status, coroutine)
    task = asyncio.Task(answer, loop=_loop, context=_base.copy(), eager_start=True)
    if not task.done():
        _tasks[request] = task
    if _loop._ready or _loop._timers:
        _loop.run_ready()
    _starting = 0
    return _early


async def _answer(request: int, status: int, coroutine: Coroutine[Any, Any, Any]) -> None:
    """A handler and its reply, as one task: no callback has to run when the handler is done."""
    global _early
    _request.set(request)
    try:
        reply = encode_reply(status, await coroutine)
    except asyncio.CancelledError:
        # Nobody waits for it any more, or the handler cancelled itself.
        reply = encode_reply(500, _INTERNAL)
    except BaseException as exc:
        reply = _failed(exc)
    _tasks.pop(request, None)
    _forget(request)
    if pending:
        _see_to_the_rest(request)
    # While it is being started the reply need not be sent aside.
    if request == _starting:
        _early = reply
    else:
        host.reply(request, reply)


def _wake() -> None:
    """The host's alarm rang: for a timer, for an exchange with news, or for both."""
    if http.waiting():
        http.on_news()
    _loop.tick()


class _Parked:
    """A pending async import, handed through the generated coroutine to whoever drives it."""

    def __init__(self, waitable: int, promise: int) -> None:
        self.waitable = waitable
        self.promise = promise

    def __await__(self) -> Any:
        yield self


async def _await_result(result: Any) -> Any:
    """Replaces the runtime's own, which knows only its own event loop."""
    return result.value if isinstance(result, Ok) else await _Parked(*result.value)


class _Pump:
    """Runs the loop each time the host's alarm rings; one component-model task that never ends.

    The runtime's own driver makes an event loop for each call. This one speaks the same callback
    protocol and drives the one loop of the instance instead.
    """

    def __init__(self) -> None:
        self._set = 0
        self._parked: _Parked | None = None

    def start(self) -> int:
        self._set = runtime.waitable_set_new()
        return self._wait()

    def resume(self, event: int, waitable: int, status: int) -> int:
        parked = self._parked
        if event == _SUBTASK and status == _RETURNED and parked is not None:
            runtime.waitable_join(waitable, 0)
            runtime.subtask_drop(waitable)
            runtime.promise_get_result(status, parked.promise)
            self._parked = None
            _wake()
        return self._wait()

    def _wait(self) -> int:
        while self._parked is None:
            waiting = host.park()
            try:
                self._parked = waiting.send(None)
            except StopIteration:
                # The alarm had rung already.
                _wake()
            else:
                waiting.close()
                runtime.waitable_join(self._parked.waitable, self._set)
        return _WAIT | (self._set << 4)


_pump = _Pump()


class Handlers:
    """The interface `handlers` of the contract."""

    def describe(self) -> str:
        return _manifest

    def call(self, request: int, route: int, args: bytes) -> str:
        try:
            _loop.serving_now = request
            invoke, status, is_async = _routes[route]
            if is_async:
                return _start(request, status, invoke(loads(args)))
            # A context of its own: what one request sets, the next one must not find.
            reply = _base.copy().run(_run, status, invoke, args)
        except BaseException as exc:
            reply = _failed(exc)
        _forget(request)
        return reply

    def cancel(self, request: int) -> None:
        try:
            task = _tasks.get(request)
            if task is not None:
                task.cancel()
                _loop.run_ready()
        except BaseException as exc:
            _complain(without_our_frames(exc))

    def leave(self) -> bool:
        try:
            if not any(life.entered for life in _lifespans):
                return False
            host.linger(0, False)
            _loop.call_later(0, _begin_leaving)
            _loop.rouse()
        except BaseException as exc:
            _complain(without_our_frames(exc))
            return False
        return True

    async def run(self) -> None:
        raise NotImplementedError("the pump answers in its place")

    def _async_start_run(self, borrows: int) -> int:
        return _pump.start()


# The build.

_library = Library(http.refuse_urllib)
_rehearsals: list[tuple[int, Rehearsed]] = []


def load(module: str, attribute: str) -> None:
    """Import the app and get everything ready that can be ready before the snapshot is taken."""
    _prepare()
    try:
        api = _take_app(module, attribute)
    except LoadError as exc:
        _refuse(str(exc))
    prepare_records()
    for route in api.routes:
        item = rehearsed(route)
        if item is not None:
            _rehearsals.append((route.id, item))
    _install_library(compiled=False)
    _library.add_folder(APP_FOLDER)


def load_runner() -> None:
    """Get everything ready for the source of an app, which comes after the snapshot."""
    _prepare()
    _install_library(compiled=True)


def _install_library(*, compiled: bool) -> None:
    _library.add_standard(compiled=compiled)
    _library.add_folder(_SDK_FOLDER)
    _library.install()


def _prepare() -> None:
    # Before the app is imported, which may take names out of asyncio.
    _loop.install()
    support.await_result = _await_result
    support.callback = _pump.resume
    sys.argv = _Arguments([""])


def _take_app(module: str, attribute: str) -> BoltAPI:
    """Import an app. Raises LoadError."""
    global _base, _manifest
    api = import_app(module, attribute)
    try:
        _manifest = json.dumps(manifest(api, f"{module}:{attribute}"))
    except BuildError as exc:
        raise LoadError(str(exc)) from None
    for route in api.routes:
        _routes.append((route.invoke, route.status_code, route.is_async))
    for refusal in refusals(api):
        _routes.append((refusal.invoke, refusal.status_code, refusal.is_async))
    for route in api.routes:
        life = route.around.life
        if life is not None and life not in _lifespans:
            _lifespans.append(life)
    _base = copy_context()
    http.refuse_urllib()
    keep_sources()
    return api


class _Arguments(list[str]):
    """`sys.argv`. To empty it is the last that the runtime does before the snapshot is taken.

    What the runtime makes before that is then arranged like everything else.
    """

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        _settle()


def _settle() -> None:
    http.install(host_http)
    uploads.install(host.upload)
    sys.stdout, sys.stderr = _stdout, _stderr
    rehearse(Handlers(), _routes, _rehearsals, _pump, runtime, Err((1, 1)))
    _rehearsals.clear()
    gc.collect()
    immortalize()
    gc.collect()
    fill_holes()
    gc.freeze()


def _refuse(text: str) -> None:
    # The runtime may have left a line unfinished.
    print(file=sys.stderr)
    for line in text.splitlines():
        print(_ERROR_MARK + line, file=sys.stderr)
    sys.stderr.flush()
    raise SystemExit(1)


# The runner.

_show_errors = False


class Loader:
    """The interface `loader` of the contract: what a runner exports besides."""

    def load(self, module: str, attribute: str, show_errors: bool) -> None:
        global _show_errors
        try:
            _show_errors = show_errors
            importlib.invalidate_caches()
            _take_app(module, attribute)
            _library.add_folder(APP_FOLDER)
            _close_folder()
        except LoadError as exc:
            raise Err(str(exc)) from None
        except BaseException as exc:
            raise Err(without_our_frames(exc)) from None


def _close_folder() -> None:
    """An app that was built finds none of its files when it runs, so neither does this one."""
    os.close(_APP_FOLDER_NUMBER)
    # Otherwise an import of what is not there would be an error of the file system.
    for place in sys.path:
        sys.path_importer_cache[place] = None
