"""An app that speaks to servers with drivers of PyPI and of Python, as they are."""

import asyncio
import smtplib
import ssl
from datetime import datetime
from decimal import Decimal
from email.message import EmailMessage
from typing import Any

import pg8000.dbapi
import pymysql
import redis
import redis.asyncio
from bolt import BoltAPI

api = BoltAPI()
HOST = "127.0.0.1"


@api.get("/postgres")
def postgres(port: int) -> dict[str, Any]:
    db = pg8000.dbapi.connect("app", host=HOST, port=port, database="postgres", password="secret")
    try:
        found = rows(db, pg8000.dbapi.DatabaseError)
        cursor = db.cursor()
        cursor.execute("show password_encryption")
        return found | {"passwords": cursor.fetchone()[0]}
    finally:
        db.close()


@api.get("/mysql")
def mysql(port: int) -> dict[str, Any]:
    db = pymysql.connect(host=HOST, port=port, user="app", password="secret", database="app")
    try:
        return rows(db, pymysql.err.IntegrityError)
    finally:
        db.close()


def rows(db: Any, refused: type[Exception]) -> dict[str, Any]:
    """The same for two drivers of PEP 249 whose placeholders are `%s`."""
    cursor = db.cursor()
    cursor.execute("drop table if exists things")
    cursor.execute(
        "create table things "
        "(id int primary key, name text, price decimal(10, 2), at timestamp null)"
    )
    wanted = [(1, "ä" * 100, Decimal("1.50"), datetime(2026, 2, 28, 1, 2, 3)), (2, *[None] * 3)]
    cursor.executemany("insert into things values (%s, %s, %s, %s)", wanted)
    db.commit()
    error = None
    try:
        cursor.execute("insert into things (id) values (%s)", (3,))
        cursor.execute("insert into things (id) values (%s)", (1,))
    except refused as exc:
        error = type(exc).__name__
        db.rollback()
    cursor.execute("select * from things order by id")
    same = [tuple(row) for row in cursor.fetchall()] == wanted
    cursor.execute("select repeat(%s, 3000000)", ("x",))
    return {"same": same, "error": error, "large": len(cursor.fetchone()[0])}


@api.get("/redis")
def sync_redis(port: int) -> dict[str, Any]:
    with redis.Redis(HOST, port, decode_responses=True) as client:
        client.set("a", "ä" * 100_000)
        with client.pipeline() as pipe:
            for number in range(100):
                pipe.rpush("list", number)
            pipe.execute()
        heard = client.pubsub(ignore_subscribe_messages=True)
        heard.subscribe("news")
        while not heard.subscribed or heard.get_message(timeout=0.05):
            pass
        client.publish("news", "hello")
        message = None
        while message is None:
            message = heard.get_message(timeout=1)
        heard.close()
        return {
            "large": client.get("a") == "ä" * 100_000,
            "list": client.llen("list"),
            "waited": client.blpop("empty", timeout=0.05),
            "heard": message["data"],
        }


@api.get("/async-redis")
async def async_redis(port: int) -> dict[str, Any]:
    client = redis.asyncio.Redis(host=HOST, port=port, decode_responses=True)

    async def one(number: int) -> int:
        await client.set(f"key:{number}", number)
        return int(await client.get(f"key:{number}"))

    try:
        numbers = await asyncio.gather(*map(one, range(20)))
        try:
            async with asyncio.timeout(0.05):
                await client.blpop(["empty"])
            late = False
        except TimeoutError:
            late = True
        return {"numbers": sum(numbers), "late": late, "there": await client.ping()}
    finally:
        await client.aclose()


@api.post("/mail")
def mail(port: int, ca: str) -> dict[str, Any]:
    message = EmailMessage()
    message["from"], message["to"], message["subject"] = "a@b.example", "c@d.example", "hello"
    message.set_content("a line\n" * 10_000)
    with smtplib.SMTP(HOST, port, timeout=10) as client:
        untrusted = False
        try:
            client.starttls(context=ssl.create_default_context())
        except ssl.SSLCertVerificationError:
            untrusted = True
    with smtplib.SMTP(HOST, port, timeout=10) as client:
        client.starttls(context=ssl.create_default_context(cadata=ca))
        client.login("user", "secret")
        return {"untrusted": untrusted, "refused": client.send_message(message)}


@api.get("/refused")
def refused() -> dict[str, str]:
    told = {}
    for name, connect in {
        "postgres": lambda: pg8000.dbapi.connect("app", host=HOST, port=1),
        "mysql": lambda: pymysql.connect(host=HOST, port=1),
        "redis": lambda: redis.Redis(HOST, 1).ping(),
        "mail": lambda: smtplib.SMTP(HOST, 1),
    }.items():
        try:
            connect()
        except Exception as exc:
            told[name] = f"{exc} {exc.__cause__}"
    return told
