"""What the test client writes for the sandbox, run by a Python that lacks what tests import."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from bolt._testing.errors import ServerError
from bolt._testing.modules import find_app, is_for_tests, root_of
from bolt._testing.sandboxed import arguments, is_plain, write_app
from bolt._testing.server_log import ServerLog

# The overrides' results, in a process that has no pytest and no test client.
RUN = """
import json, sys
for missing in ("pytest", "httpx", "bolt.testing", "bolt.testclient"):
    sys.modules[missing] = None
import bolt_under_test
found = [override() for override in bolt_under_test.api.dependency_overrides.values()]
print(json.dumps(found, default=str))
"""
APP = """
    from enum import Enum
    from bolt import BoltAPI, Struct
    class Color(Enum):
        RED = 1
    class User(Struct):
        name: str
    class Auth:
        def __init__(self, name="real"):
            self.name = name
        def __call__(self):
            return self.name
    def one(): ...
    def two(): ...
    auth = Auth()
    api = BoltAPI()
"""
Project = Callable[..., list[ModuleType]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Writes files and imports the modules of some of them."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(files: dict[str, str], *names: str) -> list[ModuleType]:
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(dedent(text))
        importlib.invalidate_caches()
        return [importlib.import_module(name) for name in names]

    yield make  # type: ignore[misc]
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def results(app: object, place: Path, program: str = RUN) -> object:
    write_app(app, place)  # type: ignore[arg-type]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place,
        env={"PYTHONPATH": f"{place}:{Path(__file__).parents[1]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # Functions of the test file, and what they need.
        ("RATE = 2\ndef double(x): return x * RATE\ndef fake(): return double(4)\nset(fake)", 8),
        ("class Fake:\n    def __new__(cls): return 'made'\nset(Fake)", "made"),
        ("import shop as s\ndef fake(): return s.User(name='a').name\nset(fake)", "a"),
        ("from shop import User as U\ndef fake() -> 'U': return U(name='b').name\nset(fake)", "b"),
        ("from math import *\ndef fake(): return floor(2.5)\nset(fake)", 2),
        ("import os.path\ndef fake(): return os.path.join('a', 'b')\nset(fake)", "a/b"),
        ("try:\n    import nope\nexcept ImportError:\n    nope = 7\nset(lambda: nope)", 7),
        (
            "count = 0\ndef fake():\n    global count\n    count += 1\n    return count\nset(fake)",
            1,
        ),
        # What changes a name belongs to it; what uses it does not.
        ("seen = [1]\nseen.append(2)\nseen[0] = 3\nclient = TestClient\nset(lambda: seen)", [3, 2]),
        ("def fake(client=1): return client\nclient = TestClient\nset(fake)", 1),
        ("def keep(f): return lambda: f() + 1\n@keep\ndef fake(): return 1\nset(fake)", 2),
        # Lambdas, also several on a line, and nested functions with the values around them.
        ("for f in (lambda: 1, lambda: 2, lambda: 'a\\nb'):\n    set(f)", "a\nb"),
        ("def make(x):\n    return lambda: x + 1\nset(make(2))", 3),
        (
            "def make(text, user):\n    @keep\n    def fake():\n"
            "        '''Docs.\n\n        More.'''\n"
            "        return f'{text}{user.name}'\n    return fake\ndef keep(f): return f\n"
            "set(make('''two\nlines''', shop.User(name='c')))",
            "two\nlinesc",
        ),
        ("def make(f):\n    return lambda: f()\nset(make(lambda: 'inner'))", "inner"),
        (
            "def make(n):\n    def fake(k=n): return fake(k - 1) if k else n\n    return fake\n"
            "set(make(3))",
            3,
        ),
        # Values.
        (
            "import datetime, decimal, uuid\nd = datetime.datetime(2026, 1, 2)\n"
            "def make(*v): return lambda: [str(x) for x in v]\n"
            "set(make(d, d.date(), decimal.Decimal('1.50'), uuid.UUID(int=1), (1,), {2}, "
            "{'a': [b'x']}, shop.Color.RED, float('inf'), None))",
            [
                "2026-01-02 00:00:00",
                "2026-01-02",
                "1.50",
                "00000000-0000-0000-0000-000000000001",
                "(1,)",
                "{2}",
                "{'a': [b'x']}",
                "Color.RED",
                "inf",
                "None",
            ],
        ),
        # Objects with a global name, their methods, and partial functions.
        ("fake = shop.Auth('object')\nset(fake)", "object"),
        ("fake = shop.Auth('method')\nset(fake.__call__)", "method"),
        ("import functools\nset(functools.partial(dict, [('a', 1)], b=2))", {"a": 1, "b": 2}),
        ("set(shop.auth)", "real"),
        ("set(dict)", {}),
    ],
)
def test_an_override_runs_without_the_modules_of_tests(
    source: str, expected: object, project: Project, tmp_path: Path
) -> None:
    head = "import pytest\nimport shop\nfrom bolt.testing import TestClient\n"
    head += "def set(f):\n    shop.api.dependency_overrides[shop.one] = f\n"
    shop, _ = project({"shop.py": APP, "test_it.py": head + source}, "shop", "test_it")
    assert results(shop.api, tmp_path / "place") == [expected]


def test_overrides_of_one_file_share_its_globals(project: Project, tmp_path: Path) -> None:
    test = """
        import pytest
        import shop
        store = []
        def first():
            store.append(1)
            return len(store)
        shop.api.dependency_overrides = {shop.one: first, shop.auth: lambda: len(store) + 10}
    """
    shop, _ = project({"shop.py": APP, "test_it.py": test}, "shop", "test_it")
    assert results(shop.api, tmp_path / "place") == [1, 11]


def test_overrides_of_mounted_applications_are_theirs(project: Project, tmp_path: Path) -> None:
    outer = "from bolt import BoltAPI\nimport shop\napi = BoltAPI()\napi.mount('/shop', shop.api)\n"
    test = """
        import outer, shop
        shop.api.dependency_overrides = {shop.one: lambda: "mounted"}
    """
    found, _ = project({"shop.py": APP, "outer.py": outer, "test_it.py": test}, "outer", "test_it")
    assert not is_plain(found.api)
    assert results(found.api, tmp_path / "place") == []
    inner = RUN.replace("bolt_under_test.api.", "bolt_under_test.api.mounted[0][1].")
    assert results(found.api, tmp_path / "other", inner) == ["mounted"]


def test_modules_beside_the_app_and_beside_the_tests_are_there(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = tmp_path / "tests"
    monkeypatch.syspath_prepend(tests)
    files = {
        "src/pack/__init__.py": "",
        "src/pack/main.py": APP,
        "src/.hidden/x.py": "",
        "tests/fakes.py": "def fake(): return 'beside the tests'",
        "tests/test_it.py": """
            import fakes
            import pytest
            from pack import main
            def other(): return fakes.fake() + '!'
            main.api.dependency_overrides = {main.one: fakes.fake, main.two: other}
        """,
    }
    monkeypatch.syspath_prepend(tmp_path / "src")
    main, _ = project(files, "pack.main", "test_it")
    place = tmp_path / "place"
    assert results(main.api, place) == ["beside the tests", "beside the tests!"]
    assert {path.name for path in place.iterdir()} >= {"pack", "fakes.py", "bolt_under_test.py"}
    assert not (place / ".hidden").exists()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lambda: pytest.approx(1)", "the module pytest, which an override in test_it uses, is"),
        ("lambda: TestClient", "the module bolt.testing, which an override in test_it uses"),
        ("make(iter([1]))", "make.<locals>.<lambda> uses thing: <list_iterator"),
        ("make(open(__file__))", "cannot be sent to the sandbox: an override runs in the sandbox"),
        ("lambda: conftest.x", "the module conftest is for tests"),
        ("eval('lambda: 1')", "the source of <lambda> is not in test_it"),
    ],
)
def test_what_the_sandbox_cannot_have_is_refused(
    override: str, said: str, project: Project, tmp_path: Path
) -> None:
    test = f"""
        import conftest
        import pytest
        import shop
        from bolt.testing import TestClient
        def make(thing): return lambda: thing
        shop.api.dependency_overrides = {{shop.one: {override}}}
    """
    files = {"shop.py": APP, "conftest.py": "x = 1", "test_it.py": test}
    shop, _ = project(files, "shop", "test_it")
    with pytest.raises(ServerError) as raised:
        write_app(shop.api, tmp_path / "place")
    assert said in str(raised.value)


def test_the_module_that_makes_the_app_is_found(project: Project, tmp_path: Path) -> None:
    files = {
        "routes.py": "from bolt import Router\nr = Router()\n@r.get('/')\ndef index(): ...",
        "app.py": "import routes\nfrom bolt import BoltAPI\ndef make():\n    return BoltAPI()\n"
        "api = make()\napi.include_router(routes.r)",
        "wsgi.py": "from app import api as application",
        "test_it.py": "import pytest\nfrom wsgi import application\nalias = application",
        "pack/__init__.py": "from .main import app",
        "pack/main.py": "from bolt import BoltAPI\napp = BoltAPI()",
        "plain/api.py": "from bolt import BoltAPI\napi = BoltAPI()",
    }
    _, test, pack, plain = project(files, "wsgi", "test_it", "pack", "plain.api")
    app = test.alias
    assert (find_app(app)[0].__name__, find_app(app)[1]) == ("app", "api")
    assert is_plain(app) and arguments(app) == [str(tmp_path / "app.py"), "--app=app:api"]
    assert arguments(pack.app) == [str(tmp_path / "pack/main.py"), "--app=pack.main:app"]
    assert root_of(pack) == root_of(plain) == tmp_path
    # A folder that is no package: bolt-host would begin imports in it.
    assert arguments(plain.api) == [
        str(tmp_path / "plain/api.py"),
        "--app=plain.api:api",
        f"--root={tmp_path}",
    ]
    assert is_for_tests(test) and not is_for_tests(pack)
    from bolt import BoltAPI

    with pytest.raises(ServerError, match="give TestClient the path of its file"):
        find_app(BoltAPI())


def test_an_app_in_a_test_file_has_its_routes(project: Project, tmp_path: Path) -> None:
    test = """
        import pytest
        from bolt import BoltAPI, Router
        from bolt.testing import TestClient
        api = BoltAPI()
        router = Router()
        @router.get("/in-router")
        def in_router(): ...
        @api.get("/")
        def index(): ...
        api.include_router(router)
        client = TestClient
        def test_it(): client(api)
    """
    (module,) = project({"test_it.py": test}, "test_it")
    place = tmp_path / "place"
    write_app(module.api, place)
    program = """
