"""The component's exports, which the host calls, and its calls to the host.

Only this module imports the generated bindings, so `import bolt` works in plain CPython. The
methods of `Handlers` must not raise: an exception at the boundary would trap the instance.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import random
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from contextvars import Context, ContextVar, copy_context
from marshal import loads
from typing import Any

import componentize_py_async_support as support
import componentize_py_runtime as runtime
from componentize_py_types import Err, Ok
from wit_world.imports import host
from wit_world.imports import http as host_http
from wit_world.imports import kv as host_kv
from wit_world.imports import sockets as host_sockets
from wit_world.imports import sql as host_sql
from wit_world.imports import streams as host_streams
from wit_world.imports import tcp as host_tcp
from wit_world.imports import topics as host_topics

from .. import http, topics
from .._absent.finder import install_absent
from .._app.application import BoltAPI
from .._app.host_errors import host_error_handlers
from .._app.lifespan import Lifespan
from .._app.manifest import manifest
from .._datastructures import uploads
from .._dependencies.after_response import Exits, pending
from .._kv import host as kv
from .._kv.host import waiting as commands
from .._routing.route import Route
from .._serialization.replies import encode_exception, encode_reply
from .._sql import host as sql
from .._sql.host import waiting as statements
from .._streams import progress
from .._streams.progress import flows
from .._tcp import host as tcp
from .._tcp.host import waiting as connections
from .._tcp.patches import install_sockets
from .._threads.thread import install_thread
from .._threads.waits import install_waits
from .._topics import subscription
from .._topics.subscription import subscriptions
from .._websockets import line
from .._websockets.session import SocketEnded
from ..exceptions import BuildError, HTTPException, RequestValidationError
from ..http._doors.finder import install_doors
from ..http._exchange import on_news, waiting
from ..responses import PlainText
from .app_loader import LoadError, import_app, refuse_build
from .app_log import AppLog
from .asyncio_patches import install_loop
from .early_imports import import_early, imported_modules
from .frozen import ImportWatch
from .hints import APP_FOLDER
from .json_depth import install_json_depth
from .late_imports import LateImporter, forget_folders
from .loop import BoltLoop
from .outflow import Outflows
from .randomness import Generators
from .snapshot import CodeStates, LastArguments, fill_holes, gather_code, immortalize
from .tracebacks import app_traceback, failure_text, keep_source_lines
from .warmup import warm_up
from .warmup_doors import foreign_routes, warm_up_doors
from .warmup_kv import warm_up_kv
from .warmup_models import warm_up_models
from .warmup_samples import WarmupCall, compile_records, warmup_call
from .warmup_sql import warm_up_sql

__all__ = ["Handlers", "Loader", "load", "load_runner"]

_INTERNAL = {"detail": "Internal Server Error"}
# In the environment of an app that runs from source: the variables of its import, as JSON.
_BUILD_ENV = "BOLT_HOST_BUILD_ENV"
_SDK_FOLDER = __file__.rpartition("/bolt/")[0]
_WAIT = 2
_SUBTASK = 1
_RETURNED = 2

_request: ContextVar[int] = ContextVar("bolt_request", default=0)
_Invoke = Callable[[tuple[Any, ...]], Any]
_Running = Coroutine[Any, Any, Any]
_routes: list[tuple[_Invoke, int, bool]] = []
# Their handlers, as errors name them.
_handlers: list[str] = []
_tasks: dict[int, asyncio.Task[Any]] = {}
# The requests among them that the host cancelled.
_cancelled: set[int] = set()
_manifest = ""
_lifespans: list[Lifespan] = []
# The context variables after the import of the app; each request starts from a copy.
_base = Context()


# Output.

_STREAMS = {
    "stdout": host.Level.STDOUT,
    "stderr": host.Level.STDERR,
    "error": host.Level.ERROR,
}


def _current() -> int:
    return _request.get() or _loop.serving_now


_output = AppLog(_current, lambda at, stream, text: host.log(at, _STREAMS[stream], text))
_complain = _output.complain
# `_forget` tests these lists for each request instead of calling a method of `Output`, which would
# write into inline caches and so dirty a page.
_open_out, _open_err = _output.open_out, _output.open_err


# Replies.


def _failed(exc: BaseException, route: int) -> str:
    """The reply for an exception. An HTTPException is a response; anything else is a logged 500."""
    if isinstance(exc, HTTPException):
        try:
            return encode_exception(exc)
        except Exception as unencodable:
            exc = unencodable
    if isinstance(exc, RequestValidationError):
        return encode_reply(422, {"detail": exc.errors()})
    text = failure_text(exc, _shown(route))
    _complain(text)
    status = getattr(exc, "status_of_reply", 500)
    if status != 500 and not _show_errors:
        return encode_exception(HTTPException(status))
    return encode_reply(status, PlainText(text, status) if _show_errors else _INTERNAL)


def _shown(route: int) -> str:
    return _handlers[route] if route < len(_handlers) else ""


def _schedule_rest(request: int, route: int, reply: str) -> str:
    """Schedule the remaining work of the reply that was just encoded, and return the reply."""
    for exits in pending:
        if exits.stream is not None:
            reply = _outflows.open(request, exits, reply, _shown(route))
            continue
        host.linger(request, False)
        _loop.call_later(0, _begin_rest, request, exits)
    pending.clear()
    _loop.rouse()
    return reply


def _begin_rest(request: int, exits: Exits) -> None:
    task = asyncio.Task(_rest(request, exits), loop=_loop)
    _afterwards.add(task)
    task.add_done_callback(_afterwards.discard)


async def _rest(request: int, exits: Exits) -> None:
    _request.set(request)
    try:
        await exits.run(lambda exc: _complain(app_traceback(exc)))
    finally:
        _forget(request)
        host.linger(request, True)


_afterwards: set[asyncio.Task[None]] = set()


def _begin_leaving() -> None:
    task = asyncio.Task(_leave(), loop=_loop)
    _afterwards.add(task)


async def _leave() -> None:
    """Exit the lifespans of the app in reverse order."""
    for lifespan in reversed(_lifespans):
        try:
            await lifespan.leave()
        except GeneratorExit:
            raise
        except BaseException as exc:
            _complain(app_traceback(exc))
    _forget(0)
    host.linger(0, True)


def _forget(request: int) -> None:
    if _open_out or _open_err:
        _output.stdout.end(request)
        _output.stderr.end(request)


# `def` handlers.


def _run(route: int, status: int, invoke: Callable[[tuple[Any, ...]], Any], args: bytes) -> str:
    try:
        reply = encode_reply(status, invoke(loads(args)))
    except BaseException as exc:
        reply = _failed(exc, route)
    if pending:
        reply = _schedule_rest(_loop.serving_now, route, reply)
    return reply


# `async def` handlers.

_loop = BoltLoop(host.alarm, _complain, _request, host.serving)  # type: ignore[abstract]
_starting = 0
_early = ""


def _complain_of(exc: BaseException, handler: str) -> None:
    _complain(failure_text(exc, handler))


def _is_unsent(request: int) -> bool:
    return request == _starting


_outflows = Outflows(_loop, _request, host.linger, _complain_of, _forget, _is_unsent)


def _start(request: int, route: int, status: int, coroutine: _Running) -> str:
    """Run a handler up to its first wait. Returns its reply, or "" when it waits."""
    global _starting, _early
    _starting, _early = request, ""
    answer = _answer(request, route, status, coroutine)
    task = asyncio.Task(answer, loop=_loop, context=_base.copy(), eager_start=True)
    if not task.done():
        _tasks[request] = task
    if _loop._ready or _loop._timers:
        _loop.run_ready()
    _starting = 0
    return _early


async def _answer(request: int, route: int, status: int, coroutine: _Running) -> None:
    """A handler and its reply as one task, so that the end of a handler needs no callback."""
    global _early
    _request.set(request)
    try:
        reply = encode_reply(status, await coroutine)
    except SocketEnded:
        _tasks.pop(request, None)
        _cancelled.discard(request)
        return
    except BaseException as exc:
        # Nobody waits for the reply of a request that the host cancelled. A CancelledError of the
        # app's own making, as that of another task that the handler awaits, is an exception.
        cancelled = isinstance(exc, asyncio.CancelledError) and request in _cancelled
        reply = encode_reply(500, _INTERNAL) if cancelled else _failed(exc, route)
    _tasks.pop(request, None)
    if _cancelled:
        _cancelled.discard(request)
    _forget(request)
    if pending:
        reply = _schedule_rest(request, route, reply)
    # During `call` the reply is its return value, which is cheaper than a call of the host.
    if request == _starting:
        _early = reply
    else:
        host.reply(request, reply)


def _reply_to_socket(request: int, reply: str) -> None:
    """Give the host the reply of a handler that goes on."""
    global _early
    if request == _starting:
        _early = reply
    else:
        host.reply(request, reply)


def _wake() -> None:
    """The host's alarm fired: for a timer, or for progress of an exchange, a stream, a command."""
    if waiting():
        on_news()
    if flows:
        progress.on_news()
    if subscriptions:
        subscription.on_news()
    if statements:
        sql.on_news()
    if commands:
        kv.on_news()
    if connections:
        tcp.on_news()
    _loop.tick()


