"""Tests: `pip install pytest httpx`, then `PYTHONPATH=$(bolt-host sdk) pytest`."""

from collections.abc import Iterator

import app
import pytest
from bolt.testing import TestClient


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app.api) as client:
        yield client


def test_greeting(client: TestClient) -> None:
    assert client.get("/").json() == {"message": "hello world"}
    assert client.get("/", params={"name": "Ada"}).json() == {"message": "hello Ada"}


def test_an_empty_name_is_refused(client: TestClient) -> None:
    reply = client.get("/", params={"name": ""})
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["type"] == "string_too_short"


def test_handlers_are_plain_functions() -> None:
    assert app.greet("you").message == "hello you"
