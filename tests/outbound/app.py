"""An app that sends requests to other servers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from bolt import BoltAPI, Request, http

api = BoltAPI()


@api.get("/out/get")
async def out_get(url: str, timeout: float = 5.0, follow: bool = False) -> dict[str, Any]:
    try:
        response = await http.get(url, timeout=timeout, follow_redirects=follow)
    except http.RequestError as exc:
        return {"error": type(exc).__name__, "message": str(exc)}
    return {"status": response.status_code, "text": response.text, "url": str(response.url)}


@api.get("/out/sync")
def out_sync(url: str, timeout: float = 5.0) -> dict[str, Any]:
    with http.Client(timeout=timeout) as client:
        try:
            response = client.post(url, json={"a": 1}, headers={"x-app": "yes"})
        except http.RequestError as exc:
            return {"error": type(exc).__name__, "message": str(exc)}
    return {"status": response.status_code, "json": response.json()}


@api.get("/out/parallel")
async def out_parallel(url: str, times: int) -> list[int]:
    answers = await asyncio.gather(*(http.get(url) for _ in range(times)))
    return [answer.status_code for answer in answers]


@api.get("/out/upload")
async def out_upload(url: str, chunks: int) -> Any:
    async def body() -> AsyncIterator[bytes]:
        for number in range(chunks):
            yield bytes([number % 256]) * 1000
            await asyncio.sleep(0)

    return (await http.post(url, content=body())).json()


@api.get("/out/download")
async def out_download(url: str) -> list[int]:
    length, parts = 0, 0
    async with http.stream("GET", url) as response:
        async for part in response.aiter_bytes():
            length, parts = length + len(part), parts + 1
    return [length, int(parts > 1)]


@api.get("/out/httpx")
async def out_httpx(url: str) -> Any:
    async with httpx.AsyncClient(transport=http.HTTPXTransport()) as client:
        response = await client.post(
            url, json={"from": "httpx"}, auth=("user", "secret"), follow_redirects=True
        )
    return [response.status_code, response.json()]


@api.get("/out/httpx-sync")
def out_httpx_sync(url: str) -> Any:
    with httpx.Client(transport=http.HTTPXTransport()) as client:
        return client.get(url).json()


@api.get("/proxy/{path}", max_concurrency=1)
async def proxy(url: str, path: str) -> http.ProxyResponse:
    response = await http.proxy("GET", f"{url}/{path}")
    response.headers["x-proxy"] = "yes"
    return response


@api.get("/proxy-sync/{path}")
def proxy_sync(url: str, path: str) -> http.ProxyResponse:
    return http.sync.proxy("GET", f"{url}/{path}")


@api.post("/proxy-upload")
async def proxy_upload(url: str, request: Request) -> http.ProxyResponse:
    async with http.stream("POST", f"{url}/echo", content=request.stream()) as response:
        return http.ProxyResponse(response, 201, {"x-status": str(response.status_code)})


@api.get("/proxy-read")
async def proxy_read(url: str) -> http.ProxyResponse:
    response = await http.proxy("GET", f"{url}/hello")
    parts = [part async for part in response.body_iterator]

    async def louder() -> AsyncIterator[bytes]:
        yield b"".join(parts).upper()

    response.body_iterator = louder()
    return response
