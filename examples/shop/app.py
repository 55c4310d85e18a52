"""A shop: products and orders in a database with SQLAlchemy, and a cart in the session."""

import hmac
import os
import secrets
from datetime import datetime
from typing import Annotated

from bolt import BoltAPI, Depends, Field, HTTPException, Path, Request, Struct, kv
from bolt.security import HTTPAuthorizationCredentials, HTTPBearer
from bolt.sessions import SessionMiddleware
from bolt.sqlalchemy import create_engine
from models import Line, Order, Product
from sqlalchemy import select
from sqlalchemy.orm import Session

api = BoltAPI(
    title="Shop", version="1.0.0", description="Products, a cart for each client, and orders."
)
api.add_middleware(
    SessionMiddleware, secret_key=lambda: os.environ["SESSION_SECRET"], store=kv.Store("main")
)

engine = create_engine("main")
# Such transactions are one after the other, so each finds the stock as the last one has left it.
selling = engine.execution_options(isolation_level="IMMEDIATE")


class Amount(Struct, forbid_unknown=True):
    """What a client wants of a product."""

    quantity: Annotated[int, Field(ge=0, le=100)]


class Item(Struct):
    """So many of a product, and the price of one in cents."""

    product: int
    name: str
    quantity: int
    price: int


class Cart(Struct):
    """What a client has chosen."""

    items: list[Item]
    total: int


class Receipt(Cart):
    """What a client has ordered."""

    number: str
    placed: datetime


class Problem(Struct):
    """The body of an error."""

    detail: str


def admin(found: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> None:
    """Let in who has the operator's token."""
    if not hmac.compare_digest(found.credentials.encode(), os.environ["ADMIN_TOKEN"].encode()):
        raise HTTPException(403, "only the admin may do that")


# Everybody sees the products: GET /products and GET /products/{id}.
api.crud(Product, only=("list", "read"), tags=["products"], filters=("name", "stock__gt"))
api.crud(
    Product,
    only=("create", "update", "delete"),
    tags=["products"],
    dependencies=[Depends(admin)],
)

Id = Annotated[int, Path(ge=1, lt=2**63)]


def chosen(db: Session, cart: dict[str, int]) -> list[tuple[Product, int]]:
    """The products of a cart that are there, each with how many are wanted. No other transaction
    changes them before this one ends, if it writes."""
    products = select(Product).where(Product.id.in_(map(int, cart))).order_by(Product.id)
    # SQLite has no locks of rows, and needs none here. SQLAlchemy leaves this out for it.
    found = db.scalars(products.with_for_update())
    return [(product, cart[str(product.id)]) for product in found]


def total(items: list[Item]) -> int:
    return sum(item.price * item.quantity for item in items)


@api.get("/cart", tags=["cart"])
def show_cart(request: Request) -> Cart:
    with Session(engine) as db:
        items = [
            Item(product=product.id, name=product.name, quantity=quantity, price=product.price)
            for product, quantity in chosen(db, request.session.get("cart", {}))
        ]
    return Cart(items=items, total=total(items))


@api.put("/cart/{product_id}", tags=["cart"], responses={404: {"model": Problem}})
def choose(request: Request, product_id: Id, amount: Amount) -> Cart:
    """So many of a product; 0 takes it out of the cart."""
    with Session(engine) as db:
        if db.get(Product, product_id) is None:
            raise HTTPException(404, f"there is no product {product_id}")
    # The number of the next order. It has one before it is placed, so it is placed once.
    request.session.setdefault("order", secrets.token_urlsafe(16))
    cart: dict[str, int] = request.session.setdefault("cart", {})
    cart[str(product_id)] = amount.quantity
    if amount.quantity == 0:
        del cart[str(product_id)]
    return show_cart(request)


@api.post(
    "/orders",
    status_code=201,
    tags=["orders"],
    responses={400: {"model": Problem}, 409: {"model": Problem}},
)
def place_order(request: Request) -> Receipt:
    """Sell the client all that is in the cart, or nothing: 409 if too few are left."""
    cart: dict[str, int] = request.session.get("cart", {})
    if not cart:
        raise HTTPException(400, "the cart is empty")
    with Session(selling) as db, db.begin():
        lines = chosen(db, cart)
        # A client that has lost the answer sends the request again.
        order = db.get(Order, request.session["order"])
        if order is None:
            order = Order(number=request.session["order"])
            db.add(order)
            if len(lines) < len(cart):
                raise HTTPException(409, "a product is not sold any more")
            for product, quantity in lines:
                if product.stock < quantity:
                    told = f"{product.name}: {quantity} are wanted, and {product.stock} are left"
                    raise HTTPException(409, told)
                product.stock -= quantity
                line = Line(product=product, quantity=quantity, price=product.price)
                order.lines.append(line)
            db.flush()
        placed = receipt(order)
    del request.session["cart"], request.session["order"]
    return placed


def receipt(order: Order) -> Receipt:
    items = [
        Item(
            product=line.product_id,
            name=line.product.name,
            quantity=line.quantity,
            price=line.price,
        )
        for line in order.lines
    ]
    return Receipt(items=items, total=total(items), number=order.number, placed=order.placed)


@api.get("/orders/{number}", tags=["orders"], responses={404: {"model": Problem}})
def show_order(number: str) -> Receipt:
    with Session(engine) as db:
        order = db.get(Order, number)
        if order is None:
            raise HTTPException(404, "there is no such order")
        return receipt(order)
