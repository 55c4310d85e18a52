"""Handlers that compute: calls, recursion, JSON, sorting, regular expressions."""

import json
import re

from bolt import BoltAPI

api = BoltAPI(title="Compute")

WORDS = [f"word{number * 7919 % 10007}" for number in range(2000)]
TEXT = " ".join(f"{word}@example.com, {word}" for word in WORDS)
ROWS = [{"id": number, "name": f"row {number}", "tags": ["a", "b"]} for number in range(300)]
ADDRESS = re.compile(r"([a-z]+)(\d+)@(\w+)\.com")


def fibonacci(number: int) -> int:
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)


@api.get("/hello")
def hello() -> dict[str, str]:
    return {"message": "hello"}


@api.get("/fib")
def fib() -> int:
    return fibonacci(18)


@api.get("/json")
def dumps() -> int:
    return len(json.loads(json.dumps(ROWS)))


@api.get("/sort")
def ordered() -> str:
    return sorted(WORDS, key=lambda word: (len(word), word))[0]


@api.get("/regex")
def regex() -> int:
    return sum(int(match[2]) for match in ADDRESS.finditer(TEXT))
