"""A project's tests, as its authors would write them."""

from collections.abc import Iterator
from pathlib import Path

import fakes
import pytest
import shop
from bolt.testing import ServerError, TestClient


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(shop.api) as client:
        yield client


def test_requests_are_answered_by_the_sandbox(client: TestClient) -> None:
    reply = client.post("/items", json={"name": "pen"})
    assert (reply.status_code, reply.json()) == (201, {"name": "pen", "price": 1.0})
    assert client.get("/items").json() == ["pen"]
    # This process has its own copy of the module.
    assert shop.SOLD == []


def test_errors_come_as_answers_and_tracebacks_in_the_log() -> None:
    with TestClient(shop.api, raise_server_exceptions=False) as client:
        assert client.post("/items", json={"name": "pen", "price": -1}).status_code == 400
        assert client.get("/broken").status_code == 500
        # Written before the response, and read by another thread.
        for _ in range(100):
            if "ZeroDivisionError" in client.log:
                break
            client.get("/store")
        assert "ZeroDivisionError" in client.log


def test_an_app_may_answer_what_the_host_refuses(client: TestClient) -> None:
    wrong = {"wrong": ["body.name"], "path": "/items"}
    for body in ({}, {"name": "sword"}):
        reply = client.post("/items", json=body)
        assert (reply.status_code, reply.json()) == (400, wrong)
    lost = client.get("/nowhere?x=1")
    assert (lost.status_code, lost.json()) == (404, {"lost": "/nowhere", "detail": "Not Found"})
    assert client.put("/items").json() == {"detail": "Method Not Allowed"}


def test_handlers_are_plain_functions() -> None:
    assert shop.which("here") == "here"


def test_dependencies_can_be_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shop.api.dependency_overrides, shop.store, fakes.fake_store)
    with TestClient(shop.api) as client:
        assert client.get("/store").json() == "a fake store"


def test_a_file_is_served_and_a_broken_one_says_why(tmp_path: Path) -> None:
    with TestClient(Path(shop.__file__), flags=["--instances=2"]) as client:
        assert client.get("/store").json() == "the real store"
    broken = tmp_path / "broken.py"
    broken.write_text("from bolt import BoltAPI\napi = BoltAPI(\n")
    with pytest.raises(ServerError, match="SyntaxError"):
        TestClient(broken)
