"""A tenant that takes bytes, files, disk and log as if they were free, in many ways."""

import asyncio
import os
from pathlib import Path
from typing import Any

from bolt import BoltAPI, FileResponse, Response, UploadFile
from wit_world.imports import host
from wit_world.imports import http as raw_http

api = BoltAPI(title="Greedy")
KEPT: list[Any] = []
FORGED = '\n{"level":"ERROR","message":"forged"}\r\u202e\x1b[2J\u2028 forged'


def raw() -> Any:
    """The functions of the host for requests, without the SDK's care."""
    return raw_http


def head(url: str) -> str:
    return f'{{"method": "POST", "url": "{url}", "headers": [], "timeout": null}}'


@api.get("/probe")
def probe() -> str:
    return "here"


@api.get("/hoard")
async def hoard(url: str, exchanges: int, mb: int, whole: bool) -> list[int]:
    """Send bodies to a server that reads none; how many began, and how many chunks it took."""
    http, chunk = raw(), "x" * (mb << 20)
    begun = [http.begin(head(url), chunk if whole else "", not whole) for _ in range(exchanges)]
    taken = 0
    try:
        for _ in range(3):
            if not whole:
                taken += sum(http.write(number, chunk, True) for number in begun)
            await asyncio.sleep(0.1)
    finally:
        for number in begun:
            http.close(number)
    return [len(begun), taken]


@api.get("/unread")
async def unread(url: str, exchanges: int, ms: int) -> int:
    """Read nothing of responses without an end."""
    http = raw()
    begun = [http.begin(head(url), "", False) for _ in range(exchanges)]
    try:
        await asyncio.sleep(ms / 1000)
        return sum('"status"' in http.response(number) for number in begun)
    finally:
        for number in begun:
            http.close(number)


@api.get("/refused")
def refused(count: int, text: str) -> int:
    """How many requests without a grant the host keeps."""
    http, kept = raw(), set()
    for _ in range(count):
        kept.add(http.begin(head(f"http://elsewhere.invalid/{text}"), "", False))
    return len(kept - {0})


@api.get("/long")
def long(mb: int) -> str:
    """Begin with a URL of megabytes; what the host says."""
    http = raw()
    number = http.begin(head("http://elsewhere.invalid/" + "x" * (mb << 20)), "", False)
    try:
        return str(http.response(number))
    finally:
        http.close(number)


@api.get("/parks")
def parks(count: int) -> int:
    """Park without waiting for it; how often the host let it."""
    for _ in range(count):
        try:
            KEPT.append(host.park().send(None))
        except StopIteration:
            # An alarm or an exchange ended it at once.
            continue
    return len(KEPT)


@api.get("/open")
def open_files(name: str, count: int) -> list[int]:
    """Open a file until it is refused, and keep the descriptors; how many, and the errno."""
    KEPT.clear()
    try:
        for _ in range(count):
            KEPT.append(os.open(name, os.O_RDONLY))
    except OSError as error:
        return [len(KEPT), error.errno or 0]
    return [len(KEPT), 0]


@api.get("/shut")
def shut() -> int:
    count = len(KEPT)
    for descriptor in KEPT:
        os.close(descriptor)
    KEPT.clear()
    return count


@api.get("/fill")
def fill(name: str, mb: int) -> list[int]:
    """Write until the disk is full; how many bytes, and the errno."""
    part, written = b"x" * (1 << 20), 0
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for _ in range(mb):
            rest = part
            while rest:
                count = os.write(descriptor, rest)
                written, rest = written + count, rest[count:]
    except OSError as error:
        return [written, error.errno or 0]
    finally:
        os.close(descriptor)
    return [written, 0]


@api.get("/stretch")
def stretch(name: str, mb: int) -> int:
    """Make a file of holes; the errno."""
    try:
        with open(name, "wb") as file:
            file.truncate(mb << 20)
    except OSError as error:
        return error.errno or 0
    return 0


