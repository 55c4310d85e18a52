"""Doors are open in every import of a client, and cost nothing without one."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

DOORS = """
import sys
from bolt.http._doors.finder import install_doors
install_doors()
"""
HOST = """
sys.path.insert(0, {tests!r})
from httpfake import FakeHost, answer
from bolt import http as bolt_http
host = FakeHost(*[answer(200, b"ok", ("content-length", "2"))] * 20)
bolt_http.install(host)
"""
WITHOUT_SSL = """
import sys
sys.modules["ssl"] = sys.modules["_ssl"] = None
"""
URL = "https://example.com/a"


def run(*parts: str) -> str:
    program = "".join(map(textwrap.dedent, parts))
    command = [sys.executable, "-c", program.replace("{tests!r}", repr(str(Path(__file__).parent)))]
    # Without proxies and bundles of certificates.
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=kept)
    assert found.stderr == ""
    return found.stdout


def test_nothing_is_imported_without_a_client() -> None:
    found = run(
        DOORS,
        """
        import json, email.message
        print([name for name in sys.modules if "_doors." in name])
        print([name for name in ("http.client", "urllib.request") if name in sys.modules])
        """,
    )
    assert found.splitlines() == ["['bolt.http._doors.finder']", "[]"]


def test_a_module_keeps_its_own_loader() -> None:
    found = run(
        DOORS,
        """
        import http.client, inspect
        print(type(http.client.__loader__).__name__, type(http.client.__spec__.loader).__name__)
        print("class HTTPConnection" in inspect.getsource(http.client))
        import importlib.util
        assert importlib.util.find_spec("urllib.nothing") is None
        try:
            import httpx.nothing
        except ImportError as exc:
            print("no httpx.nothing")
        """,
    )
    first, *rest = found.splitlines()
    assert first.split()[0] == first.split()[1] == "SourceFileLoader"
    assert rest == ["True", "no httpx.nothing"]


@pytest.mark.parametrize("ssl", ["", WITHOUT_SSL])
@pytest.mark.parametrize("is_late", [False, True])
def test_names_that_were_bound_at_import(ssl: str, is_late: bool) -> None:
    program = f"""
    from http.client import HTTPConnection, HTTPSConnection
    from urllib.request import urlopen, build_opener, HTTPSHandler
    for connection in (HTTPConnection("example.com"), HTTPSConnection("example.com")):
        connection.request("GET", "/a")
        print(connection.getresponse().read())
    print(urlopen({URL!r}).read(), build_opener(HTTPSHandler()).open({URL!r}).read())
    print([exchange.head["url"] for exchange in host.exchanges], host.left_open)
    """
    # In a handler, a client is imported after the host is there.
    found = run(
        ssl, *((HOST.join(("import sys", "")), DOORS) if is_late else (DOORS, HOST)), program
    )
    assert found.splitlines() == [
        "b'ok'",
        "b'ok'",
        "b'ok' b'ok'",
        f"['http://example.com/a', {URL!r}, {URL!r}, {URL!r}] []",
    ]


@pytest.mark.parametrize("ssl", ["", WITHOUT_SSL])
def test_clients_of_pypi(ssl: str) -> None:
    for name in ("requests", "urllib3", "httpx"):
        pytest.importorskip(name)
    program = f"""
    import asyncio
    import httpx, requests, urllib3
    from httpx import AsyncClient, Client
    from requests import Session
    from urllib3.connection import HTTPSConnection
    session, client, later = Session(), Client(), AsyncClient()
    print(requests.get({URL!r}).text, session.get({URL!r}, verify=False).text)
    print(urllib3.request("GET", {URL!r}).data, client.get({URL!r}).text)
    connection = HTTPSConnection("example.com")
    connection.request("GET", "/a")
    print(connection.getresponse().data, type(connection).__name__)
    async def asynchronous():
        async with later, httpx.AsyncClient() as other:
            print((await later.get({URL!r})).text, (await other.get({URL!r})).text)
    asyncio.run(asynchronous())
    print({{exchange.head["url"] for exchange in host.exchanges}}, host.left_open)
    """
    assert run(ssl, DOORS, HOST, program).splitlines() == [
        "ok ok",
        "b'ok' ok",
        "b'ok' HTTPSConnection",
        "ok ok",
        f"{{{URL!r}}} []",
    ]
