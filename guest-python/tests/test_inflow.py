"""Request bodies that are read in parts: by `request.stream()`, and by a parameter."""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Annotated, Any

import pytest
from loop_host import REQUEST
from streamfake import (
    Part_Data,
    Part_End,
    Part_Failed,
    Part_Pending,
    Progress,
    StreamHost,
    stream_host,
)

from bolt import (
    Body,
    BoltAPI,
    Depends,
    File,
    HTTPException,
    Request,
    Router,
    StreamingResponse,
    UploadFile,
)
from bolt._app.manifest import manifest
from bolt._openapi.document import openapi
from bolt._streams import progress
from bolt._struct.validation_errors import explain
from bolt.exceptions import BuildError

PARTS = (Part_Data(b"ab"), Part_Data(b""), Part_Data(b"c"), Part_End())
FAILURE = Part_Failed(json.dumps({"status": 413, "detail": "too large"}))


@pytest.fixture
def host(monkeypatch):
    yield from stream_host(monkeypatch)


def request(body: bytes | None) -> Request:
    return Request(("POST", "http", "/", "", [], None, {}, body, ""))


async def parts_of(given: Request) -> list[bytes]:
    return [part async for part in given.stream()]


def waiting(host: StreamHost, *parts: Any) -> None:
    """Let a part be read after the guest was told that there is none yet."""

    def none_yet() -> Part_Pending:
        host.progress.append(Progress(7))
        host.clock.loop.call_later(1, _news)
        return Part_Pending()

    host.parts.extend([none_yet, *parts])


def _news() -> None:
    assert progress.flows
    progress.on_news()


@pytest.fixture
def within(host: StreamHost):
    token = REQUEST.set(7)
    yield
    REQUEST.reset(token)


@pytest.mark.parametrize("body", [b"abc", b"", None])
def test_a_body_is_streamed_once(host: StreamHost, within: None, body: bytes | None):
    given = request(body)
    if body is None:
        waiting(host, *PARTS)
    found = host.clock.run(parts_of(given))
    assert found == ([b"ab", b"c", b""] if body is None else [body, b""] if body else [b""])
    for read in (given.body, given.json, lambda: parts_of(given)):
        with pytest.raises(RuntimeError, match="Stream consumed"):
            host.clock.run(read())
    with pytest.raises(RuntimeError, match="Stream consumed"):
        _ = given.content


def test_a_body_is_kept_if_all_of_it_is_asked_for(host: StreamHost, within: None):
    whole, flowing, blocking = request(b"[1]"), request(None), request(None)
    waiting(host, Part_Data(b"["), Part_Data(b"1]"), Part_End())
    for given in (whole, flowing):
        assert host.clock.run(given.body()) == b"[1]"
        assert host.clock.run(given.json()) == [1] and given.content == b"[1]"
        assert host.clock.run(parts_of(given)) == host.clock.run(parts_of(given)) == [b"[1]", b""]
    host.parts.extend([Part_Pending(), Part_Data(b"[1]"), Part_End()])
    assert blocking.content == b"[1]" and host.calls == ["wait 7"]
    assert host.clock.run(blocking.body()) == b"[1]"


def test_the_rest_of_a_body_that_was_begun(host: StreamHost, within: None):
    given = request(None)
    host.parts.extend(PARTS)

    async def read() -> tuple[bytes, bytes]:
        stream = given.stream()
        return await anext(stream), await given.body()

    assert host.clock.run(read()) == (b"ab", b"c")


def test_a_body_that_does_not_come_is_an_answer(host: StreamHost, within: None):
    for read in (lambda: host.clock.run(request(None).body()), lambda: request(None).content):
        host.parts.extend([Part_Data(b"a"), FAILURE])
        with pytest.raises(HTTPException) as raised:
            read()
        assert (raised.value.status_code, raised.value.detail) == (413, "too large")


def test_a_client_that_leaves_is_seen_while_it_is_sent(host: StreamHost):
    given, seen = request(b""), []

    async def content() -> AsyncIterator[str]:
        while not await given.is_disconnected():
            seen.append("asked")
            host.progress.append(Progress(1, gone=len(seen) == 2))
            yield "x"
        seen.append("gone")

    async def task() -> None:
        await asyncio.sleep(0.01)
        seen.append("task")

    host.answer(StreamingResponse(content(), background=task))
    host.run()
    assert seen == ["asked", "asked", "gone", "task"] and host.complaints == []
    assert host.clock.run(request(b"").is_disconnected()) is False


def api_of(handler: Any, **options: Any) -> BoltAPI:
    api = BoltAPI()
    api.post("/", **options)(handler)
    return api


async def several(q: int, chunks: AsyncIterator[bytes]) -> list[Any]:
    return [q, [chunk async for chunk in chunks]]


async def marked(chunks: Annotated[AsyncIterable[bytes], Body(media_type="text/csv")]) -> Any:
    return [chunk async for chunk in chunks]


def blocking(chunks: Iterator[bytes] = Body()) -> Any:
    return list(chunks)


def size(chunks: Iterable[bytes]) -> int:
    return sum(map(len, chunks))


def dependent(n: int = Depends(size)) -> int:
    return n


def test_a_parameter_is_the_body(host: StreamHost, within: None):
    routes = [api_of(handler).routes[0] for handler in (several, marked, blocking, dependent)]
    host.parts.extend(PARTS * 4)
    assert host.clock.run(routes[0].invoke((5, None))) == [5, [b"ab", b"c"]]
    assert host.clock.run(routes[1].invoke((None,))) == [b"ab", b"c"]
    assert routes[2].invoke((None,)) == [b"ab", b"c"]
    assert routes[3].invoke((None,)) == 3
    assert explain(routes[0].params, (5, None)) == []


def test_what_the_host_learns_of_it():
    described = manifest(api_of(several), "app:api")
    assert described["reads_streams"] is True
    assert described["routes"][0]["params"][1] == {
        **{"name": "chunks", "in": "stream", "alias": "chunks"},
        **{"type": {"t": "bytes"}, "required": True},
    }
    for handler, media in ((several, "application/octet-stream"), (marked, "text/csv")):
        operation = openapi(api_of(handler))["paths"]["/"]["post"]
        assert operation["requestBody"] == {
            "content": {media: {"schema": {"type": "string", "format": "binary"}}},
            "required": True,
        }


async def unfit(chunks: Iterator[bytes]): ...


def unfit_too(chunks: AsyncIterator[bytes]): ...


def two(chunks: Iterator[bytes], more: Iterator[bytes]): ...


def body_too(chunks: Iterator[bytes], item: dict[str, int]): ...


def file_too(chunks: Iterator[bytes], file: UploadFile = File()): ...


def depends_too(chunks: Iterator[bytes], n: int = Depends(size)): ...


def optional(chunks: Iterator[bytes] = Body(b"")): ...


def of_other(chunks: Iterator[int]): ...


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (unfit, "an `async def` function takes an AsyncIterator"),
        (unfit_too, "a `def` function takes an Iterator"),
        (two, "'chunks', and once: it cannot be 'more'"),
        (body_too, "it cannot be 'item' as well"),
        (file_too, "it cannot be 'file' as well"),
        (depends_too, "it cannot be 'chunks' as well"),
        (optional, "has no default"),
        (of_other, "is not supported"),
    ],
)
def test_mistakes_are_told_when_a_route_is_declared(handler: Any, words: str):
    for routes in (BoltAPI(), Router()):
        with pytest.raises(BuildError, match=words):
            routes.post("/")(handler)
