"""Builds what is sent from what the program gave: URL, headers, body, and redirects."""

from __future__ import annotations

import json as jsonlib
import re
from base64 import b64encode
from collections.abc import AsyncIterable, Iterable, Mapping
from math import isfinite
from typing import Any, cast
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

from .._datastructures.headers import header_list
from .._version import __version__
from ._errors import InvalidURL, StreamConsumed
from ._headers import Headers
from ._request import Options, Params, Part, Request, to_wire

__all__ = ["build", "redirected"]

# The characters that RFC 3986 allows in a path, and "%", because most URLs arrive percent-encoded.
# Servers accept brackets in queries, although the RFC does not allow them.
_PATH = "/%:@!$&'()*+,;="
_QUERY = _PATH + "?[]"
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_DEFAULTS = (("accept", "*/*"), ("user-agent", f"bolt-sdk/{__version__}"))
# They describe the body, so a redirect that drops the body drops them too.
_OF_BODY = ("content-length", "content-type", "content-encoding", "transfer-encoding")
# Credentials for one server must not reach the server that it redirects to.
_CONFIDENTIAL = ("authorization", "cookie", "proxy-authorization", "host")


def build(
    method: str, base_url: str, url: str, params: list[Params | None], options: Options
) -> Request:
    """Build a request from the arguments of a client's method.

    params: those of the client, then those of the request.
    options: with the effective timeout and headers.

    Raises InvalidURL, TypeError or ValueError.
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
        # A line break in a value would start another header, or another request.
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
    """The absolute URL, and the "user:password" that it contained.

    A URL without a scheme is appended to `base_url`. Raises InvalidURL.
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
        raise InvalidURL(f"{url!r} cannot be requested: a URL must begin with http:// or https://")
    userinfo, _, server = netloc.rpartition("@")
    if not server:
        raise InvalidURL(f"{url!r} cannot be requested: the URL names no server")
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
    """The body to send as a whole, and the parts to send after it. Sets the content type."""
    content, data, json = options.get("content"), options.get("data"), options.get("json")
    if [content, data, json].count(None) < 2:
        raise TypeError("a request has one body: give content, data or json")
    kind = ""
    if json is not None:
        kind = "application/json"
        content = jsonlib.dumps(json, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    elif data is not None:
        if not isinstance(data, Mapping):
            raise TypeError("data is a mapping of form fields; give bytes or str as content")
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
    """The request that follows a redirect.

    Raises InvalidURL, and StreamConsumed when the redirect requires a body that was an iterable.
    """
    method = request.method
    if (status in (302, 303) and method != "HEAD") or (status == 301 and method == "POST"):
        method = "GET"
    try:
        target = urljoin(request.url, location)
    except ValueError as exc:
        raise InvalidURL(f"the redirect to {location!r} is not a valid URL: {exc}") from None
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
            f"the redirect to {url!r} requires the body again, and a body that is an iterable can "
            "be sent only once: give it as bytes"
        )
    return Request(method, url, headers, request.body, None, request.timeout)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as exc:
        raise InvalidURL(f"{url!r} is not a URL: {exc}") from None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)
