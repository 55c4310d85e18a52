"""What a WebSocket says: messages as the host takes them, close reasons, headers, and refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._datastructures.headers import Headers, MutableHeaders, header_list
from .._serialization.json_text import json_text
from ..responses import Response

__all__ = [
    "Message",
    "Refusal",
    "binary_message",
    "check_mode",
    "check_subprotocol",
    "close_reason",
    "header_pairs",
    "json_message",
    "offered",
    "text_message",
]

Message = tuple[bool, str]
"""Whether it is binary, and its text, or each byte as the character with that code point."""

# Codes below 3000 that may be sent, of RFC 6455 and the registry that it began.
_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
_LONGEST_REASON = 123
# What belongs to the handshake, which the host does.
_RESERVED = "sec-websocket-"
_MODES = ("text", "binary")


def text_message(data: str) -> Message:
    """A text as the host takes it. Raises TypeError for anything else."""
    if not isinstance(data, str):
        raise TypeError(f"a text message is a str, not {type(data).__qualname__}")
    if not data.isascii():
        # A surrogate has no UTF-8.
        data.encode()
    return False, str.__str__(data)


def binary_message(data: bytes | bytearray | memoryview) -> Message:
    """Bytes as the host takes them. Raises TypeError for anything else."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"a binary message is bytes, not {type(data).__qualname__}")
    return True, str(bytes(data), "latin-1")


def json_message(data: Any, mode: str) -> Message:
    """Any value that a handler may return, as JSON. Raises RuntimeError for another mode."""
    check_mode(mode)
    text = json_text(data)
    return (False, text) if mode == "text" else (True, str(text.encode(), "latin-1"))


def check_mode(mode: str) -> None:
    """Raise RuntimeError if it is no kind of message."""
    if mode not in _MODES:
        raise RuntimeError('The "mode" argument should be "text" or "binary".')


def offered(headers: Headers) -> list[str]:
    """The subprotocols that the client offers, the one that it likes best first."""
    named = ",".join(headers.getlist("sec-websocket-protocol")).split(",")
    return [name.strip() for name in named if name.strip()]


def check_subprotocol(subprotocol: str | None, headers: Headers) -> str:
    """The subprotocol, or "". Raises ValueError if the client does not offer it."""
    if subprotocol and subprotocol not in offered(headers):
        raise ValueError(
            f"the client does not offer the subprotocol {subprotocol!r}: "
            "choose one of `scope['subprotocols']`, or none"
        )
    return subprotocol or ""


def close_reason(code: int, reason: str | None) -> str:
    """The reason as it is sent with this code. Raises ValueError for a code that cannot be sent."""
    if code not in _CODES and not 3000 <= code <= 4999:
        raise ValueError(
            f"a WebSocket cannot be closed with {code}: "
            "use 1000, 1008, 1011 or 1013, or a code of your own from 4000 to 4999"
        )
    # FastAPI gives the errors of a validation as the reason, which are no text.
    sent = str(reason or "").encode("utf-8", "replace")[:_LONGEST_REASON]
    return sent.decode("utf-8", "ignore")


def header_pairs(
    headers: Iterable[tuple[Any, Any]] | Mapping[str, str] | None,
) -> list[tuple[str, str]]:
    """The headers of a response that accepts, checked as those of any response.

    Raises ValueError also for a header of the handshake.
    """
    if not headers:
        return []
    found = []
    for pair in headers.items() if isinstance(headers, Mapping) else headers:
        name, value = (
            part.decode("latin-1") if isinstance(part, (bytes, bytearray)) else part
            for part in pair
        )
        (checked,) = header_list({name: value})
        if checked[0].lower().startswith(_RESERVED):
            raise ValueError(f"the header {name!r} is part of the handshake, which the host does")
        found.append(checked)
    return found


class Refusal:
    """A response that is given in the messages of ASGI.

    start: the message "websocket.http.response.start".
    """

    def __init__(self, start: Mapping[str, Any]) -> None:
        self._start = start
        self._body: list[bytes] = []

    def add(self, message: Mapping[str, Any]) -> bool:
        """Add a message "websocket.http.response.body". True if it is the last one."""
        self._body.append(message.get("body", b""))
        return not message.get("more_body", False)

    def response(self) -> Response:
        """The whole response."""
        headers = MutableHeaders()
        for name, value in self._start.get("headers", ()):
            if name.lower() != b"content-length":
                headers.append(name.decode("latin-1"), value.decode("latin-1"))
        return Response(b"".join(self._body), self._start["status"], headers)
