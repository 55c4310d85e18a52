"""Routes that take one value of a type each: unions, and what they are made of."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from framework import APIRouter, Body, Field, File, Form, Struct, TypedDict, UploadFile

router = APIRouter()


class Shade(Enum):
    RED = "red"
    ONE = 1


class Word(str, Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Dog(Struct):
    name: str
    age: int = 1


class Cat(Struct):
    name: str
    lives: int = 9
    color: str = "x"


@dataclass
class Plain:
    name: str
    n: int = 0


class Keys(TypedDict, total=False):
    name: str
    age: int


class Pair(NamedTuple):
    name: str
    n: int = 0


Positive = Annotated[int, Field(ge=5)]

TYPES: dict[str, Any] = {
    "int-str": int | str,
    "float-int": float | int,
    "int-float": int | float,
    "bool-int": bool | int,
    "int-bool": int | bool,
    "decimal-float": Decimal | float,
    "float-decimal": float | Decimal,
    "shade-str": Shade | str,
    "word-str": Word | str,
    "number-int": Number | int,
    "number-float": Number | float,
    "shade-str-int": Shade | str | int,
    "dog-dict": Dog | dict[str, Any],
    "dict-dog": dict[str, Any] | Dog,
    "dog-cat": Dog | Cat,
    "cat-dog": Cat | Dog,
    "plain-dog": Plain | Dog,
    "dog-plain": Dog | Plain,
    "keys-dog": Keys | Dog,
    "dog-keys": Dog | Keys,
    "pair-dog": Pair | Dog,
    "dog-pair": Dog | Pair,
    "dict-int-dog": dict[str, int] | Dog,
    "dog-list": Dog | list[Dog],
    "list-int-str": list[int] | list[str],
    "set-list": set[int] | list[int],
    "tuple-list": tuple[int, int] | list[int],
    "many-list": tuple[int, ...] | list[str],
    "date-datetime": date | datetime,
    "datetime-str": datetime | str,
    "uuid-str": UUID | str,
    "literal-bool": Literal[1] | bool,
    "literal-str": Literal["a", "it's"] | str,
    "dogs-cats": list[Dog] | list[Cat],
    "list-dog-cat": list[Dog | Cat],
    "dict-dogs-cats": dict[str, Dog] | dict[str, Cat],
    "positive-str": Positive | str,
    "dog-none-int": Dog | None | int,
    "bytes-decimal": bytes | Decimal,
    "date-float": date | float,
    "list-nullable": list[int | None] | int,
    "list-union": list[int | str] | int,
    "dict-int-list": dict[int, list[Dog]] | int,
    "frozenset": frozenset[str] | int,
    "optional-list": list[int] | None,
    "plain": Plain,
    "keys": Keys,
    "pair": Pair,
    "pairs": list[Pair],
    "literal": Literal[1, "1", 2],
    "literal-true": Literal["a", True],
    "nested": list[Dog | Cat] | dict[str, int | str] | None,
    "datetime": datetime,
    "date": date,
}


def shown(value: Any) -> Any:
    """A value with its class, so that 1, True and 1.0 differ."""
    if isinstance(value, list | tuple | set | frozenset):
        parts = [shown(item) for item in value]
        is_set = isinstance(value, set | frozenset)
        return [type(value).__name__, *(sorted(parts, key=repr) if is_set else parts)]
    if isinstance(value, dict):
        return ["dict", {str(key): shown(item) for key, item in value.items()}]
    if isinstance(value, Dog | Cat | Plain):
        return [type(value).__name__, {name: shown(item) for name, item in vars_of(value).items()}]
    if isinstance(value, datetime):
        offset = value.utcoffset()
        seconds = None if offset is None else offset.total_seconds()
        return ["datetime", value.replace(tzinfo=None).isoformat(), seconds]
    kind = type(value).__name__
    return [kind, value.decode() if isinstance(value, bytes) else str(value)]


def vars_of(value: Any) -> dict[str, Any]:
    names = {"Dog": ["name", "age"], "Cat": ["name", "lives", "color"], "Plain": ["name", "n"]}
    return {name: getattr(value, name) for name in names[type(value).__name__]}


def take(kind: Any) -> Any:
    def handler(v: Annotated[kind, Body(embed=True)]) -> Any:
        return {"seen": shown(v)}

    return handler


for key, kind in TYPES.items():
    router.post(f"/kind/{key}")(take(kind))


@router.get("/kinds")
async def kinds() -> list[str]:
    return list(TYPES)


@router.post("/part/one")
async def part_one(f: UploadFile) -> Any:
    return [f.filename, (await f.read()).decode()]


@router.post("/part/optional")
async def part_optional(f: UploadFile | None = None) -> Any:
    return f and [f.filename, (await f.read()).decode()]


@router.post("/part/many")
async def part_many(f: list[UploadFile]) -> Any:
    return [item.filename for item in f]


@router.post("/part/any")
async def part_any(f: list[UploadFile] = []) -> Any:
    return [item.filename for item in f]


@router.post("/part/bytes")
async def part_bytes(f: Annotated[bytes, File()]) -> Any:
    return f.decode()


@router.post("/part/optional-bytes")
async def part_optional_bytes(f: Annotated[bytes | None, File()] = None) -> Any:
    return None if f is None else f.decode()


@router.post("/part/text")
async def part_text(f: Annotated[str, Form()]) -> Any:
    return f


@router.post("/part/optional-text")
async def part_optional_text(f: Annotated[str | None, Form()] = None) -> Any:
    return f


@router.post("/part/texts")
async def part_texts(f: Annotated[list[str], Form()]) -> Any:
    return f
