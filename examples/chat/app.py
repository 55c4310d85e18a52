"""Chat rooms over WebSockets that sleep. Open http://127.0.0.1:8000/ in two windows."""

from typing import Annotated

from bolt import HTML, BoltAPI, EventSourceResponse, Query, SleepingSocket, Topic, WebSocketEndpoint

api = BoltAPI(title="Chat")

PAGE = """<!doctype html>
<title>Chat</title>
<ul id="messages"></ul>
<form id="say"><input id="text" autocomplete="off" autofocus><button>Say</button></form>
<script>
  const name = "guest" + Math.floor(Math.random() * 1000)
  const here = location.href.replace(/^http/, "ws").replace(/[^/]*$/, "")
  const socket = new WebSocket(`${here}rooms/lobby?name=${name}`)
  socket.onmessage = event => {
    const { who, text } = JSON.parse(event.data)
    const line = document.createElement("li")
    line.textContent = `${who}: ${text}`
    document.getElementById("messages").append(line)
  }
  document.getElementById("say").onsubmit = event => {
    event.preventDefault()
    const field = document.getElementById("text")
    socket.send(field.value)
    field.value = ""
  }
</script>
"""

Name = Annotated[str, Query(min_length=1, max_length=30)]


def topic(room: str) -> Topic:
    return Topic(f"room {room}")


@api.get("/", include_in_schema=False)
def page() -> HTML:
    return HTML(PAGE)


@api.websocket("/rooms/{room}")
class Room(WebSocketEndpoint):
    """Between two messages only the host has the socket, and it sends what others say."""

    async def on_connect(self, socket: SleepingSocket, room: str, name: Name) -> None:
        await socket.accept()
        socket.attachment = {"room": room, "name": name}
        socket.join(topic(room))
        await topic(room).publish({"who": name, "text": "joined"})

    async def on_message(self, socket: SleepingSocket, message: str) -> None:
        who, room = socket.attachment["name"], socket.attachment["room"]
        await topic(room).publish({"who": who, "text": message[:1000]})

    async def on_disconnect(self, socket: SleepingSocket, code: int) -> None:
        who, room = socket.attachment["name"], socket.attachment["room"]
        await topic(room).publish({"who": who, "text": "left"})


@api.get("/rooms/{room}/events")
async def events(room: str) -> EventSourceResponse:
    """What is said in a room, for those who only listen. The host keeps the last messages."""
    return EventSourceResponse(topic(room))
