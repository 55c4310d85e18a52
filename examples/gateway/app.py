"""Calls other servers, several at a time, and shows the three kinds of isolation.

cargo run --release -- run examples/gateway/app.py --allow-http api.github.com
curl 'localhost:8000/stars?repo=python/cpython&repo=rust-lang/rust'
"""

import asyncio
from typing import Any

from bolt import BoltAPI, HTTPException, http

api = BoltAPI(title="Gateway")
client = http.AsyncClient(base_url="https://api.github.com", headers={"user-agent": "bolt-host"})
seen = 0


@api.get("/stars")
async def stars(repo: list[str]) -> dict[str, int]:
    """Stars of each repository. The requests run side by side, and so do the handlers."""

    async def one(name: str) -> int:
        response = await client.get(f"/repos/{name}")
        if response.status_code != 200:
            raise HTTPException(502, f"{name}: the upstream answered {response.status_code}")
        count: int = response.json()["stargazers_count"]
        return count

    try:
        async with asyncio.timeout(5):
            counts = await asyncio.gather(*(one(name) for name in repo))
    except TimeoutError:
        raise HTTPException(504, "the upstream took too long") from None
    except http.RequestError as exc:
        raise HTTPException(502, str(exc)) from None
    return dict(zip(repo, counts, strict=True))


@api.get("/visits/shared")
def shared() -> int:
    """Counts on: a `def` handler has an interpreter to itself, and finds what it left there."""
    return visit()


@api.get("/visits/fresh", isolation="fresh")
def fresh() -> int:
    """Always 1: every request gets an interpreter that has served nobody."""
    return visit()


@api.get("/slow-task", isolation="serial")
async def serial(seconds: float = 1.0) -> dict[str, Any]:
    """Waits with its interpreter to itself; others at this path wait for it or take another one."""
    await asyncio.sleep(seconds)
    return {"slept": seconds}


def visit() -> int:
    global seen
    seen += 1
    return seen
