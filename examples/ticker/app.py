"""Prices as server-sent events, and as lines of JSON. Open http://127.0.0.1:8000/ in a browser."""

import asyncio
from collections.abc import AsyncIterable
from typing import Annotated

from bolt import HTML, BoltAPI, Header, Query, Struct
from bolt.sse import EventSourceResponse, ServerSentEvent

api = BoltAPI(title="Ticker")

PAGE = """<!doctype html>
<title>Ticker</title>
<h1 id="price">…</h1>
<script>
  new EventSource("prices").addEventListener("price", event => {
    document.getElementById("price").textContent = JSON.parse(event.data).price
  })
</script>
"""


class Price(Struct):
    number: int
    price: float


def price(number: int) -> Price:
    """A walk that is the same for everybody."""
    steps = (step * 2654435761 % 201 - 100 for step in range(number + 1))
    return Price(number=number, price=round(100 + sum(steps) / 100, 2))


@api.get("/", include_in_schema=False)
def page() -> HTML:
    return HTML(PAGE)


@api.get("/prices", response_class=EventSourceResponse)
async def prices(
    last_event_id: Annotated[int, Header()] = -1,
    pause: Annotated[float, Query(ge=0.01, le=60)] = 1.0,
) -> AsyncIterable[ServerSentEvent]:
    """A price after each pause. A browser that connects again goes on where it was."""
    number = last_event_id
    while True:
        number += 1
        yield ServerSentEvent(data=price(number), event="price", id=str(number))
        await asyncio.sleep(pause)


@api.get("/history")
async def history(count: Annotated[int, Query(ge=1, le=10_000)] = 10) -> AsyncIterable[Price]:
    """The first prices, a line of JSON each."""
    for number in range(count):
        yield price(number)
