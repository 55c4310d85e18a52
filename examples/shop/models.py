"""What the shop keeps in its database. The files in `migrations` make the tables."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Product(Base):
    """price: in cents. stock: how many are left to sell."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    price: Mapped[int] = mapped_column(CheckConstraint("price >= 0"))
    stock: Mapped[int] = mapped_column(CheckConstraint("stock >= 0"))


class Order(Base):
    """number: nobody can guess it, so whoever has it may see the order. placed: in UTC."""

    __tablename__ = "orders"

    number: Mapped[str] = mapped_column(primary_key=True)
    placed: Mapped[datetime] = mapped_column(server_default=func.current_timestamp())
    lines: Mapped[list["Line"]] = relationship(order_by="Line.product_id")


class Line(Base):
    """So many of a product in an order, for the price of that day."""

    __tablename__ = "order_lines"

    order_number: Mapped[str] = mapped_column(ForeignKey(Order.number), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id), primary_key=True)
    quantity: Mapped[int] = mapped_column(CheckConstraint("quantity > 0"))
    price: Mapped[int]
    product: Mapped[Product] = relationship()
