"""Bodies that are sent and received part by part, and cancellation in the middle."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from httpfake import END, ROOM, SENT, Install, answer, data, error, head, host, run

from bolt import http
from bolt.http import _exchange

__all__ = ["host"]

URL = "https://example.com/items"


# Streams.

LINES = [head(), *map(data, [b"on", b"e\ntwo\r", b"", b"\nthr\xc3", b"\xa9e\r\rfive"]), END]
EXPECTED = ["one", "two", "thrée", "", "five"]


def test_lines_and_text(host: Install) -> None:
    host(*[LINES] * 4)

    async def asynchronous() -> None:
        async with http.stream("GET", URL) as got:
            assert [line async for line in got.aiter_lines()] == EXPECTED
        async with http.AsyncClient().stream("GET", URL) as got:
            assert "".join([text async for text in got.aiter_text()]).count("é") == 1

    run(asynchronous())
    with http.sync.stream("GET", URL) as got:
        assert list(got.iter_lines()) == EXPECTED
    with http.Client().stream("GET", URL) as got:
        assert "".join(got.iter_text()).endswith("thrée\r\rfive")


def test_the_body_of_a_stream(host: Install) -> None:
    host(*[[head(404), data(b"a"), data(b"b"), END]] * 6)

    async def asynchronous() -> None:
        async with http.stream("GET", URL) as got:
            with pytest.raises(http.ResponseNotRead):
                _ = got.content
            assert [part async for part in got.aiter_bytes()] == [b"a", b"b"]
            with pytest.raises(http.StreamConsumed):
                await got.aread()
        async with http.stream("GET", URL) as got:
            assert await got.aread() == await got.aread() == got.content == b"ab"
            assert [part async for part in got.aiter_bytes()] == [b"ab"]
        async with http.stream("GET", URL) as got:
            pass
        with pytest.raises(http.StreamClosed):
            await got.aread()

    run(asynchronous())
    with http.sync.stream("GET", URL) as got:
        assert list(got.iter_bytes()) == [b"a", b"b"]
        with pytest.raises(http.StreamConsumed):
            got.read()
    with http.sync.stream("GET", URL) as got:
        assert got.read() == got.text.encode() == b"ab"
        assert list(got.iter_bytes()) == [b"ab"]
    with http.sync.stream("GET", URL) as got:
        for part in got.iter_bytes():
            assert part == b"a"
            break


# Bodies that are sent part by part.


async def parts_later(*parts: Any) -> AsyncIterator[Any]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


@pytest.mark.parametrize("room", [0, float("inf")])
def test_a_body_in_parts(host: Install, room: float) -> None:
    script = [ROOM, ROOM, ROOM, ROOM, *answer(200, b"ok")] if room == 0 else answer(200, b"ok")
    fake = host(script, script, script, room=room)
    parts = [b"a", b"", "é", memoryview(b"c")]
    assert run(http.post(URL, content=parts_later(*parts))).content == b"ok"
    assert run(http.post(URL, content=iter(parts))).content == b"ok"
    assert http.sync.post(URL, content=iter(parts)).content == b"ok"
    for exchange in fake.exchanges:
        # An empty part is not sent: an empty chunk would end the body.
        assert exchange.chunks == ["", "a", "Ã©", "c", ""]
        assert exchange.complete


@pytest.mark.parametrize("early", [head(413), error("connect", "Nobody listens.")])
def test_nothing_more_is_sent_after_a_refusal(host: Install, early: Any) -> None:
    made: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(10):
            made.append(number)
            yield b"x"

    async def later() -> AsyncIterator[bytes]:
        for part in parts():
            yield part

    async def stalled() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    asks: list[Callable[[], Any]] = [
        lambda: http.sync.post(URL, content=parts()),
        lambda: run(http.post(URL, content=parts())),
        lambda: run(http.post(URL, content=later())),
        lambda: run(http.post(URL, content=stalled())),
    ]
    fake = host(*[[ROOM, early, END]] * 4, room=0)
    for ask in asks:
        made.clear()
        if early == head(413):
            assert ask().status_code == 413
        else:
            with pytest.raises(http.ConnectError):
                ask()
        assert len(made) <= 2
    assert not any(exchange.complete for exchange in fake.exchanges)


def test_an_early_success_does_not_cut_the_body(host: Install) -> None:
    script = [head(), data(b"1"), ROOM, ROOM, ROOM, SENT, data(b"2"), END]
    fake = host(script, script, room=0)
    got = run(http.post(URL, content=parts_later(b"a", b"b")))
    assert got.content == b"12"
    assert http.sync.post(URL, content=[b"a", b"b"]).content == b"12"
    assert [exchange.body for exchange in fake.exchanges] == [b"ab", b"ab"]


def test_a_body_that_fails(host: Install) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"a"
        raise LookupError("no more")

    def failing_at_once() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("no more")

    host([SENT], [SENT], [SENT], [SENT], [head(), data(b"x"), SENT])
    with pytest.raises(LookupError):
        run(http.post(URL, content=failing()))
    with pytest.raises(LookupError):
        http.sync.post(URL, content=failing_at_once())
    with pytest.raises(TypeError, match="bytes or str, not int"):
        run(http.post(URL, content=[1]))
    with pytest.raises(TypeError, match="bytes or str, not int"):
        http.sync.post(URL, content=[1])
    with pytest.raises(TypeError, match="async iterable"):
        http.sync.post(URL, content=failing())

    async def while_reading() -> None:
        proceed = asyncio.Event()

        async def waits() -> AsyncIterator[bytes]:
            await proceed.wait()
            raise LookupError("no more")
            yield b""

        async with http.stream("POST", URL, content=waits()) as got:
            proceed.set()
            with pytest.raises(LookupError):
                await got.aread()

    run(while_reading())


# Cancelling, and several tasks.


def test_a_cancelled_request_is_closed(host: Install) -> None:
    fake = host([], [SENT], [head(), data(b"a")])

    async def waits() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async def reading() -> None:
        async with http.stream("GET", URL) as got:
            async for _ in got.aiter_bytes():
                pass

    async def check() -> None:
        for number, ask in enumerate([http.get(URL), http.post(URL, content=waits()), reading()]):
            task = asyncio.ensure_future(ask)
            for _ in range(10):
                await asyncio.sleep(0)
            assert fake.left_open == [number + 1] and _exchange.waiting()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert fake.left_open == [] and not _exchange.waiting()
            await asyncio.sleep(0)

    run(check())


def test_closing_wakes_who_reads(host: Install) -> None:
    host([head()])

    async def check() -> None:
        async with http.stream("GET", URL) as got:
            reader = asyncio.ensure_future(got.aread())
            await asyncio.sleep(0)
        with pytest.raises(http.StreamClosed):
            await reader

    run(check())


def test_many_at_once(host: Install) -> None:
    def script(told: Any) -> list[Any]:
        return answer(200, told["url"].encode())

    fake = host(*[script] * 50)

    async def check() -> None:
        urls = [f"http://a/{number}" for number in range(50)]
        answers = await asyncio.gather(*map(http.get, urls))
        assert [got.text for got in answers] == urls

    run(check())
    assert fake.news() == []


def test_what_is_left_behind_is_closed_at_the_next_occasion(host: Install) -> None:
    fake = host([head()], answer())
    got = http.Client()._send(*http.Client()._build("GET", URL, {}))
    assert fake.left_open == [1]
    del got
    gc.collect()
    assert fake.left_open == [1] and _exchange.waiting()
    _exchange.on_news()
    assert fake.left_open == []
