"""Encodes the result of a handler as the reply string that goes to the host.

A reply is a marshal (version 4) of `(status, value)` or `(status, content_type, headers, value)`,
as latin-1 text. The host encodes `value` as JSON when content_type is None or absent. A fifth item
"file" means that `value` is the path of a file, and "stream" that the body follows in chunks. With
the items "events", milliseconds and bytes, these chunks are server-sent events: the host sends a
comment after so long without one (0: never), and the bytes when it shuts down. With two more items,
the name of a topic and 0 or 1, they are the events of this topic, which the host sends by itself; 1
ends the response when the client is too slow. "socket" accepts a WebSocket: the status is then 101,
and the content type is the subprotocol.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable
from typing import Any

from .._datastructures.headers import header_list
from .._dependencies.after_response import note_rest, note_stream
from .._streams.progress import current
from ..exceptions import HTTPException
from ..responses import JSON, EventSourceResponse, FileResponse, Response, StreamingResponse
from .serialize import RECORDS, plain
from .serialize_checked import to_plain

__all__ = ["encode_acceptance", "encode_exception", "encode_reply"]

# Types that marshal accepts. Whether it accepts their contents is found out by trying, because a
# check would cost more than the encoding.
_DIRECT = frozenset({dict, list, str, int, float, bool, type(None), tuple})

# typeshed declares a narrower parameter type; marshal raises for objects that it rejects.
dumps: Callable[[Any, int], bytes] = marshal.dumps

# Version 5 exists from 3.14 on; the host reads 4.
_VERSION = 4
_BYTES_TYPE = "application/octet-stream"


def encode_reply(status: int, result: object) -> str:
    """The reply for the result of a handler; `status` is that of the route.

    Raises TypeError, which names the place, for a value without a JSON form, and ValueError for a
    value that contains itself and for invalid headers.
    """
    kind = type(result)
    if kind in _DIRECT:
        # marshal continues to the end even after an object that it rejects, so the type of the
        # first item decides for a list of records.
        if kind is list and result and type(result[0]) not in _DIRECT:  # type: ignore[index]
            return _encode(status, result, ())
        try:
            return dumps((status, result), _VERSION).decode("latin-1")
        except ValueError:
            return _encode(status, result, ())
    make = RECORDS.get(kind)
    if make is not None:
        try:
            return dumps((status, make(result)), _VERSION).decode("latin-1")
        except Exception:
            return _encode(status, result, ())
    if kind is bytes:
        reply: tuple[Any, ...] = (status, "application/octet-stream", [], result)
        return dumps(reply, _VERSION).decode("latin-1")
    if isinstance(result, Response):
        return _encode_response(status, result)
    return _encode(status, result, ())


def encode_exception(exc: HTTPException) -> str:
    """The reply for an HTTPException: its status, `{"detail": ...}` and its headers.

    Raises as `encode_reply` does.
    """
    value = {"detail": exc.detail}
    headers = header_list(exc.headers)
    return _encode(int(exc.status_code), value, (None, headers) if headers else ())


def encode_acceptance(subprotocol: str, headers: list[tuple[str, str]]) -> str:
    """The reply that accepts a WebSocket. The subprotocol is "" for none."""
    reply = (101, subprotocol, headers, b"", "socket")
    return dumps(reply, _VERSION).decode("latin-1")


def _encode(status: int, result: object, head: tuple[Any, ...]) -> str:
    """The reply for a value that may not be plain. `head` is `()` or `(None, headers)`."""
    try:
        return dumps((status, *head, plain(result)), _VERSION).decode("latin-1")
    except Exception:
        # The checked conversion raises an exception that names the place. It succeeds when a
        # field did not have the type that its annotation says.
        value = to_plain(result)
    return dumps((status, *head, value), _VERSION).decode("latin-1")


def _encode_response(status: int, response: Response) -> str:
    # int(): the status may be an IntEnum such as http.HTTPStatus, which marshal rejects.
    code = status if response.status_code is None else int(response.status_code)
    if response.after is not None or response.background is not None:
        note_rest(response)
    if response.written or not isinstance(response, JSON):
        content_type, pairs = response.reply_type()
        if isinstance(response, (FileResponse, StreamingResponse)) and not response.written:
            return _encode_elsewhere((code, content_type, pairs), response)
        body = response.content
        body = str.__str__(body) if isinstance(body, str) else bytes(body)
        return dumps((code, content_type, pairs, body), _VERSION).decode("latin-1")
    if not response.headers and not response.cookies:
        return _encode(code, response.data, ())
    if "content-type" not in response.headers:
        return _encode(code, response.data, (None, response.header_pairs()))
    # With another content type the host sends the body as it is, so it is encoded here.
    content_type, pairs = response.reply_type()
    text = json.dumps(
        to_plain(response.data), separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return dumps((code, content_type, pairs, text), _VERSION).decode("latin-1")


def _encode_elsewhere(head: tuple[Any, ...], response: FileResponse | StreamingResponse) -> str:
    """The reply for a response whose body is not in it. head: status, content type, headers."""
    if isinstance(response, FileResponse):
        return dumps((*head, response.path, "file"), _VERSION).decode("latin-1")
    kind: tuple[Any, ...] = ("stream",)
    # Middleware may have replaced the body by one of its own.
    is_replaced = "body_iterator" in vars(response)
    if isinstance(response, EventSourceResponse):
        kind = ("events", int((response.ping or 0) * 1000), response.last)
        topic = response.topic
        if topic is not None and not is_replaced:
            kind = (*kind, topic.name, int(topic.closes))
            return dumps((*head, b"", *kind), _VERSION).decode("latin-1")
    proxied = response.proxied
    if proxied is not None and not is_replaced and proxied.hand_over(current()):
        return dumps((*head, b"", *kind), _VERSION).decode("latin-1")
    reply = dumps((*head, b"", *kind), _VERSION).decode("latin-1")
    note_stream(response)
    return reply
