"""What replaces threads: executors, threads, timers, and waits."""

import asyncio
import concurrent.futures
import logging
import logging.handlers
import multiprocessing.pool
import queue
import threading
import time
from typing import Any

from bolt import APIRouter
from raised import raised

router = APIRouter()
SEEN: list[Any] = []


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
