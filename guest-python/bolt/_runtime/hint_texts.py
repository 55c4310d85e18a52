"""The table of hints: the sentences that `hints` shows, by what went wrong."""

from __future__ import annotations

from .hints_of_data import NO_ASYNC_ENGINE

__all__ = [
    "COMPILED",
    "FRAMEWORK",
    "FRAMEWORK_PARTS",
    "INSIDE",
    "MODULES",
    "NAMES",
    "NOTHING_ON_SELF",
    "NOT_INSTALLED",
    "NO_FOLDER",
    "NO_SYSTEM",
    "OF_APP",
    "OF_OS",
    "OF_REQUEST",
    "OF_ROUTER",
    "OF_SIGNAL",
    "OF_STRUCT",
    "OPTIONS",
    "PROCESSES",
    "READ_ONLY",
    "SAME_PARTS",
    "SAYING",
    "SIGNALS",
    "SOCKETS",
]

# FastAPI and Starlette.

FRAMEWORK = "write `from {place} import ...` instead: the SDK has these names."
# Modules that are called the same in the SDK.
SAME_PARTS = frozenset(
    {
        "background",
        "concurrency",
        "encoders",
        "exception_handlers",
        "exceptions",
        "requests",
        "responses",
        "security",
        "sse",
        "status",
        "testclient",
        "websockets",
    }
)
STARLETTE = (
    " Or run its apps as they are: `pip install --target . starlette` in the app's folder puts it "
    "there."
)
_MIDDLEWARE = (
    "of middleware classes there is `bolt.sessions.SessionMiddleware`: for anything else write a "
    'function `@api.middleware("http") async def f(request, call_next)` that sets the headers, or '
    "let the proxy before bolt-host do it."
)
_SESSIONS = (
    "write `from bolt.sessions import SessionMiddleware` and "
    "`api.add_middleware(SessionMiddleware, secret_key=...)`."
)
_STARTUP = (
    "write `BoltAPI(lifespan=f)` with an async context manager `f(app)`: "
    "what is before its `yield` runs at the start, and what is after it at the end."
)
_EVENTS = (
    "write `from bolt.sse import EventSourceResponse, ServerSentEvent`, "
    "and yield events from the handler."
)
_STATIC = (
    'grant the folder with `--files /static=FOLDER`, and return `FileResponse(f"/static/{path}")` '
    'from a route `@api.get("/static/{path:path}")`.'
)
_TEMPLATES = (
    "put jinja2 into the app's folder with `pip install --target . jinja2`, "
    "and return `HTML(template.render(...))`."
)
_MODEL = (
    "write `from bolt import Struct` and `class Item(Struct)`: the host checks the values; "
    "`Field`, `field_validator` and `model_validator` come from bolt too."
)
_VALIDATOR = "write `@field_validator` or `@model_validator` of bolt, which run after the check."
_SETTINGS = (
    "read the variables that `--env NAME=VALUE` sets from `os.environ`; "
    "a dataclass can hold them as settings."
)
_BARE_TYPE = (
    "write `Annotated[str, Field(pattern=...)]`: the host has the types of the standard library."
)
_DETAIL = "declare the values as parameters of the handler, with `Form` or `File`."
_JSON = "return the record or dict itself: the host encodes it as JSON."

FRAMEWORK_PARTS = {
    "middleware": _MIDDLEWARE,
    "middleware.sessions": _SESSIONS,
    "staticfiles": _STATIC,
    "templating": _TEMPLATES,
    "datastructures": "write `from bolt import UploadFile`; `request.headers`, `request.url` and "
    "`request.cookies` have the methods of Starlette.",
    "routing": "write `from bolt import APIRouter`.",
    "applications": "write `from bolt import FastAPI`.",
    "params": "write `from bolt import Query, Path, Header, Depends`.",
    "param_functions": "write `from bolt import Query, Path, Header, Depends`.",
    "config": _SETTINGS,
    "types": "write `from bolt import Request, Response`: a BoltAPI is no ASGI application.",
}

