"""`bolt.sessions`: what is kept, where, and what a client cannot do with its cookie."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from kvfake import KvHost, kv_host, run

from bolt import BoltAPI, JSONResponse, Request, WebSocket, kv
from bolt._sessions.signing import Signer
from bolt.exceptions import HTTPException
from bolt.sessions import Session, SessionMiddleware

DAY = 24 * 3600


@pytest.fixture(params=["cookie", "store", "store later"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def host(kind: str) -> Iterator[KvHost]:
    yield from kv_host(kind == "store later")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, host: KvHost) -> Callable[[float], None]:
    """Moves the clock of the app and of the host."""
    now = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds
        host.now += int(seconds * 1000)

    return move


class Client:
    """A browser with one cookie, and an app whose handler is a function of the request."""

    def __init__(self, kind: str, **options: Any) -> None:
        if kind != "cookie":
            options["store"] = kv.Store()
        options.setdefault("secret_key", "secret")
        self.options = options
        self.cookie = ""
        # The attributes of the last Set-Cookie; empty without one.
        self.attributes: list[str] = []
        self.response: Any = None

    def __call__(self, handler: Callable[[Request], Any], **options: Any) -> Any:
        api = BoltAPI()
        api.add_middleware(SessionMiddleware, **{**self.options, **options})

        @api.get("/")
        async def root(request: Request) -> Any:
            return handler(request)

        sent = [("cookie", f"other=1; {self.cookie}")] if self.cookie else []
        wire = ("GET", "http", "/", "", sent, None, {}, b"", "")
        route = api.routes[0]
        route.compile()
        self.response = run(route.invoke((wire,) * len(route.params)))
        self.attributes = []
        for one in self.response.cookies:
            self.cookie, *self.attributes = one.split("; ")
            if "Max-Age=0" in self.attributes:
                self.cookie = ""
        return self.response.data


def put(name: str, value: Any) -> Callable[[Request], Any]:
    return lambda request: request.session.__setitem__(name, value)


def data(request: Request) -> Any:
    return dict(request.session)


def test_a_session(kind: str, host: KvHost, clock: Callable[[float], None]) -> None:
    client = Client(kind)
    assert client(data) == {} and client.response.cookies == []
    client(put("user", {"name": "änn"}))
    assert client.attributes == ["Path=/", f"Max-Age={14 * DAY}", "HttpOnly", "SameSite=lax"]
    assert client(data) == {"user": {"name": "änn"}} and not client.attributes
    client(put("n", 1))
    assert client(data) == {"user": {"name": "änn"}, "n": 1}
    client(lambda request: request.session.clear())
    assert "Max-Age=0" in client.attributes and "Path=/" in client.attributes
    assert client(data) == {} and not client.attributes
    assert not host.stores["main"]


def test_changes_deep_inside(kind: str, host: KvHost) -> None:
    client = Client(kind)
    client(put("cart", []))
    client(lambda request: request.session["cart"].append("tea"))
    assert client(data) == {"cart": ["tea"]}


def test_only_what_is_needed_is_done(kind: str, host: KvHost) -> None:
    client = Client(kind)
    assert client(lambda request: 1) == 1
    assert "vary" not in client.response.headers and not host.log
    client(data)
    assert client.response.headers["vary"] == "Cookie" and not host.log
    client(put("a", 1))
    host.log.clear()
    client(lambda request: 1)
    client(data)
    client(put("a", 1))
    assert set(host.log) <= {"get"} and not client.attributes
    for given, sent in [("Accept", ["Accept", "Cookie"]), ("accept, COOKIE", None), ("*", None)]:
        answer = JSONResponse({}, headers={"vary": given})
        client(lambda request, answer=answer: (data(request), answer)[1])
        assert client.response.headers.getlist("vary") == (sent or [given])


def test_what_a_client_cannot_send(kind: str, host: KvHost) -> None:
    client = Client(kind)
    client(put("user", "ann"))
    good = client.cookie
    name, _, value = good.partition("=")
    text, at, signature = value.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"user": "root"}).encode()).decode().rstrip("=")
    assert len(signature) == 43
    for wrong in [
        "",
        ".",
        "..",
        "a.b.c",
        "ü.1.x",
        f"{forged}.{at}.{signature}",
        f"{text}.{int(at) + 1}.{signature}",
        f"{text}.{at}.{signature[:-1]}",
        f"{text}.{at}.",
        f"{text}.{'9' * 5000}.{signature}",
        f"{text}.²34.{signature}",
        f"{text}.{at}.{'A' * 43}",
        Signer("other", f"session in {kind.split()[0]} session").sign(text, int(at)),
        Signer("secret", "session in elsewhere session").sign(text, int(at)),
    ]:
        client.cookie = f"{name}={wrong}"
        host.log.clear()
        assert client(data) == {} and not client.attributes, wrong
        # Whoever guesses costs the store nothing.
        assert not host.log
    client.cookie = good
    assert client(data) == {"user": "ann"}
    # A cookie of another name is another one, with the same key as well.
    client.cookie = f"admin={value}"
    assert client(data, session_cookie="admin") == {}


def test_signed_texts_that_are_no_session(kind: str, host: KvHost) -> None:
    signer = Signer("secret", f"session in {kind.split()[0]} session")
    client = Client(kind)
    for text in ("", "x", "bnVsbA", "W10", "e30", "/w", "W1tbW1tb" * 50):
        client.cookie = f"session={signer.sign(text, int(time.time()))}"
        assert client(data) == {}


def test_sessions_expire(kind: str, host: KvHost, clock: Callable[[float], None]) -> None:
    client = Client(kind, max_age=timedelta(seconds=100))
    client(put("a", 1))
    assert "Max-Age=100" in client.attributes
    first = client.cookie
    clock(9)
    assert client(data) == {"a": 1} and not client.attributes
    clock(2)
    # It is used, so it lasts longer.
    assert client(data) == {"a": 1} and "Max-Age=100" in client.attributes
    assert client.cookie != first
    clock(95)
    assert client(data) == {"a": 1}
    for _ in range(5):
        # Nobody looks at it, so it does not.
        clock(30)
        client(lambda request: 1)
    assert client(data) == {}
    client.cookie = first
    assert client(data) == {}


def test_sessions_until_the_browser_is_closed(
    kind: str, host: KvHost, clock: Callable[[float], None]
) -> None:
    client = Client(kind, max_age=None)
    client(put("a", 1))
    assert not [one for one in client.attributes if one.startswith("Max-Age")]
    for _ in range(4):
        clock(10 * DAY)
        assert client(data) == {"a": 1}
    clock(15 * DAY)
    assert client(data) == ({"a": 1} if kind == "cookie" else {})


def test_attributes_of_the_cookie(kind: str, host: KvHost) -> None:
    client = Client(
        kind,
        session_cookie="sid",
        same_site="none",
        https_only=True,
        domain="shop.example",
        path="/shop",
    )
    attributes = ["Path=/shop", "Domain=shop.example", "HttpOnly", "SameSite=none", "Secure"]
    client(put("a", 1))
    assert client.cookie.startswith("sid=")
    assert {*attributes, f"Max-Age={14 * DAY}"} == set(client.attributes)
    client(lambda request: request.session.clear())
    assert set(attributes) < set(client.attributes)


def test_secret_keys_are_replaced(kind: str, host: KvHost) -> None:
    client = Client(kind)
    client(put("a", 1))
    old = client.cookie
    assert client(data, secret_key=["new", b"secret"]) == {"a": 1}
    assert client.cookie != old
    assert client(data, secret_key="new") == {"a": 1} and not client.attributes
    assert client(data) == {}
    assert client(data, secret_key=lambda: ("new",)) == {"a": 1}
    for wrong in ("", b"", [], ["a", ""], 5, [5], None):
        with pytest.raises((ValueError, TypeError)):
            SessionMiddleware(wrong)  # type: ignore[arg-type]


def test_options_that_cannot_be() -> None:
    for options in (
        {"session_cookie": "a b"},
        {"path": "/;"},
        {"domain": "a\n"},
        {"same_site": "never"},
        {"max_age": 0},
        {"max_age": timedelta(0)},
    ):
        with pytest.raises(ValueError):
            SessionMiddleware("secret", **options)  # type: ignore[arg-type]


def test_a_session_gets_another_id(kind: str, host: KvHost) -> None:
    def login(request: Request) -> None:
        request.session["user"] = "ann"
        request.session.rotate()

    client = Client(kind)
    client(put("cart", ["tea"]))
    before, keys = client.cookie, set(host.stores["main"])
    client(login)
    assert client.cookie != before and client(data) == {"cart": ["tea"], "user": "ann"}
    after = client.cookie
    if kind != "cookie":
        assert len(host.stores["main"]) == 1 and not keys & set(host.stores["main"])
        client.cookie = before
        assert client(data) == {}
        # Also without a change.
        client.cookie = after
        client(lambda request: request.session.rotate())
        assert client.cookie != after

    def again(request: Request) -> None:
        request.session.clear()
        request.session["user"] = "bob"

    before = client.cookie
    client(again)
    assert client(data) == {"user": "bob"}
    client.cookie = before
    assert (client(data) == {}) is (kind != "cookie")


def test_ids_are_not_in_the_store(host: KvHost, kind: str) -> None:
    client = Client("store")
    client(put("a", 1))
    ((key, kept),) = host.stores["main"].items()
    text = client.cookie.partition("=")[2].partition(".")[0]
    assert len(base64.urlsafe_b64decode(text + "=")) == 32
    assert key.startswith("session:") and text not in key
    assert kept.value == b'{"a":1}' and kept.until - host.now == 14 * DAY * 1000
    # A client does not choose its id.
    host.stores["main"].clear()
    client(put("a", 2))
    assert set(host.stores["main"]).isdisjoint({key})


def test_a_session_that_another_request_ends(host: KvHost, kind: str) -> None:
    client, other = Client("store"), Client("store")
    client(put("user", "ann"))

    def slow(request: Request) -> None:
        request.session["n"] = 1
        host.stores["main"].clear()

    client(slow)
    # It is not there again, and the cookie of the other request stays.
    assert not host.stores["main"] and not client.attributes
    assert other(data) == {} and client(data) == {}


def test_a_store_that_is_away(host: KvHost, kind: str) -> None:
    client = Client("store")
    client(put("a", 1))
    host.problem = ("operational", "away")
    with pytest.raises(kv.Unavailable):
        client(data)
    client.cookie = ""
    assert client(data) == {}
    with pytest.raises(kv.Unavailable):
        client(put("a", 1))


def test_values_that_are_no_session(host: KvHost, kind: str) -> None:
    client = Client("store")
    client(put("a", 1))
    for value in (b"[1]", b"no json", b"\0x", b"{}"):
        for kept in host.stores["main"].values():
            kept.value = value
        assert client(data) == {}


def test_what_cannot_be_kept(kind: str, host: KvHost) -> None:
    client = Client(kind)
    with pytest.raises(TypeError, match="object has no form"):
        client(put("a", object()))
    if kind == "cookie":
        with pytest.raises(ValueError, match="3308 bytes of JSON, more than fit into a cookie"):
            client(put("a", "x" * 3300))
    else:
        client(put("a", "x" * 3300))
    client(put("a", "x" * 2500))
    assert len(client(data)["a"]) >= 2500


def test_responses_of_exceptions_have_it_too(kind: str, host: KvHost) -> None:
    def refuse(request: Request) -> None:
        request.session["failures"] = request.session.get("failures", 0) + 1
        raise HTTPException(401)

    client = Client(kind)
    client(refuse)
    assert client.response.status_code == 401
    client(refuse)
    assert client(data) == {"failures": 2}

    def fail(request: Request) -> None:
        request.session["failures"] = 9
        raise KeyError

    with pytest.raises(KeyError):
        client(fail)
    assert client(data) == {"failures": 2}


def test_two_middlewares_have_a_session_each(kind: str, host: KvHost) -> None:
    outer, inner = BoltAPI(), BoltAPI()
    store = None if kind == "cookie" else kv.Store()
    seen: list[Any] = []

    @outer.middleware("http")
    async def look(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        seen.append(dict(request.session))
        return response

    outer.add_middleware(SessionMiddleware, "secret", store=store, session_cookie="outer")
    inner.add_middleware(SessionMiddleware, "secret", store=store, session_cookie="inner")
    outer.mount("/sub", inner)

    @inner.get("/")
    async def root(request: Request) -> Any:
        request.session["inner"] = 1
        return request.session

    (route,) = (one for one in outer.routes if one.method == "GET" and one.path == "/sub/")
    route.compile()
    wire = ("GET", "http", "/sub/", "", [], None, {}, b"", "")
    response = run(route.invoke((wire,) * len(route.params)))
    assert [one.partition("=")[0] for one in response.cookies] == ["inner"]
    assert seen == [{}] and response.body == b'{"inner":1}'


def test_reading_without_middleware(kind: str, host: KvHost) -> None:
    client = Client(kind)
    client(put("a", 1))
    store = None if kind == "cookie" else kv.Store()
    sent = [("cookie", client.cookie)]
    request = Request(("GET", "http", "/", "", sent, None, {}, b"", ""))
    found = run(SessionMiddleware("secret", store=store).load(request))
    assert found == {"a": 1} and type(found) is Session
    with pytest.raises(AttributeError, match="no SessionMiddleware is around this handler"):
        request.session  # noqa: B018
    wire = ("GET", "ws", "/", "", sent, None, {}, None, "")
    with pytest.raises(AttributeError, match=r"SessionMiddleware\(...\)\.load\(websocket\)"):
        WebSocket(wire).session  # noqa: B018
    assert run(SessionMiddleware("secret", store=store).load(WebSocket(wire))) == {"a": 1}


def test_other_classes_are_refused() -> None:
    class Asgi:
        def __init__(self, app: Any) -> None: ...

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    for cls in (Asgi, int, object, SessionMiddleware("a"), lambda: 1):
        with pytest.raises(TypeError, match="is no middleware class of bolt"):
            BoltAPI().add_middleware(cls)
