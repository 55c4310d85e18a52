"""requests and httpx, without a change."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest
from tcpservers import AUTHORITY

Serve = Callable[..., int]
Run = Callable[..., Any]


def test_requests(serve: Serve) -> None:
    requests = pytest.importorskip("requests")
    port, safe = serve("http"), serve("https")
    with requests.Session() as session:
        for path in ("/one", "/two"):
            assert session.get(f"http://db.test:{port}{path}").text == f"{path} for db.test:{port}"
        moved = session.get(f"http://db.test:{port}/moved", timeout=10)
        assert moved.text == f"/page for db.test:{port}"
        assert session.post(f"http://db.test:{port}/", data=b"a" * 300_000).text == "A" * 300_000
        found = session.get(f"https://db.test:{safe}/safe", verify=str(AUTHORITY))
        assert found.text == f"/safe for db.test:{safe}"
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"https://db.test:{safe}/other")
        with pytest.raises(requests.ConnectionError, match=r"--allow-tcp secret\.test:80"):
            session.get("http://secret.test/")


def test_httpx(serve: Serve) -> None:
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("httpcore")
    port, safe = serve("http"), serve("https")
    with httpx.Client(verify=ssl.create_default_context(cafile=AUTHORITY)) as client:
        for path in ("/one", "/two"):
            assert client.get(f"http://db.test:{port}{path}").text == f"{path} for db.test:{port}"
        assert client.get(f"https://db.test:{safe}/").text == f"/ for db.test:{safe}"
        with pytest.raises(httpx.ConnectError, match=r"--allow-tcp secret\.test:80"):
            client.get("http://secret.test/")


def test_asynchronous_httpx_has_no_tls_of_its_own(serve: Serve, run: Run) -> None:
    """Its TLS is in memory: `bolt.http.HTTPXTransport` sends https requests."""
    httpx = pytest.importorskip("httpx")
    port, safe = serve("http"), serve("https")

    async def main() -> None:
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://db.test:{port}/")).text == f"/ for db.test:{port}"
            with pytest.raises(NotImplementedError, match="in memory"):
                await client.get(f"https://db.test:{safe}/")

    run(main())
