"""The WebSocket echo of streams.py for Granian's own interface, RSGI."""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

from granian.rsgi import WebsocketMessageType


async def app(scope, proto) -> None:
    if scope.proto == "http":
        # Asked only until the server is ready.
        proto.response_str(200, [], "hello")
        return
    transport = await proto.accept()
    while True:
        message = await transport.receive()
        if message.kind == WebsocketMessageType.close:
            break
        await transport.send_str(message.data)
    proto.close()
