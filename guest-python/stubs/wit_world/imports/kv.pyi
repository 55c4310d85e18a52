"""What componentize-py generates from `wit/bolt.wit`, for the type checker."""

from dataclasses import dataclass

@dataclass
class Outcome_Pending:
    value: int

@dataclass
class Outcome_Done:
    value: bytes

@dataclass
class Outcome_Failed:
    value: str

Outcome = Outcome_Pending | Outcome_Done | Outcome_Failed

def call(request: int, store: str, command: str, arguments: str) -> Outcome: ...
def read(command: int) -> Outcome: ...
def close(command: int) -> None: ...
def wait(command: int) -> None: ...
def news() -> list[int]: ...
