"""Tests, against the shop in its sandbox: see README.md for how to run them."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from bolt.testing import TestClient
from models import Base
from sqlalchemy import create_engine, inspect

HERE = Path(__file__).parent
ADMIN = {"authorization": "Bearer open sesame"}
GLOBE = 3


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database that all files in `migrations` were applied to."""
    path = tmp_path / "shop.db"
    program = os.environ.get("BOLT_HOST", "bolt-host")
    grant = f"--sql=main=sqlite:{path}"
    subprocess.run([program, "migrate", HERE / "migrations", grant], check=True)
    return path


@pytest.fixture
def client(database: Path) -> Iterator[TestClient]:
    flags = [
        f"--sql=main=sqlite:{database}",
        f"--kv=main={database.with_suffix('.kv')}",
        "--env=ADMIN_TOKEN=open sesame",
        "--env=SESSION_SECRET=for tests",
        # An interpreter that serves the source imports SQLAlchemy anew, which takes seconds.
        "--build=first",
        "--workers=2",
    ]
    with TestClient(HERE / "app.py", flags=flags) as client:
        yield client


def choose(client: httpx.Client, product: int, quantity: int = 1) -> httpx.Response:
    return client.put(f"/cart/{product}", json={"quantity": quantity})


def stock(client: httpx.Client, product: int) -> int:
    found: int = client.get(f"/products/{product}").json()["stock"]
    return found


def test_models_are_as_the_migrations_have_made_the_tables(database: Path) -> None:
    made = inspect(create_engine(f"sqlite:///{database}"))
    for table in Base.metadata.sorted_tables:
        columns = {column["name"]: column["nullable"] for column in made.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}


def test_a_cart_is_the_clients_own(client: TestClient) -> None:
    choose(client, 1, 2)
    pens = {"product": 1, "name": "Pen", "quantity": 2, "price": 250}
    globe = {"product": GLOBE, "name": "Globe", "quantity": 1, "price": 8900}
    assert choose(client, GLOBE).json() == {"items": [pens, globe], "total": 9400}
    assert choose(client, 1, 0).json() == {"items": [globe], "total": 8900}
    assert client.get("/cart").json()["items"] == [globe]
    with httpx.Client(base_url=client.base_url) as other:
        assert other.get("/cart").json() == {"items": [], "total": 0}
    assert choose(client, 99).status_code == 404
    assert choose(client, 1, -1).status_code == 422


def test_an_order_takes_the_stock_down(client: TestClient) -> None:
    choose(client, 1, 2)
    answer = client.post("/orders")
    assert answer.status_code == 201
    order = answer.json()
    assert (order["items"][0]["quantity"], order["total"]) == (2, 500)
    assert stock(client, 1) == 38
    assert client.post("/orders").json() == {"detail": "the cart is empty"}
    # The price of that day.
    client.patch("/products/1", json={"price": 1}, headers=ADMIN)
    assert client.get(f"/orders/{order['number']}").json() == order
    assert client.get("/orders/1").status_code == 404


def test_all_of_a_cart_is_sold_or_nothing(client: TestClient) -> None:
    choose(client, 1)
    choose(client, GLOBE, 2)
    answer = client.post("/orders")
    assert answer.status_code == 409
    assert answer.json() == {"detail": "Globe: 2 are wanted, and 1 are left"}
    assert (stock(client, 1), stock(client, GLOBE)) == (40, 1)
    assert len(client.get("/cart").json()["items"]) == 2
    client.delete(f"/products/{GLOBE}", headers=ADMIN)
    assert client.post("/orders").json() == {"detail": "a product is not sold any more"}


def test_the_last_one_is_sold_once(client: TestClient) -> None:
    def buy(_: int) -> int:
        with httpx.Client(base_url=client.base_url, timeout=60) as buyer:
            choose(buyer, GLOBE)
            return buyer.post("/orders").status_code

    with ThreadPoolExecutor(10) as threads:
        assert sorted(threads.map(buy, range(10))) == [201] + [409] * 9
    assert stock(client, GLOBE) == 0


def test_only_the_admin_changes_products(client: TestClient) -> None:
    new = {"name": "Ruler", "price": 300, "stock": 5}
    assert client.post("/products", json=new).status_code == 401
    wrong = {"authorization": "Bearer please"}
    assert client.post("/products", json=new, headers=wrong).status_code == 403
    ruler = client.post("/products", json=new, headers=ADMIN)
    assert (ruler.status_code, ruler.json()) == (201, {"id": 4, **new})
    assert client.post("/products", json=new, headers=ADMIN).status_code == 409
    none = {"stock": -1}
    assert client.patch("/products/4", json=none, headers=ADMIN).status_code == 422
    assert client.delete("/products/4", headers=ADMIN).status_code == 204
    choose(client, 1)
    client.post("/orders")
    # It is in an order.
    assert client.delete("/products/1", headers=ADMIN).status_code == 409
    names = [product["name"] for product in client.get("/products?stock__gt=1").json()]
    assert names == ["Pen", "Notebook"]
