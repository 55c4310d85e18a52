"""SQLAlchemy, aiomysql, aiosmtplib and aiohttp, without a change."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest
from check_mysql import port as mysql_port
from check_postgres import port as postgres_port
from tcpfake import TcpHost
from tcpservers import AUTHORITY

__all__ = ["mysql_port", "postgres_port"]

Serve = Callable[..., int]
Run = Callable[..., Any]


def context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=AUTHORITY)


def test_sqlalchemy(host: TcpHost, postgres_port: int, mysql_port: int) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    for kind, port in (
        ("postgresql+pg8000://app:secret@db.test:{}/postgres", postgres_port),
        ("mysql+pymysql://app:secret@db.test:{}/app", mysql_port),
    ):
        host.grant("db.test", port)
        engine = sqlalchemy.create_engine(kind.format(port), pool_size=3, pool_pre_ping=True)
        one = sqlalchemy.text("select 1")
        with engine.begin() as first:
            assert first.execute(one).scalar() == 1
        with engine.connect() as first, engine.connect() as second:
            assert first.execute(one).scalar() == second.execute(one).scalar() == 1
            assert len(host.lines) == 2
        engine.dispose()


def test_aiomysql(host: TcpHost, run: Run, mysql_port: int) -> None:
    aiomysql = pytest.importorskip("aiomysql")
    host.grant("db.test", mysql_port)
    login = {"host": "db.test", "port": mysql_port, "user": "app", "password": "secret"}

    async def main(safe: ssl.SSLContext | None) -> None:
        pool = await aiomysql.create_pool(**login, ssl=safe, maxsize=5)

        async def one(number: int) -> Any:
            async with pool.acquire() as connection, connection.cursor() as cursor:
                await cursor.execute("select %s, repeat('x', 100000)", (number,))
                return (await cursor.fetchone())[0]

        assert await asyncio.gather(*map(one, range(20))) == list(range(20))
        pool.close()
        await pool.wait_closed()

    run(main(None))
    run(main(context()))
    assert host.tls


def test_aiosmtplib(serve: Serve, run: Run) -> None:
    aiosmtplib = pytest.importorskip("aiosmtplib")
    message = EmailMessage()
    message["from"], message["to"] = "a@b.test", "c@d.test"
    message.set_content("a line\n" * 10_000)
    port = serve("smtp")
    options = {"start_tls": True, "tls_context": context(), "username": "a", "password": "b"}
    assert run(aiosmtplib.send(message, hostname="db.test", port=port, **options))[0] == {}


def test_aiohttp(serve: Serve, run: Run) -> None:
    aiohttp = pytest.importorskip("aiohttp")
    port, safe = serve("http"), serve("https")

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://db.test:{port}/a") as response:
                assert await response.text() == f"/a for db.test:{port}"
            async with session.get(f"https://db.test:{safe}/b", ssl=context()) as response:
                assert await response.text() == f"/b for db.test:{safe}"
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(f"https://db.test:{safe}/b")
            with pytest.raises(aiohttp.ClientConnectorError, match=r"--allow-tcp secret\.test:80"):
                await session.get("http://secret.test/")

    run(main())
