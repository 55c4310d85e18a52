"""An app that sends requests to other servers with the clients of Python and of PyPI."""

import asyncio
import http.client
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import httpx
import urllib3
from bolt import BoltAPI

api = BoltAPI()
# Made at import, and used after the snapshot.
pool = urllib3.PoolManager(retries=False)
client = httpx.AsyncClient(follow_redirects=True)


def with_http_client(url: str, timeout: float, body: Any) -> tuple[int, bytes]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=timeout)
    connection.request("GET" if body is None else "POST", parts.path, body)
    with connection.getresponse() as response:
        return response.status, response.read()


def with_urllib(url: str, timeout: float, body: Any) -> tuple[int, bytes]:
    with urlopen(urllib.request.Request(url, body), timeout=timeout) as response:
        return response.status, response.read()


def with_urllib3(url: str, timeout: float, body: Any) -> tuple[int, bytes]:
    method = "GET" if body is None else "POST"
    response = pool.request(method, url, body=body, timeout=timeout)
    return response.status, response.data


def with_requests(url: str, timeout: float, body: Any) -> tuple[int, bytes]:
    # A handler imports it first, when there are no files any more.
    import requests

    response = requests.request(
        "GET" if body is None else "POST", url, data=body, timeout=(5, timeout)
    )
    return response.status_code, response.content


def with_httpx(url: str, timeout: float, body: Any) -> tuple[int, bytes]:
    with httpx.Client(follow_redirects=True) as other:
        response = other.request(
            "GET" if body is None else "POST", url, content=body, timeout=timeout
        )
        return response.status_code, response.content


CLIENTS: dict[str, Callable[[str, float, Any], tuple[int, bytes]]] = {
    "http.client": with_http_client,
    "urllib": with_urllib,
    "urllib3": with_urllib3,
    "requests": with_requests,
    "httpx": with_httpx,
}


def told(exc: Exception) -> dict[str, Any]:
    inner = getattr(exc, "reason", None) or (exc.args[0] if exc.args else None)
    reason = type(inner).__name__ if isinstance(inner, Exception) else ""
    return {"error": type(exc).__name__, "reason": reason, "message": str(exc)}


def shown(status: int, body: bytes) -> dict[str, Any]:
    return {"status": status, "text": body[:2000].decode(), "length": len(body)}


@api.get("/with/{name}")
def ask(name: str, url: str, timeout: float = 5.0, chunks: int = 0) -> dict[str, Any]:
    def parts() -> Iterator[bytes]:
        for number in range(chunks):
            yield bytes([number % 256]) * 1000

    try:
        return shown(*CLIENTS[name](url, timeout, parts() if chunks else None))
    except Exception as exc:
        return told(exc)


@api.get("/with-async-httpx")
async def ask_asynchronously(url: str, timeout: float = 5.0) -> dict[str, Any]:
    try:
        response = await client.get(url, timeout=timeout)
    except httpx.HTTPError as exc:
        return told(exc)
    return shown(response.status_code, response.content)


@api.get("/together")
async def together(url: str) -> list[int]:
    """Clients that block, beside ones that wait."""

    async def waiting() -> int:
        async with httpx.AsyncClient() as other:
            return (await other.get(url)).status_code

    async def blocking() -> int:
        return urlopen(url, timeout=5).status

    return await asyncio.gather(*(ask() for _ in range(10) for ask in (waiting, blocking)))


@api.get("/stream")
def stream(url: str) -> list[int]:
    """Read some of a response, and leave the rest."""
    import requests

    found = []
    with requests.get(url, stream=True, timeout=5) as response:
        for part in response.iter_content(1000):
            found.append(len(part))
            if len(found) == 3:
                break
    return found


@api.get("/cookies")
def cookies(url: str) -> list[list[str]]:
    import requests

    response = requests.get(url, timeout=5)
    return [sorted(response.cookies.keys()), response.raw.headers.getlist("set-cookie")]


@api.get("/unverified")
def unverified(url: str) -> dict[str, Any]:
    import requests

    try:
        requests.get(url, verify=False, timeout=5)
        return {}
    except requests.RequestException as exc:
        return told(exc)


@api.get("/refused")
def refused() -> list[str]:
    import requests

    found = []
    for options in ({"verify": "/own.pem"}, {"cert": "/own.pem"}):
        try:
            requests.get("https://example.com/", **options)
        except ValueError as exc:
            found.append(str(exc))
    return found
