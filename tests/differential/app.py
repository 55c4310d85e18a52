"""One app for two frameworks: only `framework` differs. The test compares their responses."""

import asyncio
import dataclasses
import functools
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from framework import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Field,
    File,
    Form,
    Header,
    HTMLResponse,
    HTTPException,
    JSONResponse,
    Path,
    PlainTextResponse,
    Query,
    RedirectResponse,
    Request,
    RequestValidationError,
    Response,
    Struct,
    UploadFile,
    field_validator,
    model_validator,
)
from kinds import router as kinds

app = FastAPI()
app.include_router(kinds)


class Color(str, Enum):
    RED = "red"
    BLUE = "blue"


class Level(int, Enum):
    LOW = 1
    HIGH = 2


class Item(Struct):
    name: str
    price: float = 1.5
    tags: list[str] = []
    note: str | None = None


class Order(Struct):
    id: int
    items: list[Item]
    at: datetime | None = None


class Filters(Struct):
    limit: Annotated[int, Field(gt=0, le=100)] = 10
    offset: int = 0
    tags: list[str] = []


class Bounded(Struct):
    age: Annotated[int, Field(ge=0, lt=150)]
    code: Annotated[str, Field(min_length=2, max_length=4, pattern="^[a-z]+$")]
    scores: Annotated[list[int], Field(min_length=1, max_length=3)]
    ratio: Annotated[float, Field(gt=0, multiple_of=0.5)] = 0.5


PageSize = Annotated[int, Field(ge=1, le=50)]


class Exact(Struct):
    most: Annotated[int, Field(le=2**63)] = 0
    least: Annotated[int, Field(ge=-(2**70))] = 0
    third: Annotated[int, Field(multiple_of=3)] = 0
    money: Annotated[Decimal, Field(gt=Decimal("0.1"), le=Decimal("100"))] = Decimal("1")
    tenths: Annotated[Decimal, Field(multiple_of=Decimal("0.1"))] = Decimal("1")
    some: Annotated[set[int], Field(min_length=2, max_length=3)] = {1, 2}
    one: Annotated[frozenset[str], Field(max_length=1)] = frozenset()


class Only(Struct):
    model_config = {"extra": "forbid"}

    limit: int = 10
    tags: list[str] = []
    x_tok: str | None = None


# Paths and queries.


@app.get("/path/int/{value}")
def path_int(value: int) -> Any:
    return {"value": value}


@app.get("/path/float/{value}")
def path_float(value: float) -> Any:
    return {"value": value}


@app.get("/path/bool/{value}")
def path_bool(value: bool) -> Any:
    return {"value": value}


@app.get("/path/uuid/{value}")
def path_uuid(value: UUID) -> Any:
    return {"value": value}


@app.get("/path/date/{value}")
def path_date(value: date) -> Any:
    return {"value": value}


@app.get("/path/color/{value}")
def path_color(value: Color) -> Any:
    return {"value": value}


@app.get("/path/level/{value}")
def path_level(value: Level) -> Any:
    return {"value": value}


@app.get("/path/literal/{value}")
def path_literal(value: Literal["a", "b"]) -> Any:
    return {"value": value}


@app.get("/path/bounded/{value}")
def path_bounded(value: Annotated[int, Path(gt=2, le=10)]) -> Any:
    return {"value": value}


@app.get("/path/rest/{value:path}")
def path_rest(value: str) -> Any:
    return {"value": value}


@app.get("/query/plain")
def query_plain(a: int, b: str = "x", c: float | None = None, d: bool = False) -> Any:
    return {"a": a, "b": b, "c": c, "d": d}


@app.get("/query/list")
def query_list(a: Annotated[list[int], Query()], b: Annotated[list[str], Query()] = ["z"]) -> Any:
    return {"a": a, "b": b}


@app.get("/query/alias")
def query_alias(
    a: Annotated[str, Query(alias="item-query", min_length=2, max_length=5)] = "none",
    b: Annotated[str | None, Query(pattern="^x+$")] = None,
    c: Annotated[int, Query(ge=1, lt=5, multiple_of=2)] = 2,
) -> Any:
    return {"a": a, "b": b, "c": c}


@app.get("/query/default")
def query_default(a: int = Query(3, gt=1), b: str = Query(..., max_length=3)) -> Any:
    return {"a": a, "b": b}


