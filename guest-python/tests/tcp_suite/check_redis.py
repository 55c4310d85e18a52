"""redis-py, without a change, with a Redis of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import free_port, listening, program
from tcpfake import TcpHost
from tcpservers import AUTHORITY, SERVER

redis = pytest.importorskip("redis")
redis_async = pytest.importorskip("redis.asyncio")
from redis.asyncio.retry import Retry as AsyncRetry  # noqa: E402
from redis.backoff import NoBackoff  # noqa: E402
from redis.retry import Retry  # noqa: E402

Run = Callable[..., Any]


def started(folder: Path, *options: str) -> Any:
    command = [program("redis-server"), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def port(tmp_path_factory: Any) -> Iterator[int]:
    found = free_port()
    child = started(tmp_path_factory.mktemp("redis"), "--port", str(found))
    with listening(child, found):
        yield found


def test_commands(host: TcpHost, port: int) -> None:
    host.grant("cache.test", port)
    with redis.Redis("cache.test", port, decode_responses=True) as client:
        assert client.ping()
        client.set("a", "ä" * 100_000)
        assert client.get("a") == "ä" * 100_000
        with client.pipeline() as pipe:
            for number in range(1000):
                pipe.rpush("list", number)
            assert pipe.execute()[-1] == 1000
        assert client.lrange("list", 0, -1) == [str(number) for number in range(1000)]
        with pytest.raises(redis.ResponseError):
            client.incr("a")
        assert client.blpop("empty", timeout=0.1) is None
        heard = client.pubsub(ignore_subscribe_messages=True)
        heard.subscribe("news")
        assert heard.get_message(timeout=0.05) is None
        client.publish("news", "hello")
        found: Any = None
        while found is None:
            found = heard.get_message(timeout=1)
        assert found["data"] == "hello"
        heard.close()
        client.flushall()


def test_many_connections_of_a_pool(host: TcpHost, port: int) -> None:
    host.grant("cache.test", port)
    pool = redis.ConnectionPool(host="cache.test", port=port, max_connections=5)
    held = [pool.get_connection() for _ in range(5)]
    assert len(host.lines) == 5
    for each in held:
        pool.release(each)
    assert redis.Redis(connection_pool=pool).ping()
    pool.disconnect()


def test_what_goes_wrong(host: TcpHost, port: int) -> None:
    once = Retry(NoBackoff(), 0)
    with (
        redis.Redis("secret.test", 6379, retry=once) as client,
        pytest.raises(redis.ConnectionError) as caught,
    ):
        client.ping()
    assert "--allow-tcp secret.test:6379" in str(caught.value)
    host.grant("cache.test", port)
    with (
        redis.Redis("cache.test", port, socket_timeout=0.05, retry=once) as client,
        pytest.raises(redis.TimeoutError),
    ):
        client.execute_command("BLPOP", "empty", 1)


def test_asyncio(host: TcpHost, port: int, run: Run) -> None:
    async def main() -> None:
        import asyncio

        host.grant("cache.test", port)
        client = redis_async.Redis(host="cache.test", port=port, decode_responses=True)

        async def one(number: int) -> Any:
            await client.set(f"key:{number}", number)
            return await client.get(f"key:{number}")

        assert await asyncio.gather(*(one(number) for number in range(30))) == [
            str(number) for number in range(30)
        ]
        async with client.pipeline() as pipe:
            await pipe.set("a", "b" * 300_000).get("a").execute()
        async with client.pubsub(ignore_subscribe_messages=True) as heard:
            await heard.subscribe("news")
            await client.publish("news", "hello")
            found: Any = None
            while found is None:
                found = await heard.get_message(timeout=1)
            assert found["data"] == "hello"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.blpop("empty")
        assert await client.ping()
        await client.flushall()
        await client.aclose()
        refused = redis_async.Redis(host="secret.test", port=1, retry=AsyncRetry(NoBackoff(), 0))
        with pytest.raises(redis.ConnectionError):
            await refused.ping()
        await refused.aclose()

    run(main())


def test_tls(host: TcpHost, run: Run, tmp_path: Path) -> None:
    port = free_port()
    options = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
    files = ["--tls-cert-file", str(SERVER), "--tls-key-file", str(SERVER)]
    child = started(tmp_path, *options, *files, "--tls-ca-cert-file", str(AUTHORITY))
    with listening(child, port) as is_there:
        if not is_there:
            pytest.skip("this redis-server has no TLS")
        host.grant("db.test", port)
        safe = {"ssl": True, "ssl_ca_certs": str(AUTHORITY)}
        with redis.Redis("db.test", port, **safe) as client:
            assert client.set("a", "b" * 100_000) and client.get("a") == b"b" * 100_000

        async def main() -> None:
            client = redis_async.Redis(host="db.test", port=port, **safe)
            assert await client.get("a") == b"b" * 100_000
            await client.aclose()

        run(main())