import sys
sys.modules["pytest"] = sys.modules["bolt.testing"] = None
from bolt_under_test import api
print([route.path for route in api.routes])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place,
        env={"PYTHONPATH": f"{place}:{Path(__file__).parents[1]}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['/', '/in-router']"


# The log.

HUMAN = """\
  GET  /broken  def broken  app.py:6
2026-11-30T08:59:14.1Z  INFO bolt_host::http::server: each worker keeps 9488 connections open
listening on http://127.0.0.1:8391
2026-11-30T08:59:14.1Z ERROR guest: of another request app="app" request=1 stream="error" cut=false
2026-11-30T08:59:14.1Z  INFO access: request=1 method="GET" path="/other" status=500 ms=1 bytes=34
2026-11-30T08:59:14.1Z ERROR guest: about to fail app="app" request=2 logger="shop" extra={"a":1}
  | Traceback (most recent call last):
  | KeyError: 1
2026-11-30T08:59:14.1Z  INFO guest: printed app="app" request=2 stream="stdout"
2026-11-30T08:59:14.1Z ERROR guest: Traceback (most recent call last):
  |   File "/0/app.py", line 7, in a
  | in between
  | ValueError: two
  | lines request=9 app="app" request=2 stream="error"
2026-11-30T08:59:14.1Z  INFO access: request=2 app="a" method="GET" path="/broken" status=500 ms=1
2026-11-30T08:59:14.1Z ERROR bolt_host::http::pipeline: the instance trapped request=3
2026-11-30T08:59:14.1Z  INFO access: request=3 method="GET" path="/trap" status=500 ms=1 bytes=34
2026-11-30T08:59:14.1Z  INFO access: request=4 method="GET" path="/meant" status=500 ms=1 bytes=34
"""
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/0/app.py", line 7, in a\nin between\n'
    "ValueError: two\nlines request=9"
)