@app.get("/query/factory")
def query_factory(a: Annotated[list[int], Query(default_factory=lambda: [1, 2])]) -> Any:
    return {"a": a}


@app.get("/query/types")
def query_types(
    when: datetime | None = None,
    day: date | None = None,
    amount: Decimal | None = None,
    key: UUID | None = None,
    color: Color | None = None,
    either: int | str | None = None,
) -> Any:
    return {
        "when": when,
        "day": day,
        "amount": None if amount is None else str(amount),
        "key": key,
        "color": color,
        "either": either,
    }


@app.get("/query/annotated")
def query_annotated(
    page: Annotated[int, Field(gt=0)] = 1,
    size: PageSize = 10,
    both: Annotated[int, Field(ge=2), Query(le=9)] = 5,
    sizes: Annotated[list[PageSize], Query()] = [],
    amount: Annotated[Decimal, Field(le=Decimal("100"), gt=Decimal("0.1"))] = Decimal("1"),
) -> Any:
    return {"page": page, "size": size, "both": both, "sizes": sizes, "amount": str(amount)}


@app.get("/path/annotated/{value}")
def path_annotated(value: PageSize) -> Any:
    return {"value": value}


@app.get("/query/only")
def query_only(only: Annotated[Only, Query()]) -> Any:
    return {"limit": only.limit, "tags": only.tags, "token": only.x_tok}


@app.get("/header/only")
def header_only(only: Annotated[Only, Header()]) -> Any:
    return {"limit": only.limit}


@app.get("/cookie/only")
def cookie_only(only: Annotated[Only, Cookie()]) -> Any:
    return {"limit": only.limit}


@app.post("/form/only")
def form_only(only: Annotated[Only, Form()]) -> Any:
    return {"limit": only.limit, "tags": only.tags}


# A route of another method, and one that takes the rest of the path, hide none.


@app.post("/routes/search")
def routes_search() -> Any:
    return "search"


@app.get("/routes/{name}")
def routes_name(name: str) -> Any:
    return {"name": name}


@app.delete("/routes/files/{name}")
def routes_delete(name: str) -> Any:
    return {"deleted": name}


@app.get("/routes/files/{name:path}")
def routes_files(name: str) -> Any:
    return {"file": name}


@app.get("/routes/{owner}/settings")
def routes_settings(owner: str) -> Any:
    return {"owner": owner}


@app.get("/routes/{rest:path}")
def routes_rest(rest: str) -> Any:
    return {"rest": rest}


@app.get("/texts/@me")
def texts_me() -> Any:
    return "me"


@app.get("/texts/ü x")
def texts_escaped() -> Any:
    return "escaped"


@app.get("/texts/a%25b")
def texts_percent() -> Any:
    return "percent"


@app.get("/query/model")
def query_model(filters: Annotated[Filters, Query()]) -> Any:
    return {"limit": filters.limit, "offset": filters.offset, "tags": filters.tags}


# Headers and cookies.


@app.get("/header")
def header(
    x_token: Annotated[str, Header()],
    user_agent: Annotated[str | None, Header()] = None,
    x_many: Annotated[list[str] | None, Header()] = None,
    x_number: Annotated[int, Header(gt=1)] = 2,
) -> Any:
    return {"token": x_token, "agent": user_agent, "many": x_many, "number": x_number}


class SentHeaders(Struct):
    x_token: str
    x_number: int = Field(2, gt=1)
    odd_one: Annotated[int, Field(alias="Odd_One")] = 1


@app.get("/header/model")
def header_model(sent: Annotated[SentHeaders, Header()]) -> Any:
    return {"token": sent.x_token, "number": sent.x_number, "odd": sent.odd_one}


@app.get("/header/model/underscored")
def header_model_underscored(
    sent: Annotated[SentHeaders, Header(convert_underscores=False)],
) -> Any:
    return {"token": sent.x_token, "number": sent.x_number, "odd": sent.odd_one}


@app.get("/header/underscored")
def header_underscored(odd_one: Annotated[str, Header(convert_underscores=False)] = "no") -> Any:
    return {"odd": odd_one}


@app.get("/cookie")
def cookie(session: Annotated[str, Cookie()], count: Annotated[int, Cookie(ge=0)] = 0) -> Any:
    return {"session": session, "count": count}


# Bodies.


