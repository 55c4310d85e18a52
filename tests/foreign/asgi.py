"""An app of ASGI and nothing else."""

from itertools import count

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

calls = count(1)


def answer(asked: Request) -> JSONResponse:
    return JSONResponse({"asgi": asked.url.path, "call": next(calls)})


app = Starlette(routes=[Route("/{rest:path}", answer)])
