"""A tenant that harms its neighbours as much as it can: one route for each way."""

import asyncio
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bolt import BoltAPI, FileResponse, PlainText, Request, Response, http
from flows import flows
from kept import kept
from stored import stored

api = BoltAPI(title="Hostile")
api.include_router(flows)
api.include_router(stored)
api.include_router(kept)
KEPT: list[Any] = []


@api.get("/spin")
def spin() -> None:
    while True:
        pass


@api.get("/spin-async")
async def spin_async() -> None:
    while True:
        pass


@api.get("/backtracking")
def backtracking() -> bool:
    return re.match(r"(a+)+$", "a" * 40 + "b") is not None


@api.get("/bomb")
def bomb() -> int:
    blocks = []
    while True:
        blocks.append(bytearray(1 << 20))


@api.get("/recursion")
def recursion() -> int:
    sys.setrecursionlimit(10**9)

    def deeper(depth: int) -> int:
        return deeper(depth + 1) + 1

    return deeper(0)


@api.get("/tasks")
async def tasks() -> None:
    for _ in range(1_000_000):
        KEPT.append(asyncio.create_task(asyncio.sleep(1000)))


@api.get("/sleep")
async def sleep() -> None:
    await asyncio.sleep(10**9)


@api.get("/prints")
def prints() -> None:
    line = "\x1b[2J not the host's line\r\n" + "x" * 100_000
    while True:
        print(line)


@api.get("/head/huge")
def huge_head() -> Response:
    return PlainText("", headers={"x-huge": "x" * 2_000_000})


@api.get("/head/many")
def many_heads() -> Response:
    return PlainText("", headers={f"x-{number}": "1" for number in range(40_000)})


@api.get("/head/split")
def split_head() -> Response:
    return PlainText("", headers={"x-split": "1\r\nset-cookie: a=b\r\n\r\nHTTP/1.1 200 OK"})


@api.get("/body/two-gigabytes")
def two_gigabytes() -> str:
    return "x" * (2 << 30)


@api.get("/body/large")
def large() -> Response:
    return PlainText("x" * (2 << 20))


@api.get("/body/tree")
def tree() -> Any:
    value: Any = ["x" * 1000] * 1000
    for _ in range(40):
        value = [value, value]
    return value


@api.get("/trap")
def trap() -> None:
    os.abort()


@api.get("/probe")
def probe() -> dict[str, str]:
    """What it finds outside the sandbox, by the way that it tried; "" is nothing."""
    ways: dict[str, Callable[[], Any]] = {
        "root": lambda: os.listdir("/"),
        "passwd": lambda: Path("/etc/passwd").read_text(),
        "above": lambda: os.listdir("/data/.."),
        "proc": lambda: os.listdir("/proc/self"),
        "environment": lambda: dict(os.environ),
        "socket": lambda: socket.create_connection(("127.0.0.1", 80), 1),
        "shell": lambda: os.system("id"),
        "fork": lambda: os.fork(),
        "arguments": lambda: sys.argv,
    }
    found = {}
    for name, way in ways.items():
        try:
            found[name] = repr(way())
        except BaseException:
            found[name] = ""
    return found


@api.get("/steal")
def steal(name: str, place: str) -> str:
    """Try to read another tenant's file through links."""
    for link in (os.symlink, os.link):
        for target in (place, f"{place}/secret.txt", "../secret"):
            for own in ("/data/link", "/data/hard"):
                try:
                    link(target, own)
                except OSError:
                    continue
    try:
        return Path(name).read_text()
    except OSError as error:
        return type(error).__name__


@api.get("/send")
def send(name: str) -> Response:
    return FileResponse(name)


@api.get("/swap")
def swap(place: str, target: str) -> str:
    """Put a link in the place of a folder."""
    os.rename(place, f"{place}-moved")
    os.symlink(target, place)
    return os.readlink(place)


@api.get("/forge")
def forge(first: int, last: int) -> None:
    """Log under the numbers of requests of others."""
    host: Any = sys.modules["wit_world.imports.host"]
    for number in range(first, last):
        host.log(number, host.Level.ERROR, f"forged {number}.")


@api.get("/host")
def host_seen(request: Request) -> str:
    return os.environ.get("NAME", "") + " " + request.headers.get("host", "none")


@api.get("/{one}/deep")
def deep(one: str) -> str:
    return one


@api.get("/reach")
async def reach(url: str) -> str:
    try:
        return (await http.get(url, follow_redirects=True)).text
    except Exception as exc:
        return f"refused: {type(exc).__name__}"


@api.get("/slow")
def slow() -> None:
    time.sleep(10**6)


@api.post("/take")
def take(request: Request) -> int:
    """Take a body, which does no harm if it arrives."""
    return len(request.content)
