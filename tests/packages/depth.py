"""How deep recursion ends, of Python and of C, in handlers of both kinds."""

import ast
import asyncio
import copy
import json
import pickle
import re
import sys
from collections.abc import Callable
from typing import Any

from bolt import APIRouter
from raised import raised

router = APIRouter()


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


class Endless:
    def __getattr__(self, name: str) -> Any:
        return getattr(self, name + "_")

    def __eq__(self, other: object) -> bool:
        return [self] == [other]

    __hash__ = object.__hash__


def delegated(levels: int) -> Any:
    if levels:
        yield from delegated(levels - 1)


async def awaited(levels: int) -> None:
    if levels:
        await awaited(levels - 1)


def sent(levels: int) -> None:
    awaited(levels).send(None)


def nested(levels: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = None
    for _ in range(levels):
        value = wrap(value)
    return value


def recursion() -> dict[str, str]:
    def listed(value: Any) -> Any:
        return [value]

    lists, others = nested(3000, listed), nested(3000, listed)
    told = {
        "pure": raised(lambda: pure(100_000)),
        "repr": raised(lambda: repr(nested(5000, Shown))),
        "map": raised(lambda: mapped(100_000)),
        "meta": raised(lambda: Deep(100_000)),
        "sorted": raised(lambda: sorted_inside(100_000)),
        "loads": raised(lambda: json.loads("[" * 100_000)),
        "loads dicts": raised(lambda: json.loads('{"a":' * 100_000)),
        "dumps": raised(lambda: len(json.dumps(nested(2000, lambda one: {"a": one})))),
        "eval": raised(lambda: ast.literal_eval("(" * 5000 + ")" * 5000)),
        "parse": raised(lambda: ast.parse("-" * 100_000 + "1")),
        "compile": raised(lambda: compile("a" + "()" * 5000, "x", "eval")),
        "copy": raised(lambda: copy.deepcopy(nested(5000, listed))),
        "pickle": raised(lambda: pickle.dumps(lists)),
        "regex": raised(lambda: re.compile("(" * 5000 + ")" * 5000)),
        "lists": raised(lambda: repr(lists)),
        "equal": raised(lambda: lists == others),
        "attribute": raised(lambda: Endless().a),
        "own equal": raised(lambda: Endless() == Endless()),
        "generator": raised(lambda: list(delegated(100_000))),
        "coroutine": raised(lambda: sent(100_000)),
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
