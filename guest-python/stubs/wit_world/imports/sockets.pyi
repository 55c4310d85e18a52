"""What componentize-py generates from `wit/bolt.wit`, for the type checker."""

from dataclasses import dataclass

from .streams import Taken

@dataclass
class Message_Pending: ...

@dataclass
class Message_Text:
    value: str

@dataclass
class Message_Binary:
    value: bytes

@dataclass
class Message_Closed:
    value: tuple[int, str]

Message = Message_Pending | Message_Text | Message_Binary | Message_Closed

def open(request: int) -> bool: ...
def send(request: int, binary: bool, data: str) -> Taken: ...
def receive(request: int) -> Message: ...
def close(request: int, code: int, reason: str) -> None: ...
def sleep(request: int) -> None: ...
def attach(request: int, attachment: str) -> bool: ...
