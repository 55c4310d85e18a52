"""`ServerLog`: what the server has written, and what it says of one request."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import NamedTuple

__all__ = ["ServerLog"]

# How a line for people continues.
_CONTINUED = "  | "
_LINE = re.compile(r"\S+Z +(?P<level>[A-Z]+) (?P<target>[\w:]+): ?(?P<rest>.*)", re.DOTALL)
_ACCESS = re.compile(
    r'request=(?P<request>\d+).* method="(?P<method>\w+)" path="(?P<path>.*)"'
    r" status=(?P<status>\d+)\b"
)
# An error that no response reports; a record of the app's `logging` has a logger instead.
_FAILED = re.compile(
    r'(?P<text>.*?)(?: app="[^"]*")? request=(?P<request>\d+) stream="error"(?: cut=\w+)?',
    re.DOTALL,
)
_FAULT = re.compile(r"(?P<text>.*) request=(?P<request>\d+)", re.DOTALL)
# The access log is not written before the response, and another thread reads it.
_PATIENCE = 1.0
# The host cuts longer paths.
_PATH = 400
_WEBSOCKET = 101


class _Served(NamedTuple):
    """A line of the access log."""

    request: int
    method: str
    path: str
    status: int


class _Failure(NamedTuple):
    """An error of a request."""

    request: int
    text: str


class ServerLog:
    """The lines that the server has written so far. A thread of its own adds to them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._news = threading.Condition()

    def add(self, line: str) -> None:
        """Add a line, without its line break."""
        with self._news:
            self._lines.append(line)
            self._news.notify_all()

    def __len__(self) -> int:
        return len(self._lines)

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def failure(self, method: str, path: str, since: int, status: int = 500) -> str | None:
        """What the server says of a request that has failed, or None: the app meant its response.

        since: how many lines there were before the request.
        status: that of its response; another one than 500 if the response broke off.
        """
        deadline = monotonic() + _PATIENCE
        with self._news:
            while True:
                said = list(_told(self._lines[since:]))
                failures = [one for one in said if isinstance(one, _Failure)]
                for one in said:
                    if isinstance(one, _Served) and _is_same(one, method, path, status):
                        return _of(one.request, failures) or _of_call(status, said)
                left = deadline - monotonic()
                if left <= 0 or not self._news.wait(left):
                    # Without an access log: the last failure since then.
                    return failures[-1].text if failures else None


def _of(request: int, failures: Iterable[_Failure]) -> str | None:
    return "\n".join(one.text for one in failures if one.request == request) or None


def _of_call(status: int, said: list[_Served | _Failure]) -> str | None:
    """The last failure of a call for a message of a WebSocket, which is a request of its own.

    It has no line in the access log, in contrast to other requests.
    """
    if status != _WEBSOCKET:
        return None
    served = {one.request for one in said if isinstance(one, _Served)}
    calls = [one for one in said if isinstance(one, _Failure) and one.request not in served]
    return _of(calls[-1].request, calls) if calls else None


def _is_same(served: _Served, method: str, path: str, status: int) -> bool:
    return (served.method, served.status) == (method, status) and (
        served.path == path or (len(path) > _PATH and served.path.startswith(path[:_PATH]))
    )


def _told(lines: Iterable[str]) -> Iterator[_Served | _Failure]:
    """The requests and failures that some lines report, in either format."""
    whole: list[str] = []
    for line in [*lines, ""]:
        if line.startswith(_CONTINUED):
            whole.append(line.removeprefix(_CONTINUED))
            continue
        if whole:
            found = _read("\n".join(whole))
            if found is not None:
                yield found
        whole = [line]


def _read(text: str) -> _Served | _Failure | None:
    if text.startswith("{"):
        with contextlib.suppress(ValueError, KeyError):
            return _read_json(text)
        return None
    line = _LINE.match(text)
    if line is None:
        return None
    level, target, rest = line["level"], line["target"], line["rest"]
    if target == "access":
        found = _ACCESS.match(rest)
        if found is None:
            return None
        return _Served(int(found["request"]), found["method"], found["path"], int(found["status"]))
    if level != "ERROR":
        return None
    failed = (_FAILED if target == "guest" else _FAULT).fullmatch(rest)
    return None if failed is None else _Failure(int(failed["request"]), failed["text"])


def _read_json(text: str) -> _Served | _Failure | None:
    line = json.loads(text)
    if line["target"] == "access":
        return _Served(line["request"], line["method"], line["path"], line["status"])
    if line["level"] != "ERROR" or "logger" in line:
        return None
    return _Failure(line["request"], line["message"])
