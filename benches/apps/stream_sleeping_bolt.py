"""The bench app of streams.py for bolt-host with WebSockets that sleep between two messages."""

# mypy: ignore-errors
# Versions of bolt without them are measured too; streams.py leaves this app out then.

from bolt import BoltAPI, SleepingSocket, WebSocketEndpoint

api = BoltAPI()


@api.get("/")
def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@api.websocket("/ws")
class Echo(WebSocketEndpoint):
    async def on_message(self, socket: SleepingSocket, message: str) -> None:
        await socket.send_text(message)