_sockets = line.Service(
    _reply_to_socket, _is_unsent, _cancelled.__contains__, host.linger, _complain_of, _forget
)


class _Parked:
    """A pending async import, which the generated coroutine yields to its driver."""

    def __init__(self, waitable: int, promise: int) -> None:
        self.waitable = waitable
        self.promise = promise

    def __await__(self) -> Any:
        yield self


async def _await_result(result: Any) -> Any:
    """Replaces `await_result` of the runtime, which requires the runtime's own event loop."""
    return result.value if isinstance(result, Ok) else await _Parked(*result.value)


class _Pump:
    """Runs the loop each time the host's alarm fires, in one component-model task that never ends.

    The runtime's own driver creates an event loop for each call. This one implements the same
    callback protocol with the one loop of the instance.
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
                # The alarm has fired already.
                _wake()
            else:
                waiting.close()
                runtime.waitable_join(self._parked.waitable, self._set)
        return _WAIT | (self._set << 4)


_pump = _Pump()


class Handlers:
    """The exported interface `handlers` of the WIT world."""

    def describe(self) -> str:
        return _manifest

    def call(self, request: int, route: int, args: bytes) -> str:
        try:
            _loop.serving_now = request
            invoke, status, is_async = _routes[route]
            if is_async:
                return _start(request, route, status, invoke(loads(args)))
            # Its own context: a request must not see the context variables that another one set.
            reply = _base.copy().run(_run, route, status, invoke, args)
        except BaseException as exc:
            reply = _failed(exc, route)
        _forget(request)
        return reply

    def cancel(self, request: int) -> None:
        try:
            task = _tasks.get(request)
            if task is not None:
                _cancelled.add(request)
                task.cancel()
                _loop.run_ready()
        except BaseException as exc:
            _complain(app_traceback(exc))

    def leave(self) -> bool:
        try:
            if not any(lifespan.entered for lifespan in _lifespans):
                return False
            host.linger(0, False)
            _loop.call_later(0, _begin_leaving)
            _loop.rouse()
        except BaseException as exc:
            _complain(app_traceback(exc))
            return False
        return True

    async def run(self) -> None:
        raise NotImplementedError("the pump replaces it")

    def _async_start_run(self, borrows: int) -> int:
        return _pump.start()


# The build.

_late_imports = LateImporter()
_warmups: list[tuple[int, WarmupCall]] = []
_foreign: list[Route] = []
_generators = Generators()


def load(module: str, attribute: str, variables: Mapping[str, str] | None = None) -> None:
    """Import the app and prepare everything that can be prepared before the snapshot is taken.

    variables: the environment of the import.
    """
    _prepare()
    _generators.watch()
    try:
        api = _import_app(module, attribute, ImportWatch(APP_FOLDER, dict(variables or {})))
    except LoadError as exc:
        refuse_build(str(exc))
    _generators.settle()
    # The runtime keeps the function, to call it in each instance.
    random.seed = _generators.seed
    compile_records()
    for route in api.routes:
        item = warmup_call(route)
        if item is not None:
            _warmups.append((route.id, item))
    _foreign.extend(foreign_routes(api))
    _install_late_imports(compiled=False)
    _late_imports.add_app(APP_FOLDER)
    forget_folders()


def load_runner(modules: Sequence[str], variables: Mapping[str, str]) -> None:
    """Prepare for an app whose source the host provides after the snapshot.

    modules: those of packages that it will import; see `import_early`.
    variables: the environment of their import.
    """
    _prepare()
    _generators.watch()
    without_code = import_early(modules, variables)
    _generators.settle()
    random.seed = _generators.seed
    _install_late_imports(compiled=True)
    _late_imports.add_modules(without_code, APP_FOLDER)
    forget_folders()


def _install_late_imports(*, compiled: bool) -> None:
    _late_imports.add_standard(compiled=compiled)
    _late_imports.add_folder(_SDK_FOLDER)
    _late_imports.install()


def _prepare() -> None:
    install_loop(_loop)
    install_waits()
    install_thread(_output.warn, _call_later)
    install_absent()
    install_json_depth()
    install_sockets()
    install_doors()
    _output.install()
    support.await_result = _await_result
    support.callback = _pump.resume
    sys.argv = LastArguments(_settle)


def _call_later(seconds: float, function: Callable[[], None]) -> bool:
    """Call a function for no request. During a build there is no host to wake the loop."""
    if _output.is_build:
        return False
    _loop.call_later(seconds, function, context=Context())
    _loop.rouse()
    return True


def _import_app(module: str, attribute: str, watch: ImportWatch | None = None) -> BoltAPI:
    """Import an app. Raises LoadError."""
    global _base, _manifest
    with watch or nullcontext():
        api = import_app(module, attribute)
    try:
        described = manifest(api, f"{module}:{attribute}")
        if watch is not None:
            described["frozen"] = [one.as_json() for one in watch.findings()]
        _manifest = json.dumps(described)
    except BuildError as exc:
        raise LoadError(str(exc)) from None
    for route in api.routes:
        _routes.append((route.invoke, route.status_code, route.is_async))
        _handlers.append(route.shown)
    for handler in host_error_handlers(api):
        _routes.append((handler.invoke, handler.status_code, handler.is_async))
        _handlers.append("")
    for route in api.routes:
        for sleeper in route.sleepers:
            _routes.append((sleeper.invoke, 200, sleeper.is_async))
            _handlers.append(sleeper.shown)
    for route in api.routes:
        for lifespan in route.plan.lifespans:
            if lifespan not in _lifespans:
                _lifespans.append(lifespan)
    _base = copy_context()
    keep_source_lines()
    return api


def _settle() -> None:
    random.seed = _generators.shared_seed
    http.install(host_http)
    uploads.install(host.upload)
    progress.install(host_streams, _current)
    line.install(host_sockets, _sockets)
    topics.install(host_topics)
    sql.install(host_sql, _current)
    kv.install(host_kv, _current)
    tcp.install(host_tcp)
    _output.begin_service()
    cold = CodeStates()
    _rehearse()
    gather_code(cold.changed())
    del cold
    _rehearse()
    _warmups.clear()
    _foreign.clear()
    gc.collect()
    immortalize()
    gc.collect()
    fill_holes()
    gc.freeze()


def _rehearse() -> None:
    handlers = Handlers()
    parked = Err((1, 1))
    warm_up(handlers, _routes, _warmups, _pump, runtime, parked, _generators.seed)
    warm_up_doors(handlers, _routes, _foreign, _loop, runtime, parked)
    warm_up_sql(host_sql, runtime, handlers, _routes, _pump, parked)
    warm_up_kv(host_kv, runtime)
    warm_up_models()


# The runner.

_show_errors = False


class Loader:
    """The exported interface `loader`, which only the runner has."""

    def load(self, module: str, attribute: str, show_errors: bool) -> None:
        global _show_errors
        try:
            _show_errors = show_errors
            importlib.invalidate_caches()
            given = json.loads(os.environ.pop(_BUILD_ENV, "{}"))
            # As in a build, the import sees the variables of builds only.
            later = dict(os.environ)
            os.environ.clear()
            topics.install(None)
            sql.install(None, _current)
            kv.install(None, _current)
            tcp.install(None)
            try:
                _import_app(module, attribute, ImportWatch(APP_FOLDER, given))
                _note_imports()
            finally:
                os.environ.clear()
                os.environ.update(later)
                topics.install(host_topics)
                sql.install(host_sql, _current)
                kv.install(host_kv, _current)
                tcp.install(host_tcp)
        except LoadError as exc:
            raise Err(str(exc)) from None
        except BaseException as exc:
            raise Err(app_traceback(exc)) from None


def _note_imports() -> None:
    """Tell the host what the app imported, and with which variables: the next runner has it."""
    global _manifest
    described = json.loads(_manifest)
    described["modules"] = list(imported_modules(APP_FOLDER))
    described["variables"] = dict(os.environ)
    _manifest = json.dumps(described)
