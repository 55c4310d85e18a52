"""The SDK of bolt-host: FastAPI-like web applications that run in a WebAssembly sandbox."""

from . import status
from ._app.application import BoltAPI
from ._datastructures.uploads import UploadFile
from ._dependencies.depends import Depends, Security, SecurityScopes
from ._routing.router import Router
from ._routing.views import APIView, ViewSet, action
from ._schema.param_functions import (
    Body,
    Cookie,
    Field,
    File,
    Form,
    Header,
    Path,
    Query,
)
from ._struct.struct import Struct
from ._struct.validators import ValidationInfo, field_validator, model_validator
from ._version import __version__
from .background import BackgroundTask, BackgroundTasks
from .exceptions import (
    HTTPException,
    RequestValidationError,
    WebSocketException,
)
from .requests import Request
from .responses import (
    HTML,
    JSON,
    EventSourceResponse,
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainText,
    PlainTextResponse,
    Redirect,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from .sse import ServerSentEvent
from .topics import Topic, TopicError
from .websockets import (
    SleepingSocket,
    WebSocket,
    WebSocketDisconnect,
    WebSocketEndpoint,
    WebSocketState,
)

APIRouter = Router
field = Field
FastAPI = BoltAPI

__all__ = [
    "HTML",
    "JSON",
    "APIRouter",
    "APIView",
    "BackgroundTask",
    "BackgroundTasks",
    "Body",
    "BoltAPI",
    "Cookie",
    "Depends",
    "EventSourceResponse",
    "FastAPI",
    "Field",
    "File",
    "FileResponse",
    "Form",
    "HTMLResponse",
    "HTTPException",
    "Header",
    "JSONResponse",
    "Path",
    "PlainText",
    "PlainTextResponse",
    "Query",
    "Redirect",
    "RedirectResponse",
    "Request",
    "RequestValidationError",
    "Response",
    "Router",
    "Security",
    "SecurityScopes",
    "ServerSentEvent",
    "SleepingSocket",
    "StreamingResponse",
    "Struct",
    "Topic",
    "TopicError",
    "UploadFile",
    "ValidationInfo",
    "ViewSet",
    "WebSocket",
    "WebSocketDisconnect",
    "WebSocketEndpoint",
    "WebSocketException",
    "WebSocketState",
    "__version__",
    "action",
    "field",
    "field_validator",
    "model_validator",
    "status",
]
