"""`Request`, as the SDK sends it to the host, and `Options`, from which a client builds it."""

from __future__ import annotations

import json as jsonlib
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, TypedDict

from ._headers import Headers, HeaderTypes

__all__ = ["Content", "Options", "Params", "Part", "Request", "to_wire"]

Part = bytes | bytearray | memoryview | str
Params = Mapping[str, Any] | Iterable[tuple[str, Any]] | str
Content = Part | Iterable[Part] | AsyncIterable[Part]


class Options(TypedDict, total=False):
    """What each request method takes besides the URL.

    params: appended to the query of the URL: a dict, pairs or an encoded query. A list repeats its
        key, None is an empty value, booleans are "true" and "false".
    headers: a dict or pairs. They take precedence over those of the client.
    content: the body, bytes or str (sent as UTF-8), or an iterable of such parts, which the client
        sends while it iterates. Only an `AsyncClient` accepts an async iterable.
    data: the body as a form, name to value; values as in `params`.
    json: the body as JSON. None is no body; `content="null"` sends a JSON null.
    timeout: seconds, or None for no limit. It limits the wait for the head of the response, and for
        each further part of a body.
    follow_redirects: follow up to 20 redirects.
    """

    params: Params | None
    headers: HeaderTypes | None
    content: Content | None
    data: Mapping[str, Any] | None
    json: Any
    timeout: float | None
    follow_redirects: bool


class Request:
    """A request as it is sent.

    method: in upper case.
    url: absolute, without a fragment.
    headers: all that the SDK sends; the host adds those of the connection.
    body: the whole body, as `to_wire` encodes it.
    parts: a body that is sent part by part, instead of `body`.
    timeout: seconds, or None for no limit.
    """

    def __init__(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: str = "",
        parts: Iterable[Part] | AsyncIterable[Part] | None = None,
        timeout: float | None = None,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.parts = parts
        self.timeout = timeout

    def head(self) -> str:
        """The JSON that the host function `begin` expects."""
        return jsonlib.dumps(
            {
                "method": self.method,
                "url": self.url,
                "headers": self.headers.multi_items(),
                "timeout": self.timeout,
            }
        )

    def __repr__(self) -> str:
        return f"<Request({self.method!r}, {self.url!r})>"


def to_wire(part: Part) -> str:
    """A part of a body as the host expects it: each byte as the character of the same number.

    Raises TypeError for anything that is neither bytes nor str.
    """
    if isinstance(part, str):
        part = part.encode()
    elif not isinstance(part, (bytes, bytearray, memoryview)):
        raise TypeError(f"a body is made of bytes or str, not {type(part).__qualname__}")
    return str(part, "latin-1")
