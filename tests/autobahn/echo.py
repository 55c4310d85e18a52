"""The app of the WebSocket conformance suite, which opens the path `/`."""

from bolt import BoltAPI, WebSocket

api = BoltAPI()


@api.websocket("/")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") is not None:
            await socket.send_text(message["text"])
        else:
            await socket.send_bytes(message["bytes"])
