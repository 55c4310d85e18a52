"""What replaces threads and processes, and how deep recursion ends."""

import asyncio
import concurrent.futures
import json
import logging
import logging.handlers
import multiprocessing
import multiprocessing.pool
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from bolt import APIRouter

router = APIRouter()
SEEN: list[Any] = []


def raised(function: Callable[[], Any]) -> str:
    """What a call raises, in a line."""
    try:
        return f"no error: {function()!r}"
    except BaseException as exc:
        return f"{type(exc).__name__}: {exc}"


def tenfold(value: int) -> int:
    return value * 10


@router.get("/threads/executors")
def executors() -> dict[str, Any]:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(tenfold, number) for number in range(3)]
        done, pending = concurrent.futures.wait(futures, timeout=1)
        told = {
            "map": list(pool.map(tenfold, [1, 2])),
            "completed": sorted(one.result() for one in concurrent.futures.as_completed(futures)),
            "done": [len(done), len(pending)],
            "failed": raised(pool.submit(int, "x").result),
        }
    with multiprocessing.pool.ThreadPool(2) as threads:
        told["pool"] = [
            threads.map(tenfold, [1, 2]),
            threads.starmap(pow, [(2, 3)]),
            list(threads.imap_unordered(tenfold, [3])),
            threads.apply_async(tenfold, (4,)).get(timeout=1),
            raised(threads.apply_async(int, ("x",)).get),
        ]
    told["pending"] = raised(concurrent.futures.Future().result)
    return told


@router.get("/threads/async")
async def in_coroutines() -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    return {
        "to_thread": await asyncio.to_thread(tenfold, 1),
        "executor": await loop.run_in_executor(None, tenfold, 2),
        "others": await asyncio.gather(*[asyncio.to_thread(tenfold, one) for one in range(3)]),
        "event": raised(threading.Event().wait),
    }


@router.get("/threads/thread")
def threads() -> dict[str, Any]:
    names = []
    ended = threading.Thread(target=lambda: names.append(threading.current_thread().name), name="a")
    ended.start()
    worker = threading.Thread(target=work, args=(todo := queue.Queue(),), daemon=True)
    worker.start()
    threading.Thread(target=work, args=(todo,), daemon=True).start()
    alive = worker.is_alive()
    for item in (1, 2, None):
        todo.put(item)
    before = list(SEEN)
    worker.join(timeout=5)
    failed = threading.Thread(target=int, args=("not a number",))
    failed.start()
    return {
        "names": names,
        "main": threading.current_thread().name,
        "alive": [ended.is_alive(), alive, worker.is_alive()],
        "seen": [before, list(SEEN)],
        "twice": raised(ended.start),
    }


def work(todo: queue.Queue[Any]) -> None:
    while (item := todo.get()) is not None:
        SEEN.append(item)


@router.get("/threads/polling")
def polling() -> dict[str, Any]:
    """A worker that looks for work again and again is joined for some time."""
    stop = threading.Event()

    def poll() -> None:
        while not stop.wait(0.01):
            pass

    worker = threading.Thread(target=poll, daemon=True)
    worker.start()
    began = time.monotonic()
    worker.join(0.1)
    return {"alive": worker.is_alive(), "in time": 0.09 < time.monotonic() - began < 2}


@router.get("/threads/timer")
async def timers() -> dict[str, Any]:
    fired: list[str] = []
    threading.Timer(0.02, fired.append, ("later",)).start()
    cancelled = threading.Timer(0.02, fired.append, ("never",))
    cancelled.start()
    cancelled.cancel()
    joined = threading.Timer(0.01, fired.append, ("joined",))
    joined.start()
    joined.join()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if len(fired) > 1:
            break
    return {"fired": fired}


@router.get("/threads/waits")
def waits() -> dict[str, Any]:
    lock, condition, own = threading.Lock(), threading.Condition(), threading.local()
    own.value = 1
    with lock:
        held = [lock.locked(), lock.acquire(blocking=False), lock.acquire(timeout=0.01)]
        again = raised(lock.acquire)
    with threading.RLock() as inner, condition:
        pass
    event = threading.Event()
    began = time.monotonic()
    timed = event.wait(0.05)
    slept = time.monotonic() - began >= 0.05
    event.set()
    semaphore = threading.Semaphore(1)
    return {
        "lock": held,
        "again": again,
        "inner": inner,
        "local": own.value,
        "event": [timed, slept, event.wait()],
        "semaphore": [semaphore.acquire(), semaphore.acquire(timeout=0.01)],
        "semaphore again": raised(semaphore.acquire),
        "barrier": [threading.Barrier(1).wait(), raised(threading.Barrier(2, timeout=0.01).wait)],
        "queue": raised(queue.Queue().get),
        "simple": [raised(queue.SimpleQueue().get), raised(lambda: queue.SimpleQueue().get(False))],
        "timed": raised(lambda: queue.Queue().get(timeout=0.01)),
    }


