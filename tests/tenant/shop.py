"""An app that several tenants run: it reports its version, and what it sees of the host."""

import asyncio
import os
import time
from pathlib import Path

from bolt import BoltAPI, Request

VERSION = 1

api = BoltAPI(title="Shop")
SEEN: list[int] = []


@api.get("/version")
def version() -> int:
    return VERSION


@api.get("/path/{rest:path}")
def path(rest: str, request: Request) -> list[str]:
    return [rest, request.url.path]


@api.get("/addresses")
def addresses(request: Request) -> list[str]:
    return [str(request.base_url), str(request.url_for("path", rest="x")), request.root_path]


@api.get("/slashed/")
def slashed() -> str:
    return "slashed"


@api.get("/environment")
def environment() -> dict[str, str]:
    return dict(os.environ)


@api.get("/sleep")
async def sleep(ms: int) -> int:
    await asyncio.sleep(ms / 1000)
    return VERSION


@api.get("/spin")
def spin(ms: int) -> int:
    until = time.monotonic() + ms / 1000
    while time.monotonic() < until:
        pass
    return VERSION


@api.get("/now")
def now() -> float:
    return time.time()


@api.get("/seen")
def seen() -> int:
    SEEN.append(1)
    return len(SEEN)


@api.post("/write")
def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return Path(name).read_text()
