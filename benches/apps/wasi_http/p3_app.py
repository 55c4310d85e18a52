"""The bench app for wasi:http 0.3, where handlers and waiting are asynchronous."""

# mypy: ignore-errors
# What it imports is made by componentize-py when it builds this app.

import componentize_py_async_support
import wasi_routes
import wit_world
from componentize_py_async_support.streams import ByteStreamWriter
from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports import monotonic_clock
from wit_world.imports.wasi_http_types import Fields, Method_Post, Request, Response


async def read(request: Request) -> bytes:
    done = wit_world.result_unit_wasi_http_types_error_code_future(lambda: Ok(None))[1]
    stream, _trailers = Request.consume_body(request, done)
    body = b""
    with stream:
        while not stream.writer_dropped:
            body += await stream.read(65536)
    return body


async def write(writer: ByteStreamWriter, data: bytes) -> None:
    with writer:
        await writer.write_all(data)


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        target = request.get_path_with_query() or "/"
        body = await read(request) if isinstance(request.get_method(), Method_Post) else b""
        if target == "/sleep":
            await monotonic_clock.wait_for(wasi_routes.SLEEP_NS)
        status, data = wasi_routes.answer(target, body)
        headers = [
            ("content-type", b"application/json"),
            ("content-length", str(len(data)).encode()),
        ]
        writer, reader = wit_world.byte_stream()
        # The host reads the body only once it has the response, so writing it
        # here would block forever.
        componentize_py_async_support.spawn(write(writer, data))
        no_trailers = (
            wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future
        )
        response, _sent = Response.new(
            Fields.from_list(headers), reader, no_trailers(lambda: Ok(None))[1]
        )
        response.set_status_code(status)
        return response
