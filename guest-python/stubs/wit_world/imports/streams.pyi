"""What componentize-py generates from `wit/bolt.wit`, for the type checker."""

from dataclasses import dataclass
from enum import Enum

class Taken(Enum):
    MORE = 0
    PAUSE = 1
    FULL = 2
    GONE = 3

@dataclass
class Part_Pending: ...

@dataclass
class Part_Data:
    value: bytes

@dataclass
class Part_End: ...

@dataclass
class Part_Failed:
    value: str

Part = Part_Pending | Part_Data | Part_End | Part_Failed

@dataclass
class Progress:
    request: int
    gone: bool

def open(request: int) -> bool: ...
def write(request: int, chunk: str) -> Taken: ...
def close(request: int, failed: bool) -> None: ...
def read(request: int) -> Part: ...
def wait(request: int) -> None: ...
def news() -> list[Progress]: ...
