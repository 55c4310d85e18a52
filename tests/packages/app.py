"""Packages of PyPI at their main job: a route for each."""

# /// script
# dependencies = [
#   "httpx==0.28.1",
#   "Jinja2==3.1.6",
#   "SQLAlchemy==2.1.9",
#   "attrs==26.1.0",
#   "PyJWT==2.15.1",
#   "itsdangerous==2.2.0",
#   "python-dateutil==2.9.0.post0",
#   "PyYAML==6.0.4",
#   "Markdown==3.11.3",
#   "rich==15.0.0",
#   "click==8.5.1",
#   "networkx==3.6.1",
#   "beautifulsoup4==4.15.0",
#   "boto3==1.44.8",
#   "pendulum",
#   "sympy",
#   "starlette==1.10.0",
#   "anyio==4.16.0",
#   "asgiref==3.13.0",
#   "certifi",
#   "tzdata",
# ]
# ///

import asyncio
import importlib.metadata
import importlib.resources
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
import attrs
import bs4
import certifi
import click
import httpx
import itsdangerous
import jinja2
import jwt
import markdown
import pendulum
import rich.console
import rich.table
import sqlalchemy
import starlette.concurrency
import yaml
from asgiref.sync import async_to_sync, sync_to_async
from bolt import BoltAPI
from click.testing import CliRunner
from dateutil import parser, rrule

api = BoltAPI()


@api.get("/in-place")
async def in_place() -> list[int]:
    """By those that call functions in threads, and coroutines from there."""

    async def eight() -> int:
        return 8

    return [
        await anyio.to_thread.run_sync(abs, -1),
        await starlette.concurrency.run_in_threadpool(abs, -2),
        await sync_to_async(abs)(-4),
        await asyncio.to_thread(async_to_sync(eight)),
    ]


@api.get("/httpx")
async def of_httpx(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        return {"status": (await client.get(url)).status_code}


@api.get("/jinja2")
def of_jinja2() -> str:
    loader = jinja2.PackageLoader("texts")
    shelf = jinja2.Environment(loader=loader, autoescape=True)
    return shelf.get_template("page.html").render(names=["<b>", "c"])


@api.get("/sqlalchemy")
def of_sqlalchemy() -> list[str]:
    table = sqlalchemy.table("teas", sqlalchemy.column("id"), sqlalchemy.column("name"))
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table teas (id integer, name text)"))
        connection.execute(table.insert(), [{"id": 1, "name": "oolong"}, {"id": 2, "name": "a"}])
        rows = connection.execute(sqlalchemy.select(table.c.name).order_by(table.c.name))
        return [row.name for row in rows]


@attrs.define
class Cup:
    size: int = attrs.field(validator=attrs.validators.gt(0))
    tea: str = attrs.field(default="green", converter=str.upper)


@api.get("/attrs")
def of_attrs() -> dict[str, Any]:
    try:
        Cup(0)
    except ValueError as exc:
        return {"cup": attrs.asdict(Cup(3)), "error": str(exc)[:6]}
    return {}


@api.get("/jwt")
def of_jwt() -> dict[str, Any]:
    key = "k" * 32
    token = jwt.encode({"sub": "ann", "exp": datetime(2100, 1, 1, tzinfo=UTC)}, key)
    try:
        jwt.decode(token, "o" * 32, algorithms=["HS256"])
    except jwt.InvalidSignatureError:
        return jwt.decode(token, key, algorithms=["HS256"])
    return {}


@api.get("/itsdangerous")
def of_itsdangerous() -> list[Any]:
    signer = itsdangerous.URLSafeTimedSerializer("secret")
    signed = signer.dumps([1, "ä"])
    try:
        signer.loads(signed + "x")
    except itsdangerous.BadSignature:
        return signer.loads(signed, max_age=60)
    return []


@api.get("/dateutil")
def of_dateutil() -> list[str]:
    first = parser.parse("3 March 2026 10:00 CET", tzinfos={"CET": 3600})
    return [str(day) for day in rrule.rrule(rrule.MONTHLY, count=2, dtstart=first)]


@api.get("/yaml")
def of_yaml() -> dict[str, Any]:
    found = yaml.safe_load("tea: {name: oolong, cups: [1, 2]}\nat: 2026-03-01")
    return {"found": found["tea"], "at": str(found["at"]), "text": yaml.safe_dump([1, {"a": "b"}])}


@api.get("/markdown")
def of_markdown() -> str:
    return markdown.markdown("# Tea\n\n| a |\n|---|\n| *b* |", extensions=["tables"])


@api.get("/rich")
def of_rich() -> str:
    table = rich.table.Table("tea", "cups")
    table.add_row("oolong", "[bold]2[/bold]")
    console = rich.console.Console(file=io.StringIO(), width=40, record=True)
    console.print(table)
    return console.export_text()


@api.get("/click")
def of_click() -> str:
    @click.command()
    @click.option("--cups", type=int, default=1)
    def pour(cups: int) -> None:
        click.echo(f"{cups} cups")

    return CliRunner().invoke(pour, ["--cups", "3"]).output


@api.get("/networkx")
def of_networkx() -> dict[str, Any]:
    import networkx

    graph = networkx.grid_2d_graph(10, 10)
    path = networkx.shortest_path(graph, (0, 0), (9, 9))
    return {"steps": len(path), "tree": networkx.minimum_spanning_tree(graph).number_of_edges()}


@api.get("/bs4")
def of_bs4() -> list[str]:
    soup = bs4.BeautifulSoup("<p>a<a href='/b'>b</a><a href=/c>c", "html.parser")
    return [link["href"] for link in soup.select("p > a")]


@api.get("/boto3")
def of_boto3(url: str) -> dict[str, Any]:
    # Large, and imported where it is needed.
    import boto3
    import botocore.config

    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    client.put_object(Bucket="teas", Key="a/b.txt", Body=b"oolong")
    return {"body": client.get_object(Bucket="teas", Key="a/b.txt")["Body"].read().decode()}


@api.get("/pendulum")
def of_pendulum() -> list[str]:
    start = pendulum.datetime(2026, 3, 28, 12, tz="Europe/Berlin")
    later = pendulum.parse("2026-03-29T12:00:00+02:00").in_tz("UTC")
    return [start.add(days=1).to_iso8601_string(), later.diff(start).in_words(locale="de")]


@api.get("/sympy")
def of_sympy() -> list[str]:
    import sympy

    x = sympy.Symbol("x")
    return [str(sympy.integrate(x * sympy.exp(x), x)), str(sympy.solve(x**2 - 2, x))]


@api.get("/metadata")
async def metadata() -> dict[str, Any]:
    from zoneinfo import ZoneInfo

    await asyncio.sleep(0.001)
    text = importlib.resources.files("texts").joinpath("data/note.txt").read_text()
    return {
        "version": importlib.metadata.version("Jinja2"),
        "requires": importlib.metadata.requires("jinja2")[0],
        "scripts": [point.name for point in importlib.metadata.entry_points(name="markdown_py")],
        "note": text,
        "authorities": Path(certifi.where()).read_text().count("BEGIN CERTIFICATE") > 50,
        "summer": str(datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()),
    }
