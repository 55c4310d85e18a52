"""The load of ws-echo: connections that send 64 bytes, and again when these came back.

Runs in the peers' environment. Prints "begin" after the warm-up, and at the end the number of
messages, the seconds and the processor time of this program: streams.py reads the server's
processor time at both lines.
"""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

import asyncio
import sys
import time

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

PAYLOAD = b"x" * 64


class Echo(WSListener):
    """One connection: always one message on its way."""

    messages = 0
    wrong = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, PAYLOAD)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT or frame.payload_size != len(PAYLOAD):
            Echo.wrong += frame.msg_type not in (WSMsgType.PING, WSMsgType.PONG)
            return
        Echo.messages += 1
        transport.send(WSMsgType.TEXT, PAYLOAD)


async def main(url: str, connections: int, warmup: float, seconds: float) -> None:
    opened = [await ws_connect(Echo, url) for _ in range(connections)]
    await asyncio.sleep(warmup)
    print("begin", flush=True)
    first, begun, used = Echo.messages, time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    count = Echo.messages - first
    took = time.perf_counter() - begun
    print(count, took, time.process_time() - used, flush=True)
    for transport, _ in opened:
        transport.disconnect()
    if Echo.wrong:
        sys.exit(f"{Echo.wrong} answers were not the message")


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
