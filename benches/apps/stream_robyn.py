"""The WebSocket echo of streams.py for Robyn."""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

import os

from robyn import Robyn

app = Robyn(__file__)


@app.get("/")
def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@app.websocket("/ws")
async def echo(websocket) -> None:
    while True:
        await websocket.send_text(await websocket.receive_text())


if __name__ == "__main__":
    app.start(host="127.0.0.1", port=int(os.environ["PORT"]))
