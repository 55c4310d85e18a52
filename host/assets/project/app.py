"""A web app: `bolt-host dev app.py`, then http://127.0.0.1:8000/docs."""

from typing import Annotated

from bolt import BoltAPI, Query, Struct

api = BoltAPI(title="{{name}}")


class Greeting(Struct):
    message: str


@api.get("/")
def greet(name: Annotated[str, Query(min_length=1, max_length=50)] = "world") -> Greeting:
    return Greeting(message=f"hello {name}")
