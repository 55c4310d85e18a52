"""Processes, signals and modules that the sandbox lacks."""

import concurrent.futures
import multiprocessing
import signal
import subprocess
from typing import Any

from bolt import APIRouter
from raised import raised

router = APIRouter()


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
    for name in [
        "fcntl",
        "termios",
        "pwd",
        "grp",
        "resource",
        "readline",
        "curses",
        "lzma",
        "tkinter",
        "_ctypes",
    ]:
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
