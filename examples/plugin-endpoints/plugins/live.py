"""What another customer writes: a feed of what is said, as events and over WebSockets."""

from bolt import BoltAPI, EventSourceResponse, SleepingSocket, Topic, WebSocketEndpoint

api = BoltAPI(title="Live")
said = Topic("said")


@api.get("/events")
async def events() -> EventSourceResponse:
    return EventSourceResponse(said)


@api.websocket("/talk")
class Talk(WebSocketEndpoint):
    async def on_connect(self, socket: SleepingSocket) -> None:
        await socket.accept()
        socket.join(said)

    async def on_message(self, socket: SleepingSocket, message: str) -> None:
        await said.publish(message)
