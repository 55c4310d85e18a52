"""The bench app for wasi:http 0.2, where a request is handled by one blocking call."""

# mypy: ignore-errors
# What it imports is made by componentize-py when it builds this app.

import wasi_routes
from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import monotonic_clock
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

# The most that blocking_write_and_flush takes at once.
CHUNK = 4096


def read(request: IncomingRequest) -> bytes:
    body = b""
    with request.consume() as incoming, incoming.stream() as stream:
        while True:
            try:
                body += stream.blocking_read(65536)
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return body
                raise


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        target = request.path_with_query() or "/"
        body = read(request) if isinstance(request.method(), Method_Post) else b""
        if target == "/sleep":
            with monotonic_clock.subscribe_duration(wasi_routes.SLEEP_NS) as timer:
                timer.block()
        status, data = wasi_routes.answer(target, body)
        headers = [
            ("content-type", b"application/json"),
            ("content-length", str(len(data)).encode()),
        ]
        response = OutgoingResponse(Fields.from_list(headers))
        response.set_status_code(status)
        outgoing = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with outgoing.write() as stream:
            for start in range(0, len(data), CHUNK):
                stream.blocking_write_and_flush(data[start : start + CHUNK])
        OutgoingBody.finish(outgoing, None)
