"""The cases: the request of each, its load, and the only correct response."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

HELLO: Final = {"message": "hello", "n": 1}
ITEM: Final = {"id": 42, "q": "abc", "limit": 10}

# Every app builds this same list. The harness compares its own copy with the
# response of each server, so a list that differs in one app is noticed.
ROWS: Final = [
    {
        "id": i,
        "name": f"item number {i:03}",
        "price": i + 0.5,
        "quantity": i * 3,
        "active": i % 2 == 0,
        "tags": ["red", "large"],
    }
    for i in range(100)
]

# Prices are exact in binary, so the total does not depend on the order in which
# a server adds them up.
ORDER: Final = {
    "id": 1001,
    "customer": {
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "street": "12 St James's Square",
        "city": "London",
        "country": "United Kingdom",
        "vip": True,
    },
    "note": "Please leave the parcel with the neighbour at number 14 if nobody opens the door; "
    "ring twice, the bell is quiet. The gate code has changed since the last order, please "
    "call when you are at the gate and somebody will come down to open it for you.",
    "lines": [
        {"sku": f"PART-{i:04}-BLUE-STEEL-{i * 7:03}-BOXED", "qty": i + 1, "price": 10.25 + i}
        for i in range(8)
    ],
}
ORDER_BODY: Final = json.dumps(ORDER).encode()
ORDER_ANSWER: Final = {
    "id": 1001,
    "total": sum((i + 1) * (10.25 + i) for i in range(8)),
    "lines": 8,
}

SHOP_ANSWER: Final = {
    "shop": 7,
    "user": "user of shop 7",
    "first": 40,
    "total": ORDER_ANSWER["total"],
}

# The quantity of one line item is not a number: a server that validates refuses it.
BAD_ORDER_BODY: Final = json.dumps(
    ORDER | {"lines": [{"sku": "PART-0001", "qty": "many", "price": 1.5}]}
).encode()


@dataclass(frozen=True)
class Case:
    """One measurement: the request, the number of connections, and the expected response."""

    name: str
    path: str
    answer: object
    connections: int = 64
    body: bytes | None = None
    # A request that a validating server must refuse with a 4xx.
    bad_path: str | None = None
    bad_body: bytes | None = None
    # Servers that have the features it needs; None for all.
    only: tuple[str, ...] | None = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"


CASES: Final = {
    case.name: case
    for case in (
        Case("hello-sync", "/", HELLO),
        Case("hello-async", "/async", HELLO),
        Case("typed", "/items/42?q=abc&limit=10", ITEM, bad_path="/items/x?q=abc&limit=10"),
        Case("post-1k", "/orders", ORDER_ANSWER, body=ORDER_BODY, bad_body=BAD_ORDER_BODY),
        Case(
            "handler-1k",
            "/shops/7/orders?page=3&size=20",
            SHOP_ANSWER,
            body=ORDER_BODY,
            bad_path="/shops/7/orders?page=0&size=20",
            only=("bolt-host", "fastapi", "django-bolt"),
        ),
        Case("rows-10k", "/rows", ROWS),
        Case("sleep-10ms", "/sleep", {"slept": 10}, connections=1000),
    )
}

# Not among CASES, because it is measured from processes and not by wrk.
MEMORY: Final = "memory"
ALL_NAMES: Final = (*CASES, MEMORY)
