"""Apps of Starlette and Flask, mounted in a BoltAPI."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from bolt import BoltAPI
from flask import Flask, Response, abort, jsonify, request
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.responses import Response as Bare
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

api = BoltAPI()
EVENTS: list[str] = []


@api.get("/own")
async def own() -> dict[str, Any]:
    return {"events": EVENTS, "pid": os.getpid()}


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[dict[str, str]]:
    EVENTS.append("started")
    yield {"made": "at the start"}


async def hello(asked: Request) -> JSONResponse:
    return JSONResponse(
        {
            "path": asked.url.path,
            "query": dict(asked.query_params),
            "header": asked.headers.get("x-own"),
            "state": asked.state.made,
            "in place": await run_in_threadpool(lambda: 6 * 7),
        }
    )


async def echo(asked: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        async for part in asked.stream():
            yield part.upper()

    return StreamingResponse(parts(), media_type="text/plain")


async def slow(asked: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        try:
            for number in range(1000):
                yield b"%d\n" % number
                await asyncio.sleep(0.02)
        finally:
            EVENTS.append("left")

    return StreamingResponse(parts())


async def later(asked: Request) -> PlainTextResponse:
    async def work() -> None:
        await asyncio.sleep(0.05)
        EVENTS.append("worked")

    return PlainTextResponse("soon", background=BackgroundTask(work))


async def fails(asked: Request) -> PlainTextResponse:
    raise ValueError("a mistake of the Starlette app")


async def bare(asked: Request) -> Bare:
    return Bare(b"bytes")


async def file(asked: Request) -> FileResponse:
    return FileResponse(__file__, media_type="text/x-python", headers={"x-own": "1"})


async def chat(socket: WebSocket) -> None:
    if socket.query_params.get("key") == "wrong":
        return await socket.close(4003)
    await socket.accept(subprotocol="talk", headers=[(b"x-own", b"1")])
    async for text in socket.iter_text():
        await socket.send_text(f"{socket.path_params['room']}: {text}")
    EVENTS.append("chat ended")


api.mount(
    "/star",
    Starlette(
        routes=[
            Route("/hello", hello),
            Route("/echo", echo, methods=["POST"]),
            Route("/slow", slow),
            Route("/later", later),
            Route("/fails", fails),
            Route("/bare", bare),
            Route("/file", file),
            WebSocketRoute("/chat/{room}", chat),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=100_000)],
        lifespan=lifespan,
    ),
)

flask = Flask(__name__)
api.mount("/flask", flask)


@flask.route("/hello/<name>", methods=["GET", "POST"])
def greet(name: str) -> Response:
    return jsonify(
        name=name,
        args=request.args.to_dict(flat=False),
        form=request.form.to_dict(),
        root=request.script_root,
        url=request.path,
        method=request.method,
    )


@flask.route("/lines")
def lines() -> Response:
    def parts() -> Iterator[str]:
        for number in range(5):
            yield f"{number}\n"

    return Response(parts(), mimetype="text/plain")


@flask.route("/upload", methods=["POST"])
def upload() -> dict[str, Any]:
    kept = request.files["file"]
    return {"name": kept.filename, "size": len(kept.read())}


@flask.route("/teapot")
def teapot() -> None:
    abort(418)


@flask.route("/wrong")
def wrong() -> None:
    raise KeyError("a mistake of the Flask app")