def lines_of(text: str) -> ServerLog:
    log = ServerLog()
    for line in text.splitlines():
        log.add(line)
    return log


def test_the_error_of_a_request_is_found_in_the_log() -> None:
    log = lines_of(HUMAN)
    assert log.failure("GET", "/broken", 0) == TRACEBACK
    assert log.failure("GET", "/other", 0) == "of another request"
    assert log.failure("GET", "/trap", 0) == "the instance trapped"
    assert log.failure("GET", "/meant", 0) is None
    # Only what was written since then counts.
    assert log.failure("GET", "/broken", len(HUMAN.splitlines())) is None
    assert str(log) == HUMAN.rstrip("\n")


def test_the_error_of_a_request_is_found_in_a_log_of_json() -> None:
    lines = [
        {"level": "ERROR", "message": "logged", "request": 2, "logger": "x", "target": "guest"},
        {"level": "ERROR", "message": "failed", "request": 2, "target": "guest"},
        {"level": "ERROR", "message": "outside of requests", "target": "guest"},
        {"level": "INFO", "request": 2, "method": "GET", "path": "/é", "status": 500}
        | {"target": "access"},
    ]
    log = lines_of("\n".join(["{ not JSON", *map(json.dumps, lines)]))
    assert log.failure("GET", "/é", 0) == "failed"
    # A response that broke off has the status that it began with.
    lines[-1]["status"] = 200
    assert lines_of("\n".join(map(json.dumps, lines))).failure("GET", "/é", 0, 200) == "failed"


def test_the_error_of_a_message_has_no_access_line_and_belongs_to_its_websocket() -> None:
    error = '2026-11-30T08:59:14.1Z ERROR guest: {} request={} stream="error"\n'
    access = '2026-11-30T08:59:14.1Z  INFO access: request={} method="GET" path="{}" status={}\n'
    lines = (
        error.format("of a message", 5)
        + error.format("of another request", 6)
        + access.format(6, "/broken", 500)
        + access.format(4, "/chat", 101)
        + access.format(7, "/meant", 500)
    )
    assert lines_of(lines).failure("GET", "/chat", 0, 101) == "of a message"
    assert lines_of(lines).failure("GET", "/meant", 0) is None
    assert lines_of(lines).failure("GET", "/chat", 1, 101) is None
    lines = error.format("of its own", 4) + lines
    assert lines_of(lines).failure("GET", "/chat", 0, 101) == "of its own"


def test_without_an_access_log_the_last_error_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bolt._testing.server_log._PATIENCE", 0.01)
    kept = [line for line in HUMAN.splitlines() if " access: " not in line]
    assert lines_of("\n".join(kept[:-1])).failure("GET", "/", 0) == TRACEBACK
    assert lines_of("").failure("GET", "/", 0) is None