@app.post("/body/item")
def body_item(item: Item) -> Any:
    return {"name": item.name, "price": item.price, "tags": item.tags, "note": item.note}


@app.post("/body/order")
async def body_order(order: Order) -> Any:
    return {"id": order.id, "names": [item.name for item in order.items], "at": order.at}


@app.post("/body/bounded")
def body_bounded(value: Bounded) -> Any:
    return {"age": value.age, "code": value.code, "scores": value.scores, "ratio": value.ratio}


@app.post("/body/exact")
def body_exact(value: Exact) -> Any:
    return {
        "most": str(value.most),
        "least": str(value.least),
        "third": str(value.third),
        "money": str(value.money),
        "tenths": str(value.tenths),
        "some": sorted(value.some),
        "one": sorted(value.one),
    }


@app.post("/body/annotated")
def body_annotated(value: Annotated[int, Body(), Field(gt=0)]) -> Any:
    return {"value": value}


@app.post("/form/annotated")
def form_annotated(
    name: Annotated[str, Form(), Field(min_length=2)], size: Annotated[PageSize, Form()] = 1
) -> Any:
    return {"name": name, "size": size}


@app.post("/body/optional")
def body_optional(item: Item | None = None) -> Any:
    return {"name": None if item is None else item.name}


@app.post("/body/embed")
def body_embed(item: Annotated[Item, Body(embed=True)]) -> Any:
    return {"name": item.name}


@app.post("/body/two")
def body_two(item: Item, other: Item, q: int = 1) -> Any:
    return {"names": [item.name, other.name], "q": q}


@app.post("/body/keys")
def body_keys(
    item: Item, importance: Annotated[int, Body(gt=0)], flag: Annotated[bool, Body()] = False
) -> Any:
    return {"name": item.name, "importance": importance, "flag": flag}


@app.post("/body/scalar")
def body_scalar(value: Annotated[int, Body()]) -> Any:
    return {"value": value}


@app.post("/body/list")
def body_list(items: list[Item]) -> Any:
    return {"names": [item.name for item in items]}


@app.post("/body/dict")
def body_dict(values: dict[str, int]) -> Any:
    return values


@app.post("/body/any")
def body_any(value: Annotated[Any, Body()]) -> Any:
    return {"value": value}


@app.put("/body/mixed/{item_id}")
async def body_mixed(
    item_id: Annotated[int, Path(ge=1)],
    item: Item,
    q: str | None = None,
    x_token: Annotated[str | None, Header()] = None,
) -> Any:
    return {"id": item_id, "name": item.name, "q": q, "token": x_token}


# Forms.


@app.post("/form")
def form(
    name: Annotated[str, Form()],
    age: Annotated[int, Form(gt=0)] = 1,
    tags: Annotated[list[str] | None, Form()] = None,
) -> Any:
    return {"name": name, "age": age, "tags": tags}


class Login(Struct):
    user: str
    password: Annotated[str, Field(min_length=3)]


@app.post("/form/model")
def form_model(login: Annotated[Login, Form()]) -> Any:
    return {"user": login.user, "password": login.password}


@app.post("/file/bytes")
def file_bytes(file: Annotated[bytes, File()]) -> Any:
    return {"size": len(file)}


@app.post("/file/upload")
async def file_upload(file: UploadFile, note: Annotated[str, Form()] = "none") -> Any:
    content = await file.read()
    return {
        "name": file.filename,
        "type": file.content_type,
        "size": len(content),
        "note": note,
        "sum": sum(content),
    }


@app.post("/file/many")
async def file_many(files: list[UploadFile]) -> Any:
    return {"names": [file.filename for file in files]}


@app.post("/file/optional")
async def file_optional(file: UploadFile | None = None) -> Any:
    return {"name": None if file is None else file.filename}


# Dependencies.


CALLS: list[str] = []


def pages(page: Annotated[int, Field(gt=0)] = 1, size: PageSize = 10) -> dict[str, int]:
    return {"page": page, "size": size}


@app.get("/depends/annotated")
def depends_annotated(pages: Annotated[dict[str, int], Depends(pages)]) -> Any:
    return pages


def paging(page: Annotated[int, Query(ge=1)] = 1, size: int = 10) -> dict[str, int]:
    return {"page": page, "size": size}


