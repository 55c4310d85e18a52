"""What a customer writes: prices of orders, and a page of it."""

from bolt import BoltAPI, HTTPException, Struct

api = BoltAPI(title="Discounts")


class Line(Struct):
    item: str
    amount: int
    price: float


@api.post("/total")
def total(lines: list[Line], customer: str = "") -> float:
    if not lines:
        raise HTTPException(400, "an order has lines")
    whole = sum(line.amount * line.price for line in lines)
    return round(whole * (0.9 if customer == "regular" else 1), 2)


@api.get("/")
async def about() -> dict[str, str]:
    return {"plugin": "discount"}