# Names that an app imports from the SDK because FastAPI, Starlette or pydantic have them.
NAMES = {
    "ORJSONResponse": _JSON,
    "UJSONResponse": _JSON,
    "StaticFiles": _STATIC,
    "Jinja2Templates": _TEMPLATES,
    "Middleware": _MIDDLEWARE,
    "BaseHTTPMiddleware": _MIDDLEWARE,
    "CORSMiddleware": _MIDDLEWARE,
    "GZipMiddleware": _MIDDLEWARE,
    "TrustedHostMiddleware": _MIDDLEWARE,
    "HTTPSRedirectMiddleware": _MIDDLEWARE,
    "SessionMiddleware": _SESSIONS,
    "BaseModel": _MODEL,
    "RootModel": _MODEL,
    "BaseSettings": _SETTINGS,
    "validator": _VALIDATOR,
    "root_validator": _VALIDATOR,
    "computed_field": "write a method, or fill the field in when the record is made.",
    "EmailStr": _BARE_TYPE,
    "HttpUrl": _BARE_TYPE,
    "AnyUrl": _BARE_TYPE,
    "constr": _BARE_TYPE,
    "conint": _BARE_TYPE,
    "TestClient": "write `from bolt.testing import TestClient`.",
}

# Attributes of an application or a router that FastAPI has.
OF_APP = {
    "user_middleware": _MIDDLEWARE,
    "on_event": _STARTUP,
    "add_event_handler": _STARTUP,
    "on_startup": _STARTUP,
    "on_shutdown": _STARTUP,
    "add_route": 'write `api.add_api_route(path, handler, methods=["GET"])`.',
    "route": 'write `@api.api_route(path, methods=["GET"])`.',
    "openapi": "`bolt-host openapi app.py` prints the description, and `/openapi.json` serves it.",
    "openapi_schema": "`bolt-host openapi app.py` prints the description, "
    "and `/openapi.json` serves it.",
    "router": "write `api` itself: the application has the methods of a router.",
    "middleware_stack": _MIDDLEWARE,
}
OF_ROUTER = {**OF_APP, "add_middleware": _MIDDLEWARE}
# Arguments of `FastAPI(...)`.
OPTIONS = {
    "middleware": _MIDDLEWARE,
    "on_startup": _STARTUP,
    "on_shutdown": _STARTUP,
    "debug": "leave it out: `bolt-host dev app.py` shows tracebacks in responses.",
    "root_path": "leave it out: a host file serves an app below a path.",
    "default_response_class": "give `response_class` to the routes that answer with other "
    "than JSON.",
}
OF_STRUCT = {
    name: sentence
    for sentence, names in {
        "write `record.model_dump()`.": "dict",
        "write `record.model_dump_json()`.": "json",
        "write `record.model_copy(update={...})`.": "copy",
        "write `Item(**values)`, or declare the record as a parameter or result, "
        "which the host checks.": "model_validate model_validate_json parse_obj parse_raw "
        "from_orm model_construct construct",
        "`bolt-host openapi app.py` prints the schemas.": "schema schema_json model_json_schema",
        "write `Item.__annotations__`.": "model_fields __fields__",
    }.items()
    for name in names.split()
}
OF_REQUEST = {
    "form": _DETAIL,
    "auth": "declare a dependency of `bolt.security`.",
}

# The server, and other programs.

_SERVER = (
    "leave it and `{name}.run(...)` out: bolt-host is the server; "
    "start it with `bolt-host dev app.py` or `bolt-host run app.py --port 8000`."
)
_HTTP = (
    "write `from bolt import http` and `http.sync.get(url)` in a `def` handler, or "
    "`await http.get(url)` in an `async def` one, and allow the server with `--allow-http HOST`."
)
_CLIENT = (
    "`pip install --target . {name}` in the app's folder puts it there; or write `from bolt import "
    "http` and `http.sync.get(url)`. Allow the server with `--allow-http HOST`."
)
_DRIVER = (
    "put it into the app's folder with `pip install --target .`, and grant its server with "
    "`--allow-tcp HOST:PORT`."
)
_DATABASE = (
    "this driver needs compiled code or threads: use one in pure Python, as pg8000, PyMySQL or "
    "redis are, with `--allow-tcp HOST:PORT`, or `bolt.sql`, which speaks SQLite and Postgres."
)
_THREADS = (
    "the sandbox has no threads: call the function, `await asyncio.gather(...)` of coroutines that "
    "wait, or give the work to `BackgroundTasks`, which run after the response."
)
_EXECUTORS = (
    "the sandbox has no threads and processes: call the function, "
    "or `await asyncio.to_thread(f)`, which calls it as well."
)
PROCESSES = (
    "the sandbox has no processes: call Python functions, "
    "or send a request to another service with bolt.http."
)
COMPILED = "use a pure Python package: compiled extensions do not load in the sandbox."
NOT_INSTALLED = (
    "`pip install --target . {name}` in the app's folder puts a package there, if that is its "
    "name; it has to be pure Python."
)
NO_SYSTEM = "the sandbox has no module {name}: it needs a system that is not there."

