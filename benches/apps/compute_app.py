"""Handlers that compute, for modes.py: they measure the interpreter with little of the host."""

import json
import re
from random import Random
from typing import Any

from bolt import BoltAPI

api = BoltAPI()

_random = Random(1)
ROWS: list[dict[str, Any]] = [
    {"id": number, "name": f"row {number}", "price": number * 1.5, "tags": ["a", "b"]}
    for number in range(100)
]
NUMBERS = [_random.random() for _ in range(5_000)]
LINES = "\n".join(
    f"2026-11-{day:02} user{day * 7}@example.com GET /items/{day}" for day in range(1, 29)
)
PATTERN = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\w+)@([\w.]+) (GET|POST) (/\S+)")


def fibonacci(number: int) -> int:
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)


@api.get("/fib")
def fib() -> dict[str, Any]:
    return {"found": fibonacci(18)}


@api.get("/fib25")
def fib25() -> dict[str, Any]:
    return {"found": fibonacci(25)}


@api.get("/json")
def json_both_ways() -> dict[str, Any]:
    return {"found": len(json.loads(json.dumps(ROWS)))}


@api.get("/sort")
def sort() -> dict[str, Any]:
    return {"found": len(sorted(NUMBERS))}


@api.get("/regex")
def regex() -> dict[str, Any]:
    return {"found": len(PATTERN.findall(LINES))}


@api.get("/")
def hello() -> dict[str, Any]:
    return {"found": 1}
