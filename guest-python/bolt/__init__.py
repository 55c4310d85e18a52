"""Typed route handlers for Python web apps that run inside bolt-host."""

from . import status
from .app import BoltAPI
from .background import BackgroundTask, BackgroundTasks
from .depends import Depends, Security, SecurityScopes
from .errors import HTTPException, RequestValidationError
from .markers import Body, Cookie, Field, File, Form, Header, Path, Query
from .request import Request
from .responses import (
    HTML,
    JSON,
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainText,
    PlainTextResponse,
    Redirect,
    RedirectResponse,
    Response,
)
from .router import Router
from .struct import Struct
from .uploads import UploadFile
from .validators import ValidationInfo, field_validator, model_validator
from .version import __version__
from .views import APIView, ViewSet, action

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
    "Struct",
    "UploadFile",
    "ValidationInfo",
    "ViewSet",
    "__version__",
    "action",
    "field",
    "field_validator",
    "model_validator",
    "status",
]