async def who(x_user: Annotated[str | None, Header()] = None) -> str:
    if x_user is None:
        raise HTTPException(401, "no user", headers={"WWW-Authenticate": "Bearer"})
    return x_user


class Common:
    def __init__(self, q: str | None = None, skip: int = 0) -> None:
        self.q = q
        self.skip = skip


def counted() -> int:
    CALLS.append("counted")
    return len(CALLS)


def first(count: Annotated[int, Depends(counted)]) -> int:
    return count


def second(count: Annotated[int, Depends(counted)]) -> int:
    return count


@app.get("/depends/plain")
def depends_plain(paging: Annotated[dict[str, int], Depends(paging)]) -> Any:
    return paging


@app.get("/depends/async")
def depends_async(user: Annotated[str, Depends(who)], q: int = 0) -> Any:
    return {"user": user, "q": q}


@app.get("/depends/class")
async def depends_class(common: Annotated[Common, Depends()]) -> Any:
    return {"q": common.q, "skip": common.skip}


@app.get("/depends/cached")
def depends_cached(a: Annotated[int, Depends(first)], b: Annotated[int, Depends(second)]) -> Any:
    return {"same": a == b}


@app.get("/depends/uncached")
def depends_uncached(
    a: Annotated[int, Depends(counted)], b: Annotated[int, Depends(counted, use_cache=False)]
) -> Any:
    return {"same": a == b}


EVENTS: list[str] = []


def opened() -> Any:
    EVENTS.append("open")
    try:
        yield "resource"
    except ValueError:
        EVENTS.append("caught")
        raise
    finally:
        EVENTS.append("close")


async def opened_async() -> Any:
    EVENTS.append("open async")
    try:
        yield "other"
    finally:
        EVENTS.append("close async")


@app.get("/depends/yield")
def depends_yield(a: Annotated[str, Depends(opened)]) -> Any:
    return {"a": a}


@app.get("/depends/yield-async")
async def depends_yield_async(
    a: Annotated[str, Depends(opened)], b: Annotated[str, Depends(opened_async)]
) -> Any:
    return {"a": a, "b": b}


@app.get("/depends/yield-http")
def depends_yield_http(a: Annotated[str, Depends(opened)]) -> Any:
    raise HTTPException(418, "teapot")


@app.get("/depends/events")
def depends_events() -> Any:
    seen = list(EVENTS)
    EVENTS.clear()
    return seen


@app.get("/depends/route", dependencies=[Depends(who)])
def depends_route() -> Any:
    return "in"


# Routers.

inner = APIRouter(prefix="/inner")
outer = APIRouter(prefix="/outer", dependencies=[Depends(who)])


@inner.get("/{number}")
def inner_get(number: int) -> Any:
    return {"number": number}


@outer.get("/own")
def outer_own() -> Any:
    return "own"


outer.include_router(inner)
app.include_router(outer, prefix="/api")


@app.api_route("/methods", methods=["GET", "POST"])
def methods(request: Request) -> Any:
    return request.method


# Requests and responses.


@app.get("/request/{name}")
async def request_all(request: Request, name: str) -> Any:
    return {
        "method": request.method,
        "path": request.url.path,
        "query": request.url.query,
        "params": request.path_params,
        "args": dict(request.query_params),
        "many": request.query_params.getlist("a"),
        "cookies": request.cookies,
        "token": request.headers.get("X-Token"),
        "host": request.client is not None and request.client.host,
    }


@app.post("/request/body")
async def request_body(request: Request) -> Any:
    return {"size": len(await request.body())}


@app.post("/request/json")
async def request_json(request: Request) -> Any:
    return await request.json()


@app.get("/response/set")
def response_set(response: Response) -> Any:
    response.headers["X-Set"] = "yes"
    response.set_cookie("a", "b", max_age=10, httponly=True)
    response.set_cookie("c", "d", path="/x", secure=True, samesite="strict")
    response.status_code = 202
    return {"set": True}


@app.get("/response/delete-cookie")
def response_delete_cookie() -> Any:
    response = JSONResponse({"gone": True})
    response.delete_cookie("a")
    return response


@app.get("/response/html", response_class=HTMLResponse)
def response_html() -> Any:
    return "<p>hello</p>"


@app.get("/response/text")
def response_text() -> Any:
    return PlainTextResponse("hello", status_code=203, headers={"X-A": "b"})


