"""An app of ASGI and nothing else."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

app = Starlette(routes=[Route("/{rest:path}", lambda asked: JSONResponse({"asgi": asked.url.path}))])