@api.get("/hide")
def hide(folder: str, mb: int, times: int) -> list[int]:
    """Delete what was written and keep it open; how many bytes, and the errno."""
    part, written = b"x" * (mb << 20), 0
    try:
        for number in range(times):
            name = f"{folder}/hidden-{number}"
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT)
            KEPT.append(descriptor)
            os.unlink(name)
            rest = part
            while rest:
                count = os.write(descriptor, rest)
                written, rest = written + count, rest[count:]
    except OSError as error:
        return [written, error.errno or 0]
    return [written, 0]


@api.get("/hide-read-only")
def hide_read_only(folder: str, mb: int, times: int) -> list[int]:
    """The same with files that are open for reading only."""
    part, written = b"x" * (mb << 20), 0
    try:
        for number in range(times):
            name = f"{folder}/read-{number}"
            written += Path(name).write_bytes(part)
            KEPT.append(os.open(name, os.O_RDONLY))
            os.unlink(name)
    except OSError as error:
        return [written, error.errno or 0]
    return [written, 0]


@api.get("/sow")
def sow(folder: str, count: int) -> list[int]:
    """Make empty files until it is refused; how many, and the errno."""
    for number in range(count):
        try:
            os.close(os.open(f"{folder}/seed-{number}", os.O_WRONLY | os.O_CREAT))
        except OSError as error:
            return [number, error.errno or 0]
    return [count, 0]


@api.get("/clear")
def clear(folder: str) -> int:
    names = os.listdir(folder)
    for name in names:
        os.unlink(f"{folder}/{name}")
    return len(names)


@api.get("/keep")
def keep(name: str, text: str) -> str:
    Path(name).write_text(text)
    return Path(name).read_text()


@api.get("/log")
def log(mb: int, times: int) -> None:
    """Log long lines, past Python's own cuts."""
    text = "x" * (mb << 20)
    for _ in range(times):
        host.log(0, host.Level.STDERR, text)


@api.get("/lines")
def lines(count: int) -> None:
    for _ in range(count):
        host.log(0, host.Level.STDERR, "x" * 4000)


@api.get("/long-path")
def long_path(mb: int) -> None:
    """Have an error repeat megabytes."""
    print("\n" * (mb << 20))
    host.log(0, host.Level.ERROR, FORGED * (mb << 15))


@api.get("/print")
def print_raw(mb: int) -> None:
    """Write to the standard output of WASI, without a line's end."""
    os.write(1, b"x" * (mb << 20))


@api.get("/forge")
def forge(way: str) -> Response:
    """Have text that looks like lines of the host in its log."""
    if way == "print":
        print(FORGED)
    elif way == "log":
        host.log(0, host.Level.ERROR, FORGED)
    elif way == "raise":
        raise RuntimeError(FORGED)
    return FileResponse(f"/nowhere/{FORGED}")


@api.post("/upload")
def upload(file: UploadFile) -> int:
    return len(file.read_sync())


@api.get("/send")
def send(name: str) -> Response:
    return FileResponse(name)


@api.get("/ask")
async def ask(count: int, domain: str, ms: int) -> int:
    """Ask for the addresses of many names; how many requests got an answer."""
    http = raw()
    begun = [http.begin(head(f"http://n{at}.{domain}/"), "", False) for at in range(count)]
    await asyncio.sleep(ms / 1000)
    answered = sum(http.response(number) != "" for number in begun)
    for number in begun:
        http.close(number)
    return answered


@api.get("/fetch")
async def fetch(url: str, ms: int) -> str:
    """What becomes of a request within a time, or "nothing"."""
    http = raw()
    number = http.begin(head(url), "", False)
    try:
        for _ in range(max(ms // 10, 1)):
            if response := http.response(number):
                return str(response)
            await asyncio.sleep(0.01)
        return "nothing"
    finally:
        http.close(number)


@api.get("/sockets")
def sockets(count: int) -> int:
    """How many sockets of the system it can create, whether it may connect them or not."""
    # Those of `socket` are connections of the host, which are counted when they are made.
    import _socket

    made = []
    try:
        for _ in range(count):
            made.append(_socket.socket())
    except OSError:
        pass
    return len(made)
