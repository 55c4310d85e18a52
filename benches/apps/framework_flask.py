"""Flask as everybody writes it."""

# mypy: ignore-errors
# What it imports is installed only where it runs.

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}