# Modules that do not exist, by their names. FastAPI and Starlette have a row of their own.
MODULES = {
    name: sentence
    for sentence, names in {
        _MODEL: "pydantic pydantic_core pydantic_extra_types msgspec sqlmodel",
        _SETTINGS: "pydantic_settings decouple dotenv environs",
        _HTTP: "aiohttp pycurl httplib2",
        _DRIVER: "pg8000 pymysql redis aioredis aiomysql",
        _DATABASE: "psycopg psycopg2 asyncpg MySQLdb mysql pymongo motor pyodbc cx_Oracle oracledb",
        COMPILED: "_ctypes numpy pandas scipy PIL cv2 torch orjson ujson lxml cryptography cffi "
        "OpenSSL _cffi_backend uvloop grpc",
        NO_ASYNC_ENGINE: "greenlet",
        PROCESSES: "_multiprocessing _posixsubprocess _posixshmem celery",
        _TEMPLATES: "jinja2",
        _EVENTS: "sse_starlette",
        "keep tests in files that the app does not import.": "pytest",
    }.items()
    for name in names.split()
} | {
    name: sentence.format(name=name)
    for sentence, names in {
        _SERVER: "uvicorn gunicorn hypercorn granian daphne mangum",
        _CLIENT: "requests urllib3 httpx",
    }.items()
    for name in names.split()
}

SOCKETS = (
    "a socket connects to a server that `--allow-tcp HOST:PORT` grants, under the name that is "
    "granted; the host resolves it."
)

NOTHING_ON_SELF = (
    "each call has a new object, so nothing that is set on `self` is there in the next call: "
    "keep it in `socket.attachment`."
)

# Attributes of `os` that start or join processes.
_OF_OS = (
    "fork forkpty system kill killpg pipe wait waitpid WNOHANG execv execve execvp execl execlp "
    "spawnl spawnv spawnlp spawnvp spawnve posix_spawn posix_spawnp"
)
OF_OS = frozenset(_OF_OS.split())
# Attributes of `signal` by which a program sends itself one.
OF_SIGNAL = frozenset({"alarm", "getitimer", "pause", "pthread_kill", "setitimer", "sigwait"})
SIGNALS = (
    "no signal ever comes in the sandbox: write `asyncio.timeout(seconds)` in an `async def` "
    "handler, or let the host end a handler with `--deadline`."
)
# Modules in which anything may fail.
INSIDE = {
    "multiprocessing": PROCESSES,
    "concurrent.futures.process": _EXECUTORS,
    "concurrent.futures.thread": _EXECUTORS,
    "subprocess": PROCESSES,
}
_ACCEPT = "write `await websocket.accept()` before anything is sent or received."
# Parts of what an exception says.
SAYING = {
    "is no middleware class of bolt": _MIDDLEWARE,
    "can't start new thread": _THREADS,
    "the sandbox has no threads, so nothing else": _THREADS,
    "does not support processes": PROCESSES,
    "No time zone found": "`pip install --target . tzdata` in the app's folder: "
    "the sandbox has no time zones.",
    "No usable temporary directory": "grant a folder for them: `--write /tmp=FOLDER`.",
    "unable to open database file": "use `bolt.sql`, with which the host has the database: "
    '`sql.Database("main")`; or open a file in a folder of `--write`: with `--write /data=FOLDER` '
    "it is `/data/app.db`.",
    'Expected ASGI message "websocket.accept"': _ACCEPT,
    'Need to call "accept" first': _ACCEPT,
    "database is locked": "keep transactions short, and give `sqlite3.connect` a `timeout`; "
    "if none is under way, remove the folder `NAME.lock` beside the file, "
    "which an ended interpreter has left.",
    "InterpreterPoolExecutor": _EXECUTORS,
}

# Files.

NO_FOLDER = (
    "an app sees its own folder, `Path(__file__).parent`, and the folders that `--files` and "
    "`--write` grant: with `--files /data=FOLDER` a path begins with `/data/`."
)
READ_ONLY = "an app writes to folders of `--write /NAME=FOLDER` alone."
