"""What componentize-py generates from `wit/bolt.wit`, for the type checker."""

from dataclasses import dataclass

@dataclass
class Published_Id:
    value: int

@dataclass
class Published_Refused:
    value: str

Published = Published_Id | Published_Refused

@dataclass
class Event_Pending: ...

@dataclass
class Event_Data:
    value: tuple[int, str, str]

@dataclass
class Event_Missed:
    value: int

Event = Event_Pending | Event_Data | Event_Missed

def publish(topic: str, kind: str, data: str) -> Published: ...
def subscribe(topic: str, after: int | None) -> int: ...
def next(subscription: int) -> Event: ...
def unsubscribe(subscription: int) -> None: ...
def join(request: int, topic: str) -> bool: ...
def leave(request: int, topic: str) -> None: ...
def news() -> list[int]: ...
