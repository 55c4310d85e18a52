"""Responses of other servers that the host sends on."""

from collections.abc import AsyncIterator
from marshal import loads
from typing import Any

import pytest
from httpfake import Install, answer, host, run

from bolt import http
from bolt._dependencies.after_response import Exits, pending
from bolt._serialization.replies import encode_reply

__all__ = ["host"]

URL = "https://example.com/items"


def reply(response: http.ProxyResponse) -> tuple[Any, ...]:
    parts: tuple[Any, ...] = loads(encode_reply(200, Exits().hold(response)).encode("latin-1"))
    return parts


async def read(response: http.ProxyResponse) -> bytes:
    return b"".join([part async for part in response.body_iterator])


@pytest.mark.parametrize("both", [False, True])
def test_the_host_takes_the_body(host: Install, both: bool) -> None:
    upstream = answer(
        404,
        b"none",
        ("content-type", "text/x"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("content-length", "4"),
        ("connection", "close, X-Hop"),
        ("x-hop", "1"),
        ("x-b", "3"),
    )
    fake = host(upstream)
    response = http.sync.proxy("GET", URL) if both else run(http.proxy("GET", URL))
    response.headers["x-b"] = "4"
    status, kind, headers, body, how = reply(response)
    assert (status, kind, body, how) == (404, "text/x", b"", "stream")
    assert headers == [("x-a", "1"), ("x-b", "4"), ("x-a", "2")]
    assert fake.left_open == [] and pending == []


def test_a_response_leaves_the_block_that_made_it(host: Install) -> None:
    fake = host(answer(200, b"a", ("x-a", "1")))

    async def within() -> http.ProxyResponse:
        async with http.stream("GET", URL) as upstream:
            response = http.ProxyResponse(upstream, 201, {"X-A": "2"})
        assert fake.left_open == [1]
        with pytest.raises(http.StreamConsumed):
            http.ProxyResponse(upstream)
        return response

    assert reply(run(within()))[::2] == (201, [("x-a", "2")], "stream")


@pytest.mark.parametrize("why", ["the host refuses", "middleware", "it was read"])
def test_otherwise_the_interpreter_passes_it_on(host: Install, why: str) -> None:
    fake = host(answer(200, b"abc"))
    fake.takes_over = why == "middleware"
    if why == "it was read":
        response = http.ProxyResponse(run(http.get(URL)))
    else:
        response = run(http.proxy("GET", URL))
    if why == "middleware":
        parts = response.body_iterator

        async def louder() -> AsyncIterator[bytes]:
            async for part in parts:
                yield part.upper()

        response.body_iterator = louder()
    assert reply(response)[4] == "stream"
    assert [exits.stream for exits in pending] == [response]
    pending.clear()
    assert run(read(response)) == (b"ABC" if why == "middleware" else b"abc")


def test_what_is_not_sent_is_closed(host: Install) -> None:
    fake = host(answer(), answer())
    response = run(http.proxy("GET", URL))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = response.nothing
    del response
    run(http.get(URL))
    assert fake.left_open == []
