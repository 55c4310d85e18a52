"""An app of ASGI and nothing else."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def answer(asked: Request) -> JSONResponse:
    return JSONResponse({"asgi": asked.url.path})


app = Starlette(routes=[Route("/{rest:path}", answer)])
