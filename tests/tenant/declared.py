"""A tenant that declares types and answers with values that cost the host much work."""

from enum import Enum
from typing import Annotated, Any, Literal

from bolt import Body, BoltAPI, Field, Form, Query, Struct

api = BoltAPI(title="Declared")

MANY = tuple(f"value-{number}" for number in range(4000))
SHARED = [[number] for number in range(50_000)]

Many = Literal[MANY]
Level = Enum("Level", {f"L{number}": number for number in range(4000)})
Few = Literal[tuple(f"choice-{number}" for number in range(30))]
Slow = Annotated[str, Field(pattern="(?:x+x+){2500}y")]
Word = Annotated[str, Field(pattern=r"\b(?:x+x+){2500}y")]
FIELDS = [f"f{number}" for number in range(1000)]
Wide = type(
    "Wide",
    (Struct,),
    {"__annotations__": dict.fromkeys(FIELDS, int | None), **dict.fromkeys(FIELDS)},
)


class Node(Struct):
    next: "Node | list[Node] | dict[str, Node] | None" = None
    value: int | str | None = None


@api.get("/probe")
def probe() -> str:
    return "here"


@api.post("/many")
def many(body: Annotated[list[Many], Body()]) -> int:
    return len(body)


@api.post("/level")
def level(body: Annotated[list[Level], Body()]) -> int:
    return len(body)


@api.post("/few")
def few(body: Annotated[list[Few], Body()]) -> int:
    return len(body)


@api.post("/pattern")
def pattern(body: Annotated[list[Slow], Body()]) -> int:
    return len(body)


@api.post("/word")
def word(body: Annotated[list[Word], Body()]) -> int:
    return len(body)


@api.post("/wide")
def wide(body: Annotated[list[Wide], Body()]) -> int:
    return len(body)


@api.post("/union")
def union(body: Node) -> bool:
    return body.next is None


@api.post("/any")
def anything(body: Annotated[Any, Body()]) -> bool:
    return body is None


@api.post("/form")
def form(names: Annotated[list[str], Form()]) -> int:
    return len(names)


@api.get("/query")
def query(names: Annotated[list[Many], Query()]) -> int:
    return len(names)


@api.get("/shared")
def shared() -> Any:
    return [SHARED, list(SHARED)]


@api.get("/numbers")
def numbers() -> list[int]:
    return list(range(400_000))
