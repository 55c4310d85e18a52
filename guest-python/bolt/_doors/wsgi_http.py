"""One request to a WSGI app, and the response that it starts and iterates (PEP 3333)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import Context, copy_context
from typing import Any, NoReturn

from .._responses.response import Response
from .._websockets.line import service
from ..requests import Request
from .responses import FinishedResponse, FlowingResponse, Pairs
from .wsgi_environ import make_environ

__all__ = ["wsgi_handler"]

_BODILESS = frozenset({204, 205, 304})


def wsgi_handler(app: Callable[..., Any]) -> Callable[[Request], Any]:
    """The handler of all requests to a WSGI app."""

    def handle(request: Request) -> Response:
        # Of its own, because all of an iterable has to run in one context: what a framework sets at
        # its beginning, it resets at its end.
        context = copy_context()
        return context.run(_Call(request.method == "HEAD", context).run, app, request)

    return handle


class _Call:
    """What an app has said about its response."""

    def __init__(self, is_head: bool, context: Context) -> None:
        self._is_head = is_head
        self._context = context
        self._status = 0
        self._pairs: Pairs = []
        self._content_type = ""
        self._length = -1
        # What `write` has taken, before the first part of the iterable.
        self._written: list[bytes] = []
        self._is_sent = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Take the head of the response, or another one as long as none is sent."""
        if exc_info:
            try:
                # What `write` has taken belongs to the head before.
                if self._is_sent or self._written:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                # It would be a reference cycle.
                exc_info = None
        elif self._status:
            raise AssertionError(
                "start_response was called twice, the second time without exc_info"
            )
        if not isinstance(status, str) or not status[:3].isdigit() or status[3:4].strip():
            raise TypeError(f"the status of WSGI is text such as '200 OK', not {status!r}")
        self._status, self._content_type, self._length = int(status[:3]), "", -1
        self._pairs = []
        for name, value in headers:
            if not isinstance(name, str) or not isinstance(value, str):
                raise TypeError(f"a header of WSGI is a pair of str, not {name!r} and {value!r}")
            lower = name.lower()
            # Django puts a space before a cookie. Over HTTP/2 clients refuse a response with one.
            value = value.strip(" \t")
            if lower == "content-type":
                self._content_type = value
                continue
            if lower == "content-length" and value.isdigit():
                self._length = int(value)
            self._pairs.append((lower, value))
        return self._write

    def _write(self, data: bytes) -> None:
        self._written.append(_checked(data))

    def run(self, app: Callable[..., Any], request: Request) -> Response:
        """Call the app, and make a response of what it returns."""
        return self._respond(app(make_environ(request), self.start_response))

    def _respond(self, result: Iterable[bytes]) -> Response:
        """The response of an app from what it has returned."""
        if isinstance(result, (bytes, bytearray, str)):
            raise TypeError(
                f"the WSGI app returned {type(result).__qualname__}: it has to return an iterable "
                "of bytes, such as a list"
            )
        kind = type(result)
        # Django says of a response that all of it is there.
        if kind is list or kind is tuple or getattr(result, "streaming", None) is False:
            try:
                parts = [*self._written, *result]
            finally:
                _close(result)
            return self._whole(parts)
        return self._iterated(result)

    def _iterated(self, result: Iterable[bytes]) -> Response:
        """The response of an iterable: whole, if its first part is all that it has announced."""
        try:
            parts = iter(result)
            taken = self._written
            size = sum(map(len, taken))
            while True:
                part = next(parts, None)
                if part is None:
                    break
                if part:
                    taken.append(_checked(part))
                    size += len(part)
                    if size == self._length or self._is_bodiless():
                        break
                    self._check_started()
                    self._is_sent = True
                    return self._flowing(taken, parts, result)
        except BaseException:
            _close(result)
            raise
        self._is_sent = True
        _close(result)
        return self._whole(taken)

    def _is_bodiless(self) -> bool:
        return self._is_head or self._status in _BODILESS

    def _check_started(self) -> None:
        if not self._status:
            raise RuntimeError("the WSGI app returned without a response: it has to start one")

    def _whole(self, parts: list[Any]) -> Response:
        self._check_started()
        self._is_sent = True
        body = _checked(parts[0]) if len(parts) == 1 else b"".join(parts)
        return FinishedResponse(self._status, self._pairs, self._content_type, body)

    def _flowing(self, taken: list[bytes], parts: Iterator[bytes], result: Any) -> Response:
        flow = _Flow(taken, parts, result, self._context)
        return FlowingResponse(self._status, self._pairs, self._content_type, flow)


class _Flow(Generator[bytes]):
    """The parts of a response. No generator: one that has not begun would close nothing."""

    def __init__(
        self, taken: list[bytes], parts: Iterator[bytes], result: Any, context: Context
    ) -> None:
        self._context = context
        self._taken = taken
        self._parts = parts
        self._result = result

    def send(self, value: object) -> bytes:
        return self._taken.pop(0) if self._taken else self._next()

    def _next(self) -> bytes:
        part = self._context.run(next, self._parts, None)
        if part is None:
            raise StopIteration
        return _checked(part)

    def throw(self, *given: Any) -> NoReturn:
        self.close()
        raise given[0]

    def close(self) -> None:
        result, self._result = self._result, None
        if result is not None:
            self._context.run(_close, result)


def _checked(part: Any) -> bytes:
    """A part of a body. Raises TypeError if it is not bytes."""
    if type(part) is bytes:
        return part
    if not isinstance(part, (bytes, bytearray, memoryview)):
        raise TypeError(f"the body of WSGI is bytes, not {type(part).__qualname__}")
    return bytes(part)


def _close(result: Any) -> None:
    """Tell the app that its response is over. The client has nothing of an exception of that."""
    close = getattr(result, "close", None)
    if close is None:
        return
    try:
        close()
    except Exception as exc:
        service().complain(exc, "the end of a WSGI response")
