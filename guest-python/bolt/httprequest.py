"""What is asked for, in the form that goes to the host: URL, headers, body, and redirects."""

from __future__ import annotations

import json as jsonlib
import re
from base64 import b64encode
from collections.abc import AsyncIterable, Iterable, Mapping
from math import isfinite
from typing import Any, TypedDict, cast
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

from .headers import header_list
from .httperrors import InvalidURL, StreamConsumed
from .httpexchange import Part, to_wire
from .httpheaders import Headers, HeaderTypes
from .version import __version__

__all__ = ["Content", "Options", "Params", "Request", "absolute", "build", "redirected"]

Params = Mapping[str, Any] | Iterable[tuple[str, Any]] | str
Content = Part | Iterable[Part] | AsyncIterable[Part]

# What RFC 3986 lets stand in a path, and "%", because most of it is escaped already. Brackets are
# in so many queries that no server minds them.
_PATH = "/%:@!$&'()*+,;="
_QUERY = _PATH + "?[]"
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_DEFAULTS = (("accept", "*/*"), ("user-agent", f"bolt-sdk/{__version__}"))
# They describe a body, so they go when the body goes.
_OF_BODY = ("content-length", "content-type", "content-encoding", "transfer-encoding")
# What one server was told in confidence is not for the next one.
_CONFIDENTIAL = ("authorization", "cookie", "proxy-authorization", "host")


class Options(TypedDict, total=False):
    """What each request method takes besides the URL.

    params: appended to the query of the URL: a dict, pairs or a finished query. A list repeats its
        key, None is an empty value, booleans are "true" and "false".
    headers: a dict or pairs. They win over those of the client.
    content: the body, bytes or str (sent as UTF-8), or an iterable of such parts, which is sent
        part by part while it is iterated; an async one in an `AsyncClient` only.
    data: the body as a form, name to value; values as in `params`.
    json: the body as JSON; None is no body, so `content="null"` sends a null.
    timeout: seconds, or None for no limit. The head of the answer must come in that time, and each
        further part of a body.
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

    method: in capitals.
    url: absolute, without its fragment.
    headers: all that the SDK sends; the host adds what the connection needs.
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
        """As `begin` of the host takes it."""
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


def build(
    method: str, base_url: str, url: str, params: list[Params | None], options: Options
) -> Request:
    """Make a request of what the program gave.

    params: those of the client, then those of the request.
    options: with the timeout and all headers in it.

    Raises InvalidURL, TypeError and ValueError, each with a sentence.
    """
    if not method.isascii() or not method.replace("-", "").isalpha():
        raise ValueError(f"{method!r} cannot be the method of a request")
    headers = Headers(options.get("headers"))
    address, userinfo = absolute(base_url, url, params)
    if userinfo and "authorization" not in headers:
        headers["authorization"] = _basic(userinfo)
    body, parts = _body(headers, options)
    for name, value in _DEFAULTS:
        if name not in headers:
            headers[name] = value
    for name, value in headers.multi_items():
        # A line break would begin another header, or another request.
        header_list({name: value})
    return Request(method.upper(), address, headers, body, parts, _timeout(options.get("timeout")))


def _timeout(seconds: float | None) -> float | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"a timeout is a number of seconds or None, not {seconds!r}")
    if not isfinite(seconds) or seconds <= 0:
        raise ValueError(f"a timeout must be more than 0 seconds, not {seconds!r}")
    return seconds


# The URL.


def absolute(base_url: str, url: str, params: Iterable[Params | None]) -> tuple[str, str]:
    """The URL to ask, and the "user:password" that stood in it.

    A URL without a scheme is put behind `base_url`, below its path. Raises InvalidURL.
    """
    url = str(url)
    try:
        if base_url and not urlsplit(url).scheme:
            url = base_url.rstrip("/") + (url if url[:1] in ("", "?") else "/" + url.lstrip("/"))
        scheme, netloc, path, query, _ = urlsplit(url)
        added = [query, *(_query(each) for each in params if each)]
        path = _quote(path or "/", _PATH)
        query = _quote("&".join(filter(None, added)), _QUERY)
    except ValueError as exc:
        raise InvalidURL(f"{url!r} is not a URL: {exc}") from None
    if scheme not in ("http", "https"):
        raise InvalidURL(f"{url!r} is not a URL to ask: it must begin with http:// or https://")
    userinfo, _, server = netloc.rpartition("@")
    if not server:
        raise InvalidURL(f"{url!r} is not a URL to ask: it names no server")
    return urlunsplit((scheme, server, path, query, "")), userinfo


def _quote(text: str, safe: str) -> str:
    return quote(_LONE_PERCENT.sub("%25", text), safe=safe)


def _query(params: Params) -> str:
    return params if isinstance(params, str) else urlencode(_pairs(params))


def _pairs(fields: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    items = fields.items() if isinstance(fields, Mapping) else fields
    return [
        (name, _field(value))
        for name, values in items
        for value in (values if isinstance(values, (list, tuple)) else (values,))
    ]


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _basic(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    return "Basic " + b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


# The body.


def _body(
    headers: Headers, options: Options
) -> tuple[str, Iterable[Part] | AsyncIterable[Part] | None]:
    """The body that is sent at once, and the parts that follow. Adds its content type."""
    content, data, json = options.get("content"), options.get("data"), options.get("json")
    if [content, data, json].count(None) < 2:
        raise TypeError("a request has one body: give content, data or json")
    kind = ""
    if json is not None:
        kind = "application/json"
        content = jsonlib.dumps(json, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    elif data is not None:
        if not isinstance(data, Mapping):
            raise TypeError("data is a form, name to value; give bytes or str as content")
        kind, content = "application/x-www-form-urlencoded", urlencode(_pairs(data))
    if kind and "content-type" not in headers:
        headers["content-type"] = kind
    if content is None:
        return "", None
    if isinstance(content, (str, bytes, bytearray, memoryview)):
        return to_wire(content), None
    if isinstance(content, Mapping) or not isinstance(content, (Iterable, AsyncIterable)):
        raise TypeError(
            f"content is bytes, str or an iterable of them, not {type(content).__qualname__}"
        )
    return "", cast("Iterable[Part] | AsyncIterable[Part]", content)


# Redirects.


def redirected(request: Request, status: int, location: str) -> Request:
    """The request that a redirect asks for. Raises InvalidURL, or StreamConsumed when it wants the
    body once more and that was made while it was sent."""
    method = request.method
    if (status in (302, 303) and method != "HEAD") or (status == 301 and method == "POST"):
        method = "GET"
    try:
        target = urljoin(request.url, location)
    except ValueError as exc:
        raise InvalidURL(f"the redirect to {location!r} leads to no URL: {exc}") from None
    url, _ = absolute("", target, ())
    headers = Headers(request.headers)
    if _origin(url) != _origin(request.url):
        for name in _CONFIDENTIAL:
            headers.pop(name, None)
    if method != request.method and method == "GET":
        for name in _OF_BODY:
            headers.pop(name, None)
        return Request(method, url, headers, timeout=request.timeout)
    if request.parts is not None:
        raise StreamConsumed(
            f"the redirect to {url!r} wants the body once more, and a body that is sent part by "
            "part can be sent only once: give it as bytes"
        )
    return Request(method, url, headers, request.body, None, request.timeout)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as exc:
        raise InvalidURL(f"{url!r} is not a URL: {exc}") from None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)
