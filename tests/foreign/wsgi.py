"""An app of WSGI and nothing else."""

from itertools import count
from typing import Any

from flask import Flask

app = Flask(__name__)
calls = count(1)


@app.route("/<path:rest>")
def answer(rest: str) -> dict[str, Any]:
    return {"wsgi": rest, "call": next(calls)}
