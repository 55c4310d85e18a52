"""`Response`: the base of all responses."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from .._datastructures.cookies import cookie_header
from .._datastructures.headers import MutableHeaders, header_list

__all__ = ["Response"]

# The modules whose `render` is the SDK's own.
_OWN = (__name__, "bolt.responses")


class Response:
    """A response with a finished body.

    content: the body, bytes or str (sent as UTF-8); None for an empty one. For a subclass that
        overrides `render(self, content) -> bytes`, whatever that accepts.
    status_code: the HTTP status, 100 to 599.
    headers: response headers, name to value. A content-type among them overrides media_type.
    media_type: the content type; a charset is added to text/* without one. The default is
        application/octet-stream for bytes and text/plain for str.
    background: a BackgroundTask or BackgroundTasks, to run after the response is sent.

    Raises TypeError for other content, ValueError for an invalid status or header.
    """

    media_type: ClassVar[str | None] = None
    charset: ClassVar[str] = "utf-8"
    # Whether a subclass overrides `render`: determined once for a class, not for each response.
    renders: ClassVar[bool] = False
    content: bytes | str = b""
    # The body was rendered or assigned, so `content` holds it, also in JSON and FileResponse.
    written = False
    # The route created it from `response_class`, so the `response` parameter applies to it.
    by_class = False
    # Work of dependencies that runs after it is sent: an `Exits`.
    after: Any = None
    background: Any = None

    def __init__(
        self,
        content: Any = None,
        status_code: int | None = 200,
        headers: dict[str, str] | None = None,
        media_type: str | None = None,
        background: Any = None,
    ) -> None:
        self._begin(status_code, headers, background)
        self.content_type = media_type or self.media_type
        if self.renders:
            self.body = self.render(content)
        else:
            self.content = self._checked(b"" if content is None else content)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.renders = getattr(cls.render, "__module__", None) not in _OWN

    def render(self, content: Any) -> bytes:
        """Convert the content to the body. Subclasses may override it."""
        checked = self._checked(b"" if content is None else content)
        return checked.encode() if isinstance(checked, str) else checked

    def _checked(self, content: Any) -> bytes | str:
        if not isinstance(content, (bytes, str)):
            raise TypeError(
                f"the content of a {type(self).__name__} is bytes or str, "
                f"not {type(content).__qualname__}"
            )
        return content

    def _begin(
        self, status_code: int | None, headers: dict[str, str] | None, background: Any
    ) -> None:
        if status_code is not None and not 100 <= status_code <= 599:
            raise ValueError(f"an HTTP status lies between 100 and 599, not {status_code}")
        # Checked here so that the traceback contains the line that creates the response, and again
        # before it is sent, because `headers` may change until then.
        header_list(headers)
        if background is not None and not callable(background):
            raise TypeError(f"{background!r} is not a BackgroundTask: it cannot be called")
        self.status_code = status_code
        self.background = background
        self.headers = MutableHeaders(headers)
        self.cookies: list[str] = []

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: int | None = None,
        expires: datetime | str | int | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Set a cookie.

        expires: a datetime, or seconds from now. Raises ValueError for an invalid cookie.
        """
        self.cookies.append(
            cookie_header(
                key,
                value,
                max_age=max_age,
                expires=expires,
                path=path,
                domain=domain,
                secure=secure,
                httponly=httponly,
                samesite=samesite,
                partitioned=partitioned,
            )
        )

    def delete_cookie(
        self,
        key: str,
        path: str = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
    ) -> None:
        """Delete a cookie that was set with the same path and domain."""
        self.set_cookie(
            key,
            max_age=0,
            expires=0,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
        )

    @property
    def body(self) -> bytes:
        """The body as it is sent. It is assignable."""
        return self._sent()

    @body.setter
    def body(self, body: bytes) -> None:
        if self.content_type is None and isinstance(self.content, str):
            # A str body keeps its content type.
            self.content_type = "text/plain"
        self.content = self._checked(body)
        self.written = True

    def _sent(self) -> bytes:
        return self.content.encode() if isinstance(self.content, str) else bytes(self.content)

    def header_pairs(self) -> list[tuple[str, str]]:
        """The headers to send, with a `set-cookie` for each cookie."""
        pairs = header_list(self.headers)
        pairs.extend(("set-cookie", cookie) for cookie in self.cookies)
        return pairs

    def reply_type(self) -> tuple[str, list[tuple[str, str]]]:
        """The content type to send, and the other headers."""
        pairs = self.header_pairs()
        found = None
        for pair in pairs:
            if pair[0].lower() == "content-type":
                found = pair
        if found is not None:
            return found[1], [pair for pair in pairs if pair[0].lower() != "content-type"]
        chosen = self.content_type or self.media_type
        if chosen is None:
            chosen = "text/plain" if isinstance(self.content, str) else "application/octet-stream"
        if chosen.startswith("text/") and "charset=" not in chosen.lower():
            chosen += "; charset=utf-8"
        # The content type becomes a header as well, so the same check applies.
        header_list({"content-type": chosen})
        return chosen, pairs

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status_code={self.status_code!r})"
