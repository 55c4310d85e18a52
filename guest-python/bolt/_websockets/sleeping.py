"""`SleepingSocket`: a WebSocket that only the host has between two of its messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .._serialization.replies import encode_acceptance
from .._streams import progress
from .._topics import subscription
from .._topics.subscription import TopicError
from ..requests import HTTPConnection, State
from ..responses import PlainText
from ..topics import Topic
from . import line
from .attachment import Attachment
from .messages import (
    Message,
    binary_message,
    check_subprotocol,
    close_reason,
    header_pairs,
    json_message,
    offered,
    text_message,
)
from .states import WebSocketDisconnect, WebSocketDisconnected

__all__ = ["SleepingSocket"]

_CLOSED = "the WebSocket is closed"
_OVER = (
    "a SleepingSocket is that of one call, which has ended: "
    "keep what the next call needs in its attachment"
)
# A timer, so that the loop returns to the host, which may have other requests.
_PAUSE = 1e-9


class SleepingSocket(HTTPConnection):
    """The WebSocket of a `WebSocketEndpoint`, in one call of it.

    state: what the lifespan yielded; in `on_connect` also what dependencies set.
    app: the application.

    The request (`headers`, `cookies`, `url`, `path_params`, `query_params`, `client`, ...) is there
    only in `on_connect`: afterwards the host keeps only the attachment. See also `HTTPConnection`.
    """

    _kind = "websocket"

    def __init__(self, wire: tuple[Any, ...] | None, app: Any, attachment: bytes = b"") -> None:
        """wire: the request of `on_connect`; None in later calls."""
        if wire is not None:
            super().__init__(wire, app)
            self._scheme = {"http": "ws", "https": "wss"}.get(self._scheme, self._scheme)
        else:
            self.app = app
            self.state = State()
        self._request = progress.current()
        self._connects = wire is not None
        self._attachment = Attachment(attachment)
        # The reply that accepts it, in `on_connect`.
        self._reply: str | None = None
        # What the client gets instead of a WebSocket.
        self._refusal: Any = None
        self._farewell: tuple[int, str] | None = None
        self._is_closed = False
        self._is_gone = False
        self._is_over = False

    # A type checker would take every name for an attribute.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            known = hasattr(HTTPConnection, name) or name in _OF_REQUEST
            if not known or name.startswith("_"):
                raise AttributeError(f"a SleepingSocket has no attribute {name!r}")
            if self._connects:
                # Of a property that has raised: only this one does.
                return self.state.user
            raise AttributeError(
                f"a SleepingSocket has its {name!r} only in `on_connect`: afterwards the host "
                "keeps only the attachment, so put there what later calls need"
            )

    @property
    def scope(self) -> dict[str, Any]:
        """A new ASGI scope of the request. Nothing reads changes to it."""
        return {**super().scope, "subprotocols": offered(self.headers)}

    @property
    def attachment(self) -> Any:
        """What the next calls find here: a value of at most 2 KiB of JSON, or None.

        It is what JSON has of the value that was assigned: a record becomes a dict. A value that
        was changed in place is kept as well. Assigning raises ValueError for a larger one, and
        TypeError, which names the place, for one without a JSON form.
        """
        return self._attachment.value

    @attachment.setter
    def attachment(self, value: Any) -> None:
        self._attachment.value = value

    def accept(
        self,
        subprotocol: str | None = None,
        headers: Iterable[tuple[Any, Any]] | Mapping[str, str] | None = None,
    ) -> Awaitable[None]:
        """Accept the request, when `on_connect` has ended; the client gets nothing before.

        It waits for nothing, and may be awaited. Without it, the first message or `join` accepts,
        or else the end of `on_connect`. Parameters and exceptions are those of `WebSocket.accept`.
        """
        self._check_open()
        if not self._connects or self._reply is not None:
            raise RuntimeError("the WebSocket has been accepted already")
        chosen = check_subprotocol(subprotocol, self.headers)
        reply = encode_acceptance(chosen, header_pairs(headers))
        host = line.host()
        if not host.open(self._request):
            self._is_closed = True
            self._refusal = PlainText("Service Unavailable", 503)
            raise WebSocketDisconnect(1013, "too many WebSockets")
        host.sleep(self._request)
        self._reply = reply
        return _DONE

    def close(self, code: int = 1000, reason: str | None = None) -> Awaitable[None]:
        """Close it, or refuse it with 403 before `accept`. It may be awaited.

        Parameters and exceptions are those of `WebSocket.close`.
        """
        said = close_reason(code, reason)
        self._check_open()
        if self._connects:
            if self._reply is None:
                self._refusal = PlainText("", 403)
            # The client has to have the reply first.
            self._farewell = code, said
        else:
            # `on_disconnect` finds what was attached until now.
            self._attach()
            line.host().close(self._request, code, said)
        self._is_closed = True
        return _DONE

    async def send_text(self, data: str) -> None:
        """Send a text. It waits while the client has not read enough of what was sent before.

        Messages of `on_connect` go out when it has ended, so it does not wait there. Raises
        WebSocketDisconnect if the client is gone.
        """
        await self._send(text_message(data))

    async def send_bytes(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; see `send_text`."""
        await self._send(binary_message(data))

    async def send_json(self, data: Any, mode: str = "text") -> None:
        """Send any value that a handler may return, as JSON; see `send_text`.

        mode: the kind of message, "text" or "binary".
        """
        await self._send(json_message(data, mode))

    def send(self, data: Any) -> None:
        """Send text or bytes as they are, and any other value as JSON, from a `def` method.

        It never waits. Raises RuntimeError if the client has not read enough of what was sent
        before, and WebSocketDisconnect if it is gone.
        """
        if isinstance(data, str):
            message = text_message(data)
        elif isinstance(data, (bytes, bytearray, memoryview)):
            message = binary_message(data)
        else:
            message = json_message(data, "text")
        if self._try(message) is progress.host().Taken.FULL:
            raise RuntimeError(self._full())

    def join(self, topic: Topic) -> None:
        """From now on, the host sends the client the events of a topic; see `WebSocket.join`."""
        self._begin()
        if not subscription.host("join").join(self._request, topic.name):
            raise TopicError(
                f"cannot join the topic {topic.name!r}: a WebSocket has at most 16 topics, "
                "and an app 1000"
            )

    def leave(self, topic: Topic) -> None:
        """The client gets no more events of a topic. Nothing happens if it has not joined it."""
        self._begin()
        subscription.host("leave").leave(self._request, topic.name)

    async def _send(self, message: Message) -> None:
        taken = progress.host().Taken
        while (answer := self._try(message)) is taken.FULL:
            if self._connects:
                raise RuntimeError(self._full())
            await progress.flow_of(self._request).news()
        if answer is taken.PAUSE:
            await asyncio.sleep(_PAUSE)

    def _try(self, message: Message) -> Any:
        """Give the host a message. Returns its answer, unless the client is gone."""
        self._begin()
        answer = line.host().send(self._request, *message)
        if answer is progress.host().Taken.GONE:
            self._is_gone = True
            raise WebSocketDisconnect(1006)
        return answer

    def _full(self) -> str:
        if self._connects:
            return (
                "the host takes no more messages before `on_connect` has ended, because the client "
                "gets nothing until then: send less"
            )
        return (
            "the client has not read enough of what was sent before: "
            "an `async def` method may wait for it, with `await socket.send_text(...)`"
        )

    def _begin(self) -> None:
        """Accept it, if that is still to be done. Raises RuntimeError if it is closed."""
        self._check_open()
        if self._connects and self._reply is None:
            self.accept()

    def _check_open(self) -> None:
        if self._is_over:
            raise RuntimeError(_OVER)
        if self._has_ended:
            raise WebSocketDisconnected(_CLOSED)

    @property
    def _has_ended(self) -> bool:
        return self._is_closed or self._is_gone

    def _attach(self) -> None:
        """Have the host keep the attachment, if it has changed."""
        changed = self._attachment.changed()
        if changed is not None and not line.host().attach(self._request, changed):
            raise ValueError("the host has not kept the attachment, which is too large")

    def _settle(self) -> None:
        """The method has ended, and its exception has been handled."""
        if self._refusal is not None:
            return
        if self._connects and self._reply is None:
            self.accept()
        if self._connects or not self._is_closed:
            self._attach()

    def _end(self) -> str:
        """The call has ended. Returns the reply that accepts the request of `on_connect`."""
        self._is_over = True
        if self._farewell is not None and self._refusal is None:
            line.host().close(self._request, *self._farewell)
        return self._reply or ""

    def __repr__(self) -> str:
        return f"<SleepingSocket {self._raw_path if self._connects else self._request}>"


# What only the constructor of HTTPConnection sets.
_OF_REQUEST = frozenset({"method", "client", "path_params"})


class _Done:
    """What may be awaited although it is done."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


_DONE = _Done()