@router.get("/threads/listener")
def listener() -> list[str]:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    waiting: queue.Queue[Any] = queue.Queue()
    log = logging.getLogger("listened")
    log.propagate = False
    log.handlers = [logging.handlers.QueueHandler(waiting)]
    log.error("before")
    listener = logging.handlers.QueueListener(waiting, Lines())
    listener.start()
    log.error("while %s", "it runs")
    listener.stop()
    log.error("after")
    return lines


@router.get("/processes")
def processes() -> dict[str, Any]:
    def pool() -> Any:
        return concurrent.futures.ProcessPoolExecutor()

    return {
        "subprocess": raised(lambda: subprocess.run(["ls"])),
        "process": raised(multiprocessing.Process(target=print).start),
        "pool": raised(pool),
        "lock": raised(multiprocessing.Lock),
        "fork": raised(lambda: __import__("os").fork()),
        "signal": raised(lambda: signal.signal(signal.SIGTERM, print)),
        "alarm": raised(lambda: signal.alarm(1)),
    }


@router.get("/modules")
def modules() -> dict[str, Any]:
    import bz2
    import ctypes
    import ctypes.util
    import mmap

    with open(__file__, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as own:
        first = own[:3].decode(), own.find(b"threads"), own.read(3).decode()
    missing = []
    for name in "fcntl termios pwd grp resource readline curses lzma tkinter _ctypes".split():
        try:
            __import__(name)
        except ImportError:
            missing.append(name)
    return {
        "sizes": [ctypes.sizeof(ctypes.c_long), ctypes.sizeof(ctypes.c_int64(3))],
        "library": [ctypes.util.find_library("c"), raised(lambda: ctypes.CDLL(None))],
        "bz2": raised(lambda: bz2.compress(b"a")),
        "mmap": first,
        "missing": missing,
    }


def pure(levels: int) -> int:
    return 0 if levels == 0 else pure(levels - 1) + 1


class Shown:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __repr__(self) -> str:
        return f"Shown({self.inner!r})"


def mapped(levels: int) -> Any:
    return 0 if levels == 0 else list(map(mapped, [levels - 1]))


class Made(type):
    def __call__(cls, levels: int) -> Any:
        return type.__call__(cls, levels)


class Deep(metaclass=Made):
    def __init__(self, levels: int) -> None:
        if levels:
            Deep(levels - 1)


def nested(levels: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = None
    for _ in range(levels):
        value = wrap(value)
    return value


def recursion() -> dict[str, str]:
    def listed(value: Any) -> Any:
        return [value]

    told = {
        "pure": raised(lambda: pure(100_000)),
        "repr": raised(lambda: repr(nested(5000, Shown))),
        "map": raised(lambda: mapped(100_000)),
        "meta": raised(lambda: Deep(100_000)),
        "sorted": raised(lambda: sorted_inside(100_000)),
        "loads": raised(lambda: json.loads("[" * 100_000)),
        "loads dicts": raised(lambda: json.loads('{"a":' * 100_000)),
        "dumps": raised(lambda: len(json.dumps(nested(2000, lambda one: {"a": one})))),
        "eval": raised(lambda: __import__("ast").literal_eval("(" * 5000 + ")" * 5000)),
        "compile": raised(lambda: compile("a" + "()" * 5000, "x", "eval")),
        "copy": raised(lambda: __import__("copy").deepcopy(nested(5000, listed))),
        "regex": raised(lambda: __import__("re").compile("(" * 5000 + ")" * 5000)),
    }
    return {name: text.partition(":")[0] for name, text in told.items()}


def sorted_inside(levels: int) -> Any:
    return sorted([levels], key=lambda one: sorted_inside(one - 1) and one)


@router.get("/recursion")
def in_function() -> dict[str, Any]:
    return {**recursion(), "limit": sys.getrecursionlimit()}


@router.get("/recursion/async")
async def in_coroutine() -> dict[str, Any]:
    at_first = recursion()
    await asyncio.sleep(0.001)
    return {"same": at_first == recursion(), **at_first}