@app.get("/response/redirect")
def response_redirect() -> Any:
    return RedirectResponse("/elsewhere?a=b c")


@app.get("/response/none")
def response_none() -> None:
    return None


@app.delete("/response/204", status_code=204)
def response_204() -> None:
    return None


@app.get("/response/error")
def response_error() -> Any:
    raise HTTPException(409, {"reason": ["a", 1]}, headers={"X-Why": "because"})


# Callables that hide that they are async, and a handler that awaits what it cancelled.


def async_around(function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **named: Any) -> Any:
        await asyncio.sleep(0)
        return {"around": function(*args, **named)}

    return wrapper


def def_around(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    return wrapper


class AsyncObject:
    async def __call__(self, n: int = 0, m: int = 1) -> Any:
        return {"object": [n, m]}


class AsyncDecorator:
    def __init__(self, function: Any) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    async def __call__(self, *args: Any, **named: Any) -> Any:
        return {"decorator": self.function(*args, **named)}


class GeneratorObject:
    async def __call__(self, n: int = 0) -> Any:
        yield {"generator": n}


def plain_number(n: int = 0) -> Any:
    return n


async def later_number(n: int = 0) -> Any:
    return n


CALLABLES: dict[str, Any] = {
    "around": async_around(plain_number),
    "def-around": def_around(later_number),
    "object": AsyncObject(),
    "partial-object": functools.partial(AsyncObject(), m=2),
    "partial-around": functools.partial(async_around(plain_number)),
    "decorator": AsyncDecorator(plain_number),
}

for path, function in CALLABLES.items():
    app.get(f"/callables/{path}")(function)

for path, function in {**CALLABLES, "generator": GeneratorObject()}.items():

    def depends_callable(found: Annotated[Any, Depends(function)]) -> Any:
        return {"found": found}

    app.get(f"/callables/depends/{path}")(depends_callable)


@app.get("/callables/cancelled")
async def cancelled() -> Any:
    task = asyncio.ensure_future(asyncio.sleep(60))
    task.cancel()
    await task


# Applications inside of others.

stand = FastAPI()
corner = FastAPI(docs_url="/pages")


class Sold(Exception): ...


def add_middleware(api: Any, name: str) -> None:
    @api.middleware("http")
    async def mark(request: Request, call_next: Any) -> Any:
        if request.headers.get("x-stop") == name:
            return JSONResponse({"stopped": name}, status_code=403)
        setattr(request.state, name, request.url.path)
        response = await call_next(request)
        # Middleware of the sandbox does not see errors of the host.
        if response.status_code == 200:
            response.headers["x-a"] = f"{response.headers.get('x-a', '')}+{name}"
        return response


def add_routes(api: Any, name: str) -> None:
    @api.get("/seen")
    def seen(request: Request) -> Any:
        marks = [getattr(request.state, one, None) for one in ("stand", "corner")]
        return {"name": name, "marks": marks, "root": request.scope["root_path"]}

    @api.get("/items/{number}")
    def numbered(number: int) -> Any:
        return number

    @api.get("/sold")
    def sold() -> Any:
        raise Sold

    @api.get("/gone")
    def gone() -> Any:
        raise HTTPException(404, "gone")


for api, name in ((stand, "stand"), (corner, "corner")):
    add_middleware(api, name)
    add_routes(api, name)


@stand.exception_handler(404)
async def stand_lost(request: Request, exc: HTTPException) -> JSONResponse:
    return JSONResponse({"stand": request.url.path, "detail": exc.detail}, status_code=404)


@stand.exception_handler(RequestValidationError)
def stand_invalid(request: Request, exc: RequestValidationError) -> JSONResponse:
    return JSONResponse([error["loc"] for error in exc.errors()], status_code=400)


@corner.exception_handler(405)
def corner_method(request: Request, exc: HTTPException) -> JSONResponse:
    return JSONResponse({"corner": request.method}, status_code=405)


@stand.exception_handler(Sold)
def stand_sold(request: Request, exc: Sold) -> JSONResponse:
    return JSONResponse({"sold": "stand"}, status_code=410)


stand.mount("/corner", corner)
app.mount("/stand", stand)


@corner.get("/late")
def corner_late() -> Any:
    return "late"


TASKS: list[str] = []


@app.post("/background/{name}")
async def background(name: str, tasks: BackgroundTasks) -> Any:
    tasks.add_task(TASKS.append, name)
    tasks.add_task(later, name, suffix="!")
    return {"before": len(TASKS)}


async def later(name: str, suffix: str) -> None:
    TASKS.append(name + suffix)


@app.get("/background")
async def background_seen() -> Any:
    # Either server may answer the request that began the tasks before they end.
    for _ in range(500):
        if len(TASKS) == 2:
            break
        await asyncio.sleep(0.01)
    seen = list(TASKS)
    TASKS.clear()
    return seen


class Refused(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


@app.exception_handler(Refused)
async def refused(request: Request, exc: Refused) -> JSONResponse:
    return JSONResponse({"refused": exc.name, "path": request.url.path}, status_code=451)


@app.exception_handler(404)
async def lost(request: Request, exc: HTTPException) -> JSONResponse:
    return JSONResponse({"lost": request.url.path, "detail": exc.detail}, status_code=404)


@app.get("/refused/{name}")
def get_refused(name: str) -> Any:
    raise Refused(name)


@app.get("/refused-async/{name}")
async def get_refused_async(name: str) -> Any:
    raise Refused(name)


# Declared results: which arm of a union a value is sent as, and what does not match.


class Dog(Struct):
    name: str


class Puppy(Dog):
    age: int = 1


class Owner(Struct):
    name: str
    city: str = "x"


class Number(Struct):
    n: int


class Text(Struct):
    n: str


@dataclasses.dataclass
class Made:
    n: int
    shown: str = dataclasses.field(init=False, default="s")
    found: list[int] = dataclasses.field(init=False, default_factory=lambda: [1])


KEY = UUID("12345678-1234-5678-1234-567812345678")
RESULTS: dict[str, Any] = {
    "one": 1,
    "minus": -1,
    "ten": 10,
    "true": True,
    "float": 1.0,
    "half": 1.5,
    "decimal": Decimal("1.50"),
    "whole-decimal": Decimal("2"),
    "number": "5",
    "decimal-text": "1.5",
    "nan-text": "nan",
    "yes": "yes",
    "red": "red",
    "text": "abcdef",
    "line": "ab\n",
    "empty": "",
    "member": Color.RED,
    "level": Level.LOW,
    "none": None,
    "date": date(2024, 1, 2),
    "midnight": datetime(2024, 1, 2),
    "moment": datetime(2024, 1, 2, 3, 4),
    "date-text": "2024-01-02",
    "key": KEY,
    "key-text": str(KEY),
    "bytes": b"abc",
    "ones": [1, 0],
    "twice": [1, 1],
    "texts": ["1", "2"],
    "mixed": ["1", 2],
    "flags": [True, 0],
    "pair": (1, "a"),
    "set": {1},
    "nothing": [],
    "dog": Dog(name="a"),
    "puppy": Puppy(name="a", age=2),
    "owner": Owner(name="a", city="b"),
    "as-dog": {"name": "a"},
    "as-owner": {"name": "a", "city": "b"},
    "other-keys": {"name": "a", "z": 1},
    "n": {"n": 5},
    "n-text": {"n": "5"},
    "owners": [Owner(name="a", city="b")],
    "as-owners": [{"name": "a", "city": "b"}, {"name": "c"}],
    "numbers": {"a": 1},
    "number-texts": {"a": "1"},
    "by-number": {1: 2},
    "made": Made(3),
    "as-made": {"n": 3, "shown": "z"},
    "mades": [Made(1), Made(2)],
}
DECLARED: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "decimal": Decimal,
    "date": date,
    "datetime": datetime,
    "uuid": UUID,
    "color": Color,
    "level": Level,
    "literal": Literal["red", 1],
    "int-str": int | str,
    "str-int": str | int,
    "int-float": int | float,
    "float-int": float | int,
    "float-str": float | str,
    "bool-int": bool | int,
    "int-bool": int | bool,
    "bool-float": bool | float,
    "decimal-str": Decimal | str,
    "int-decimal": int | Decimal,
    "date-datetime": date | datetime,
    "datetime-date": datetime | date,
    "date-str": date | str,
    "uuid-str": UUID | str,
    "color-str": Color | str,
    "level-float": Level | float,
    "literal-int": Literal["5"] | int,
    "list": list[int],
    "list-union": list[bool | int],
    "lists": list[int] | list[str],
    "list-or-int": list[int] | int,
    "set": set[int],
    "set-list": set[int] | list[int],
    "tuple": tuple[int, str],
    "dict": dict[str, int],
    "dicts": dict[str, int] | dict[str, str],
    "dict-int": dict[int, int],
    "dog-owner": Dog | Owner,
    "owner-dog": Owner | Dog,
    "dog-puppy": Dog | Puppy,
    "puppy-dog": Puppy | Dog,
    "dog-none": Dog | None,
    "dog-str": Dog | str,
    "dog-dict": Dog | dict,
    "dict-dog": dict | Dog,
    "number-text": Number | Text,
    "pets": list[Dog | Owner],
    "pet-lists": list[Dog] | list[Owner],
    "made": Made,
    "mades": list[Made],
    "bound": Annotated[int, Field(gt=0, lt=10)],
    "bound-or-float": Annotated[int, Field(gt=3)] | float,
    "bound-or-none": Annotated[int, Field(gt=3)] | None,
    "bounds": list[Annotated[int, Field(gt=0)]],
    "bounded-dict": dict[str, Annotated[int, Field(gt=1)]],
    "length": Annotated[str, Field(min_length=1, max_length=3)],
    "pattern": Annotated[str, Field(pattern="^[a-z]+$")],
    "list-length": Annotated[list[int], Field(min_length=2)],
    "set-length": Annotated[set[int], Field(min_length=2)],
    "money": Annotated[Decimal, Field(multiple_of=Decimal("0.4"))],
}


def result(name: str) -> Any:
    return RESULTS[name]


for declared, annotation in DECLARED.items():
    app.get(f"/results/{declared}/{{name}}", response_model=annotation)(result)


# Validators and constructors: what they see, and what they refuse.


class Validated(Struct):
    a: str = "  a "
    b: list[str] = ["x"]
    c: Annotated[str, Field(validate_default=True)] = " c "
    n: int = -5
    f: list[int] = Field(default_factory=lambda: [3, 1])

    @field_validator("a", "c")
    @classmethod
    def strip(cls, value: str) -> str:
        return value.strip()

    @field_validator("b")
    @classmethod
    def upper(cls, value: list[str]) -> list[str]:
        return [item.upper() for item in value]

    @field_validator("n")
    @classmethod
    def positive(cls, value: int) -> int:
        if value < 0:
            raise ValueError("negative")
        return value

    @field_validator("f")
    @classmethod
    def in_order(cls, value: list[int]) -> list[int]:
        return sorted(value)


class Overridden(Validated):
    @field_validator("a")
    @classmethod
    def strip(cls, value: str) -> str:
        return "sub" + value


class Whole(Struct):
    a: int = 1

    @model_validator(mode="after")
    def not_one(self) -> Any:
        if self.a == 1:
            raise ValueError("one")
        return self


@dataclasses.dataclass
class Constructed:
    a: int
    b: int = 2

    def __post_init__(self) -> None:
        if self.a == 0:
            raise ValueError("zero")
        if self.a == 1:
            raise AssertionError("one")
        if self.a == 3:
            raise TypeError("three")


@dataclasses.dataclass
class Nested:
    one: Constructed
    many: list[Constructed] = dataclasses.field(default_factory=list)
    named: dict[str, Constructed] = dataclasses.field(default_factory=dict)


def fields_of(value: Validated) -> Any:
    return {name: getattr(value, name) for name in "abcnf"}


@app.post("/validated/body")
def validated_body(value: Validated) -> Any:
    return fields_of(value)


@app.get("/validated/query")
def validated_query(value: Annotated[Validated, Query()]) -> Any:
    return fields_of(value)


@app.post("/validated/overridden")
async def validated_overridden(value: Overridden) -> Any:
    return fields_of(value)


@app.post("/validated/whole")
def validated_whole(value: Whole) -> Any:
    return value.a


@app.post("/validated/constructed")
def validated_constructed(value: Constructed) -> Any:
    return [value.a, value.b]


@app.post("/validated/constructed-list")
async def validated_constructed_list(values: list[Constructed]) -> Any:
    return [value.a for value in values]


@app.post("/validated/nested")
def validated_nested(value: Nested, whole: Whole) -> Any:
    return value.one.a
