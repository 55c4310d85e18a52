"""Tests of an app that only includes routers, with overrides that this file defines."""

import functools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from bolt import BoltAPI, Header
from bolt.testing import HandlerError, ServerError, TestClient
from store.main import api
from store.routers import items
from store.routers.items import Prices, User, current_user

RATE = 3
CLOCK: list[float] = []


class Doubled(Prices):
    def price(self, item: str) -> int:
        return RATE * super().price(item)


def an_admin(x_name: str = Header("Ada")) -> User:
    """It takes parameters of its own."""
    return User(name=x_name, admin=True)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(api) as client:
        yield client


@pytest.fixture
def overrides() -> Iterator[dict[Any, Any]]:
    yield api.dependency_overrides
    api.dependency_overrides = {}


def test_an_app_that_only_includes_routers_is_found(client: TestClient) -> None:
    assert client.get("/items/pen").json() == {"price": 3, "user": "nobody", "admin": False}


def test_overrides_may_be_functions_and_classes_of_the_test_file(overrides: Any) -> None:
    overrides[current_user] = an_admin
    overrides[items.prices] = Doubled
    with TestClient(api) as client:
        answer = client.get("/items/pen", headers={"x-name": "Eve"})
        assert answer.json() == {"price": 9, "user": "Eve", "admin": True}


def test_overrides_may_be_lambdas_and_nested_functions_with_values(overrides: Any) -> None:
    user = User(name="Bo")

    def cheap() -> Prices:
        class Cheap(Prices):
            def price(self, item: str) -> int:
                return RATE + len(user.name)

        return Cheap()

    overrides[current_user], overrides[items.prices] = lambda: user, cheap
    with TestClient(api) as client:
        assert client.get("/items/pen").json() == {"price": 5, "user": "Bo", "admin": False}


def test_overrides_may_be_partial(overrides: Any) -> None:
    overrides[current_user] = functools.partial(User, name="Part", admin=True)
    with TestClient(api) as client:
        assert client.get("/items/pen").json()["user"] == "Part"


def test_overrides_that_change_apply_to_the_next_request(overrides: Any) -> None:
    with TestClient(api) as client:
        assert client.get("/items/pen").json()["user"] == "nobody"
        overrides[current_user] = an_admin
        assert client.get("/items/pen").json()["user"] == "Ada"
        overrides.clear()
        assert client.get("/items/pen").json()["user"] == "nobody"


def test_an_override_that_the_sandbox_cannot_have_is_refused(overrides: Any) -> None:
    overrides[current_user] = lambda: CLOCK.append(pytest.approx(1)) or time.time()
    with pytest.raises(ServerError, match="the module pytest, which an override in test_store"):
        TestClient(api)
    place = iter([1])
    overrides[current_user] = lambda: next(place)
    with pytest.raises(ServerError, match="uses place: .* cannot be sent to the sandbox"):
        TestClient(api)


def test_an_exception_of_a_handler_is_raised_with_its_traceback(client: TestClient) -> None:
    with pytest.raises(HandlerError) as raised:
        client.get("/items/broken/def?x=1")
    text = str(raised.value)
    assert text.startswith("GET /items/broken/def: Traceback (most recent call last):\n"), text
    assert "store/routers/items.py" in text and text.endswith("KeyError: 'missing'"), text
    assert raised.value.response.status_code == 500
    with pytest.raises(HandlerError, match='(?s)a "quoted"\n *text, request=1$'):
        client.get("/items/broken/async")


def test_a_500_that_the_app_means_is_a_response(client: TestClient) -> None:
    assert client.get("/items/refused/meant").json() == {"meant": True}
    with TestClient(api, raise_server_exceptions=False) as lenient:
        answer = lenient.get("/items/broken/def")
        assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error"})


def test_an_exception_is_found_in_every_form_of_the_log() -> None:
    for flags in (["--log-format=json"], ["--log-format=off"]):
        with TestClient(api, flags=flags) as client, pytest.raises(HandlerError, match="'missing'"):
            client.get("/items/broken/def")


def test_redirects_are_followed(client: TestClient) -> None:
    answer = client.get("/items/moved/there")
    assert (answer.status_code, answer.json()) == (200, "here")
    assert client.get("/items/moved/there", follow_redirects=False).status_code == 307


own = BoltAPI()
NAMES = ["first"]
NAMES.append("second")


@own.get("/names")
def names() -> list[str]:
    return NAMES


def test_an_app_may_be_part_of_the_test_file() -> None:
    with TestClient(own) as client:
        assert client.get("/names").json() == ["first", "second"]
